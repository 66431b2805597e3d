"""Words that several chapters share."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from webapp.core.templatetags.cemlab import interval_parts
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
    """How intervals were made, each way once."""
    return "; ".join(sorted({str(one["method"]) for one in numbers if one.get("method")})) or "nothing is defined"


def cell(number: dict[str, Any], *, signed: bool = False, digits: int = 2) -> str:
    """A number of a table: value, interval, n; without a value under n = 10, which captions say once."""
    parts = interval_parts(number, signed=signed, digits=digits)
    if "undefined" in parts:
        return parts["undefined"] if "too few" in parts["undefined"] else f"{parts['undefined']}: {parts['reason']}"
    return " ".join(part for part in (parts["value"], parts["range"], parts["n"]) if part)


def looks(basis: Basis) -> str:
    """How often each test set had been opened when the report was asked for."""
    return ", ".join(f"{selectors.TEST_SETS[name]} {number}" for name, number in basis.looks.items()) or "none"
