"""Derived numbers, kept in the cache for as long as what they were made from is the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from typing import TypeVar

from django.conf import settings
from django.core.cache import cache

from webapp.experiments.reproducibility import source_hash

Value = TypeVar("Value")
_ABSENT = object()


def kept(kind: str, made_from: Iterable[str], compute: Callable[[], Value], *, seconds: int | None = None) -> Value:
    """What `compute` gives, from the cache where it was computed before from the same things by the same code.

    Parameters
    ----------
    kind : str
        What is computed.
    made_from : iterable of str
        All it depends on, such as `Evaluation.inputs_hash` (truth, findings and protocol) and a group of lesions. The
        source code is added, so that no number outlives the code that made it.
    seconds : int, optional
        For how long; as long as the cache has room where absent.
    """
    made = json.dumps([source_hash(settings.ROOT), *made_from])
    key = f"results.{kind}.{hashlib.sha256(made.encode()).hexdigest()}"
    found = cache.get(key, _ABSENT)
    if found is not _ABSENT:
        return found
    from detection.evaluation.resampling import shared_resamples

    with shared_resamples():
        value = compute()
    cache.set(key, value, timeout=seconds)
    return value
