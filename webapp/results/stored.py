"""Stored evaluations, read once: every panel of a page rests on the same records."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from webapp.results.models import Evaluation

if TYPE_CHECKING:
    from detection.evaluation.result import TestSetResult

READ_AT_ONCE = 16
"""Results kept in memory: an experiment of a few arms on both test sets."""


def result_of(evaluation: Evaluation) -> TestSetResult:
    """The stored result with its records.

    Raises
    ------
    EvaluationError
        If it was stored under a schema that is no longer read, or was altered.
    """
    return _read(evaluation.pk, evaluation.inputs_hash)


@lru_cache(maxsize=READ_AT_ONCE)
def _read(key: int, inputs_hash: str) -> TestSetResult:
    from detection.evaluation.result import TestSetResult

    # evaluations never change: key and hash name one content for good
    return TestSetResult.from_json(Evaluation.objects.values_list("result", flat=True).get(pk=key))


def forget() -> None:
    """Read anew; for tests, whose databases begin again."""
    _read.cache_clear()
