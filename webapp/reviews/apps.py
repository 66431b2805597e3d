from django.apps import AppConfig


class ReviewsConfig(AppConfig):
    name = "webapp.reviews"
    label = "reviews"

    def ready(self) -> None:
        """Rail entry, panel of the home; queues and answers are only ever added to."""
        from webapp.core import guards
        from webapp.core.guards import Guard
        from webapp.reviews import models, pages, report

        pages.register()
        report.register()
        guards.register(
            Guard("review_queue_fixed", "reviews_reviewqueue", "UPDATE", "OLD.id IS NOT NULL", "a queue never changes"),
            Guard("review_item_fixed", "reviews_reviewitem", "UPDATE", "OLD.id IS NOT NULL", "an item never changes"),
            Guard(
                "review_item_of_test_set",
                "reviews_reviewitem",
                "INSERT",
                models.NO_TEST_VIEW,
                "the view is not in the test set of the queue",
            ),
            Guard(
                "review_item_within_size",
                "reviews_reviewitem",
                "INSERT",
                models.BEYOND_SIZE,
                "the queue is complete: nothing is added to it",
            ),
            Guard("review_visit_kept", "reviews_visit", "UPDATE", "OLD.id IS NOT NULL", "a visit never changes"),
            Guard("review_reveal_kept", "reviews_reveal", "UPDATE", "OLD.id IS NOT NULL", "a reveal never changes"),
            Guard(
                "review_answer_kept",
                "reviews_answer",
                "UPDATE",
                models.OTHER_THAN_SUPERSEDED,
                "an answer is superseded, not changed",
            ),
        )
