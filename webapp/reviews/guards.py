"""What the database keeps from changing: queues, items, visits, reveals, answers."""

from __future__ import annotations

from webapp.core.guards import Guard

_NO_TEST_VIEW = (
    "NOT EXISTS (SELECT 1 FROM reviews_reviewqueue q JOIN experiments_run r ON r.id = q.run_id "
    "JOIN experiments_arm a ON a.id = r.arm_id JOIN experiments_experiment e ON e.id = a.experiment_id "
    "JOIN datasets_versionview v ON v.version_id = e.version_id "
    "WHERE q.id = NEW.queue_id AND v.view_id = NEW.view_id AND v.split = q.test_set)"
)
_BEYOND_SIZE = "NEW.position > (SELECT q.size FROM reviews_reviewqueue q WHERE q.id = NEW.queue_id)"
_OTHER_THAN_SUPERSEDED = (
    "NOT OLD.current OR NEW.current OR NEW.item_id <> OLD.item_id OR NEW.reader_id <> OLD.reader_id "
    "OR NEW.revision <> OLD.revision OR NEW.state <> OLD.state OR NEW.reason <> OLD.reason OR NEW.note <> OLD.note "
    "OR NEW.seconds <> OLD.seconds OR NEW.time <> OLD.time"
)
_EVER = "OLD.id IS NOT NULL"

GUARDS = [
    Guard("review_queue_fixed", "reviews_reviewqueue", "UPDATE", _EVER, "a queue never changes"),
    Guard("review_item_fixed", "reviews_reviewitem", "UPDATE", _EVER, "an item never changes"),
    Guard(
        "review_item_of_test_set",
        "reviews_reviewitem",
        "INSERT",
        _NO_TEST_VIEW,
        "the view is not in the test set of the queue",
    ),
    Guard(
        "review_item_within_size",
        "reviews_reviewitem",
        "INSERT",
        _BEYOND_SIZE,
        "the queue is complete: nothing is added to it",
    ),
    Guard("review_visit_kept", "reviews_visit", "UPDATE", _EVER, "a visit never changes"),
    Guard("review_reveal_kept", "reviews_reveal", "UPDATE", _EVER, "a reveal never changes"),
    Guard(
        "review_answer_kept",
        "reviews_answer",
        "UPDATE",
        _OTHER_THAN_SUPERSEDED,
        "an answer is superseded, not changed",
    ),
]
