"""How a failure crosses from one process of a training to another; imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from detection import errors
from detection.errors import DetectionError, Interrupted

FOLLOWED = "CEMLAB_TRAINING_FOLLOWED"
"""Set for processes whose standard input and output lead to the process that started them."""
STOP = b"s"
"""Byte on the standard input that asks one process to write a checkpoint and stop."""
FAILED = "failed"


def failed_event(error: DetectionError) -> dict[str, Any]:
    """What a process tells when it ends by an error."""
    checkpoint = error.checkpoint if isinstance(error, Interrupted) else None
    return {
        "event": FAILED,
        "error": type(error).__name__,
        "message": error.message,
        "advice": error.advice,
        "checkpoint": str(checkpoint) if checkpoint else None,
    }


def failure_in(event: Mapping[str, Any]) -> DetectionError:
    """The error in a `failed_event`, of the same class where this version knows it."""
    if event["error"] == Interrupted.__name__:
        return Interrupted(Path(event["checkpoint"]) if event["checkpoint"] else None)
    kind = getattr(errors, event["error"], DetectionError)
    return kind(event["message"], event["advice"])
