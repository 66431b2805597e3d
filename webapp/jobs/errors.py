"""How a job function ends early."""

from __future__ import annotations


class JobStopped(Exception):
    """Raised by a job function that saw `context.should_stop()` and has written its checkpoint."""


class Fenced(Exception):
    """Another attempt holds the job now; this one may write nothing any more."""
