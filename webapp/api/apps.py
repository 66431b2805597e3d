from importlib import import_module

from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "webapp.api"
    label = "api"

    def ready(self) -> None:
        """Make the token known to the schema."""
        import_module("webapp.api.authentication")
