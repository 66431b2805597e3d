"""Errors that an evaluation may end with; each message says what, where and what to do."""

from __future__ import annotations


class EvaluationError(ValueError):
    """The input of an evaluation is not usable."""


class ProtocolError(EvaluationError):
    """A protocol holds a value that is unknown or out of range."""


class ProtocolMismatch(EvaluationError):
    """Numbers obtained under different protocols, or on different test sets, were about to be compared."""
