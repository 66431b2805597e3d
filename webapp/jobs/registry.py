"""Kinds of work. `jobs` knows none: each app registers its own in its `jobs.py`.

A `jobs.py` is imported by the web process too (to name and queue the work), so that it imports torch, radiomics
and the like only inside its functions.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.utils.module_loading import autodiscover_modules

if TYPE_CHECKING:
    from webapp.jobs.context import JobContext
    from webapp.jobs.models import Job

QUEUES = ("cpu", "gpu")

JobFunction = Callable[["JobContext"], dict[str, Any] | None]


@dataclass(frozen=True)
class JobKind:
    """A kind of work and the rules of its attempts."""

    name: str
    label: str
    run: JobFunction
    queue: str
    attempts: int
    time_limit: float | None
    uses_device: bool
    spoken_errors: tuple[type[Exception], ...]
    on_state: Callable[[Job], None] | None


_kinds: dict[str, JobKind] = {}


def job_kind(
    name: str,
    *,
    label: str,
    queue: str = "cpu",
    attempts: int | None = None,
    time_limit: float | None = None,
    uses_device: bool | None = None,
    spoken_errors: tuple[type[Exception], ...] = (),
    on_state: Callable[[Job], None] | None = None,
) -> Callable[[JobFunction], JobFunction]:
    """Register a function as a kind of work.

    Parameters
    ----------
    name : str
        Key in the database, such as ``"train-run"``.
    label : str
        What pages call it, such as ``"Training"``.
    queue : {"cpu", "gpu"}
        Which workers take it, unless `submit` says otherwise.
    attempts : int, optional
        How often it may start before a person has to ask again; `settings.JOB_MAX_ATTEMPTS` by default. Only
        attempts that died (killed process, lost worker) are repeated, never those that ended with an error.
    time_limit : float, optional
        Seconds of one attempt.
    uses_device : bool, optional
        Whether it needs `job.device` for itself; by default true on the gpu queue.
    spoken_errors : tuple of exception types
        Errors whose text is meant for people, besides `UserError`.
    on_state : callable, optional
        Called with the job inside the transaction of every change of state: queued, running, done, failed and
        cancelled. Writes only; no long work, no torch.
    """
    if queue not in QUEUES:
        raise ValueError(f"job kind {name!r}: queue must be one of {', '.join(QUEUES)}, got {queue!r}")

    def decorate(function: JobFunction) -> JobFunction:
        known = _kinds.get(name)
        if known is not None and known.run.__module__ != function.__module__:
            raise ValueError(f"job kind {name!r} is registered already by {known.run.__module__}")
        _kinds[name] = JobKind(
            name=name,
            label=label,
            run=function,
            queue=queue,
            attempts=attempts or settings.JOB_MAX_ATTEMPTS,
            time_limit=time_limit,
            uses_device=queue == "gpu" if uses_device is None else uses_device,
            spoken_errors=spoken_errors,
            on_state=on_state,
        )
        return function

    return decorate


def find(name: str) -> JobKind | None:
    """The kind, or None where no installed app registers it."""
    return _kinds.get(name)


def label(name: str) -> str:
    """What pages call the kind."""
    kind = _kinds.get(name)
    return kind.label if kind else name


def discover() -> None:
    """Import `jobs.py` of every installed app and the extra modules of the settings."""
    autodiscover_modules("jobs")
    for module in settings.JOB_EXTRA_MODULES:
        importlib.import_module(module)
