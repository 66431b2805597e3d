"""Documented, checked fields for configuration dataclasses (standard library only).

A field carries everything a form needs: label, group, unit, limits, choices and help. `specification`
turns a dataclass into plain dictionaries; `FieldSpecification.problem` checks values against the same declaration.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Literal

Kind = Literal["integer", "number", "numbers", "choice", "boolean", "text"]
_KEY = "field"


@dataclass(frozen=True)
class FieldSpecification:
    """What a form and a reader need to know about one field.

    Attributes
    ----------
    kind : {"integer", "number", "numbers", "choice", "boolean", "text"}
        ``"numbers"`` is a list of numbers; ``"text"`` may be empty (None).
    minimum, maximum : float, optional
        Inclusive limits (of each entry for ``"numbers"``).
    choices : tuple of (value, meaning)
    """

    kind: Kind
    label: str
    group: str
    help: str
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[tuple[str, str], ...] = ()

    def problem(self, value: object) -> str | None:
        """Say in one sentence what is wrong with `value`, or None when it is acceptable."""
        if self.kind == "boolean":
            return None if isinstance(value, bool) else f"expected true or false, got {value!r}"
        if self.kind == "text":
            return None if value is None or isinstance(value, str) else f"expected text, got {value!r}"
        if self.kind == "choice":
            allowed = [key for key, _ in self.choices]
            return None if value in allowed else f"expected one of {', '.join(allowed)}, got {value!r}"
        if self.kind == "numbers":
            if not isinstance(value, list | tuple) or not value:
                return f"expected at least one number, got {value!r}"
            return next((found for entry in value if (found := self._number_problem(entry))), None)
        return self._number_problem(value)

    def _number_problem(self, value: object) -> str | None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return f"expected a number, got {value!r}"
        if self.kind == "integer" and not isinstance(value, int):
            return f"expected a whole number, got {value!r}"
        unit = f" {self.unit}" if self.unit else ""
        if self.minimum is not None and value < self.minimum:
            return f"expected at least {self.minimum:g}{unit}, got {value:g}"
        if self.maximum is not None and value > self.maximum:
            return f"expected at most {self.maximum:g}{unit}, got {value:g}"
        return None


def integer(default: int, label: str, group: str, help: str, *, limits: tuple[int, int], unit: str = "") -> Any:
    """A whole number within inclusive `limits`."""
    return _declare(default, FieldSpecification("integer", label, group, help, unit, *limits))


def number(default: float, label: str, group: str, help: str, *, limits: tuple[float, float], unit: str = "") -> Any:
    """A finite number within inclusive `limits`."""
    return _declare(default, FieldSpecification("number", label, group, help, unit, *limits))


def numbers(
    default: Sequence[float],
    label: str,
    group: str,
    help: str,
    *,
    limits: tuple[float, float],
    unit: str = "",
) -> Any:
    """A non-empty list of numbers, each within inclusive `limits`."""
    return _declare(tuple(default), FieldSpecification("numbers", label, group, help, unit, *limits))


def choice(default: str, label: str, group: str, help: str, *, choices: Sequence[tuple[str, str]]) -> Any:
    """One of named alternatives, each with its meaning."""
    return _declare(default, FieldSpecification("choice", label, group, help, choices=tuple(choices)))


def boolean(default: bool, label: str, group: str, help: str) -> Any:
    """Yes or no."""
    return _declare(default, FieldSpecification("boolean", label, group, help))


def text(default: str | None, label: str, group: str, help: str) -> Any:
    """Optional text."""
    return _declare(default, FieldSpecification("text", label, group, help))


def _declare(default: object, specification: FieldSpecification) -> Any:
    return field(default=default, metadata={_KEY: specification})


def declared(kind: type) -> dict[str, FieldSpecification]:
    """Field name to specification, in declaration order, for a dataclass built with this module."""
    return {entry.name: entry.metadata[_KEY] for entry in fields(kind)}


def specification(kind: type) -> list[dict[str, Any]]:
    """Plain, JSON-ready description of every field of a dataclass, in declaration order.

    Returns
    -------
    list of dict
        Keys ``name, kind, label, group, help, unit, minimum, maximum, choices, default``; ``choices`` is a
        list of ``{"value", "label"}``.
    """
    described = []
    for entry in fields(kind):
        declared_field: FieldSpecification = entry.metadata[_KEY]
        default = None if entry.default is MISSING else entry.default
        described.append(
            {
                "name": entry.name,
                "kind": declared_field.kind,
                "label": declared_field.label,
                "group": declared_field.group,
                "help": declared_field.help,
                "unit": declared_field.unit,
                "minimum": declared_field.minimum,
                "maximum": declared_field.maximum,
                "choices": [{"value": value, "label": label} for value, label in declared_field.choices],
                "default": list(default) if isinstance(default, tuple) else default,
            }
        )
    return described
