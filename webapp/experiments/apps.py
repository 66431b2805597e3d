from django.apps import AppConfig


class ExperimentsConfig(AppConfig):
    name = "webapp.experiments"
    label = "experiments"

    def ready(self) -> None:
        """Rail entry and panel of the project home."""
        from webapp.experiments import pages

        pages.register()
