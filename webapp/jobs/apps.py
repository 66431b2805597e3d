from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "webapp.jobs"
    label = "jobs"

    def ready(self) -> None:
        """Learn the kinds of work of all apps, and put the jobs page on the rail."""
        from webapp.jobs import pages, registry

        registry.discover()
        pages.register()
