from django.apps import AppConfig


class ExperimentsConfig(AppConfig):
    name = "webapp.experiments"
    label = "experiments"

    def ready(self) -> None:
        """Guards of frozen designs; rail entry and panel of the project home."""
        from webapp.core import guards
        from webapp.experiments import guards as own
        from webapp.experiments import pages

        guards.register(*own.guards())
        pages.register()
