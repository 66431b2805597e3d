from tests.webapp.reviews.queues import (
    empty_cache,
    ended,
    experiment,
    first_arm,
    project,
    queue,
    radiologist,
    second,
    second_arm,
)

__all__ = [
    "empty_cache",
    "ended",
    "experiment",
    "first_arm",
    "project",
    "queue",
    "radiologist",
    "second",
    "second_arm",
]
