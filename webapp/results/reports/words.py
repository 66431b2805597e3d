"""Words that several chapters share."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from webapp.core.templatetags.cemlab import FEWEST_SHOWN, count, interval_parts
from webapp.results import selectors
from webapp.results.reports.basis import Basis

PHANTOM = (
    "Phantom data. The views of this experiment are computed, not acquired from patients. They show that every step "
    "works and how the numbers are made; they say nothing about how well a detector finds lesions in patients."
)
PARTLY = (
    "Partly phantom data. Some views of this experiment are computed, not acquired from patients; no number below may "
    "be read as one for patients."
)


def phantom_warning(basis: Basis) -> str:
    """What stands on the first page where views are not of patients."""
    if "phantom" not in basis.origins:
        return ""
    return PHANTOM if basis.origins == {"phantom"} else PARTLY


def moment(time: datetime | None) -> str:
    """A time in UTC."""
    return "not recorded" if time is None else f"{time.astimezone(UTC):%d %B %Y, %H:%M} UTC"


def methods(numbers: Iterable[dict[str, Any]]) -> str:
    """How intervals were made, and why a value has none, each once."""
    listed = list(numbers)
    made = sorted({str(one["method"]) for one in listed if one.get("method")})
    return "; ".join([*made, *without_interval(listed)]) or "nothing is defined"


def without_interval(numbers: Iterable[dict[str, Any]]) -> list[str]:
    """Why values have no interval, each reason once."""
    return sorted(
        {str(one["reason"]) for one in numbers if one["value"] is not None and one["low"] is None and one["reason"]}
    )


def cell(number: dict[str, Any], *, signed: bool = False, digits: int = 2) -> str:
    """A number of a table: value, interval, n; without a value under n = 10, which captions say once."""
    parts = interval_parts(number, signed=signed, digits=digits)
    if "undefined" in parts:
        return parts["undefined"] if "too few" in parts["undefined"] else f"{parts['undefined']}: {parts['reason']}"
    return " ".join(part for part in (parts["value"], parts["range"] or "no interval,", parts["n"]) if part)


def p_words(value: float | None) -> str:
    """A p value; never 0."""
    if value is None:
        return "undefined"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def not_drawn(left_out: Iterable[tuple[str, str]]) -> str:
    """Part of a caption that says what a figure leaves out, from pairs of what and why; empty where nothing is.

    Tables name each: here the first stands for all with the same reason.
    """
    reasons: dict[str, list[str]] = {}
    for what, why in left_out:
        reasons.setdefault(f"n under {FEWEST_SHOWN}" if "too few" in why else why, []).append(what)
    said = "; ".join(
        f"{listed[0]}{f' and {len(listed) - 1} more' if len(listed) > 1 else ''} ({why})"
        for why, listed in reasons.items()
    )
    return f". Not drawn: {said}" if said else ""


def lesions(group: str) -> str:
    """A group of malignant lesions where the caption says malignant: clusters, masses, all malignant."""
    return selectors.GROUPS[group].lower().removeprefix("malignant ")


def nowhere(*args: object, **kwargs: object) -> str:
    """On paper a number opens no cases."""
    return ""


def looks(basis: Basis) -> str:
    """How often each test set had been opened when the report was asked for."""
    return ", ".join(f"{selectors.TEST_SETS[name]} {count(number)}" for name, number in basis.looks.items()) or "none"
