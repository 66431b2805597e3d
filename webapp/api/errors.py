"""Refusals as JSON: ``{"detail": words, "field": name or null}``."""

from __future__ import annotations

from typing import Any

from rest_framework import status
from rest_framework.exceptions import APIException, PermissionDenied, ValidationError
from rest_framework.response import Response
from rest_framework.views import exception_handler

from webapp.core.errors import NotAllowed, NotNow, UserError


class Conflict(APIException):
    """What is asked for does not fit what has happened so far."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


class Locked(Conflict):
    """The test sets are locked until every run has ended."""

    default_detail = "The test sets are locked until every run has ended."
    default_code = "locked"


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """Services' refusals become 400, 403 or 409, invalid fields name themselves; what is unknown stays an error."""
    if isinstance(error, NotAllowed):
        return exception_handler(PermissionDenied(str(error)), context)
    if isinstance(error, NotNow):
        return exception_handler(Conflict(str(error)), context)
    if isinstance(error, UserError):
        error_response = exception_handler(ValidationError(str(error)), context)
        if error_response is not None:
            error_response.data = {"detail": str(error), "field": error.field}
        return error_response
    response = exception_handler(error, context)
    if response is not None and isinstance(error, ValidationError):
        field, words = _first(error.detail)
        response.data = {"detail": words, "field": field or None}
    return response


def _first(detail: Any, path: str = "") -> tuple[str, str]:
    """Path and words of the first invalid field, such as ``arms.0.name``."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            if inner:
                part = "" if name == "non_field_errors" else str(name)
                return _first(inner, ".".join(filter(None, [path, part])))
    if isinstance(detail, list):
        for index, inner in enumerate(detail):
            if inner:
                nested = isinstance(inner, dict | list)
                return _first(inner, f"{path}.{index}" if nested else path)
    return path, str(detail)
