from django.apps import AppConfig


class ApiConfig(AppConfig):
    """`base`, which every view of the API imports, makes the token known to the schema."""

    name = "webapp.api"
    label = "api"
