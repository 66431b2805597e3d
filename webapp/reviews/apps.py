from django.apps import AppConfig


class ReviewsConfig(AppConfig):
    name = "webapp.reviews"
    label = "reviews"

    def ready(self) -> None:
        """Rail entry, panel of the home; queues and answers are only ever added to."""
        from webapp.core import guards
        from webapp.reviews import pages, report
        from webapp.reviews.guards import GUARDS

        pages.register()
        report.register()
        guards.register(*GUARDS)
