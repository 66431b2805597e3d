"""Errors a person is meant to read."""

from __future__ import annotations


class UserError(Exception):
    """Something the person can understand and mend: what happened, why, what to do.

    Services raise it; forms, pages, commands and the API show `str(error)`. `field` names the form field or
    column it belongs to, where there is one.
    """

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class NotNow(UserError):
    """The person may do this, but not at this time: it was done already, or something has to end first."""


class NotAllowed(UserError):
    """The person may see the object but not do this to it."""
