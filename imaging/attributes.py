"""Reading single attributes of a dataset that may be wrong in every way."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

# What pydicom raises while it turns the raw bytes of one element into a value.
VALUE_ERRORS = (
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    IndexError,
    OverflowError,
    NotImplementedError,
    EOFError,
    OSError,
    RecursionError,
    UnicodeError,
    LookupError,
    ArithmeticError,
)


def value(dataset: Dataset, keyword: str) -> Any:
    """Value of an attribute, or None when it is absent, empty or cannot be interpreted."""
    try:
        found = dataset.get(keyword)
    except VALUE_ERRORS:
        return None
    return None if found is None or (isinstance(found, str) and not found.strip()) else found


def values(dataset: Dataset, keyword: str) -> list[Any]:
    """Values of an attribute as a list (empty when absent)."""
    found = value(dataset, keyword)
    if found is None:
        return []
    if isinstance(found, MultiValue | list | tuple):
        return list(found)
    return [found]


def text(dataset: Dataset, keyword: str) -> str:
    """First value as text without outer blanks; empty when absent."""
    found = values(dataset, keyword)
    return str(found[0]).replace("\x00", "").strip() if found else ""


def texts(dataset: Dataset, keyword: str) -> list[str]:
    """All values as upper-case text; empty values are kept so that positions count."""
    return [str(item).replace("\x00", "").strip().upper() for item in values(dataset, keyword)]


def whole(dataset: Dataset, keyword: str) -> int | None:
    """First value as an integer, or None."""
    for item in values(dataset, keyword)[:1]:
        try:
            number = float(item)
        except (TypeError, ValueError):
            return None
        return int(number) if math.isfinite(number) and number == int(number) else None
    return None


def numbers(dataset: Dataset, keyword: str) -> list[float]:
    """Values as finite floats; empty when any of them is not a number."""
    result = []
    for item in values(dataset, keyword):
        try:
            number = float(item)
        except (TypeError, ValueError):
            return []
        if not math.isfinite(number):
            return []
        result.append(number)
    return result


def items(dataset: Dataset, keyword: str) -> Iterable[Dataset]:
    """Items of a sequence; empty when absent or not a sequence."""
    found = value(dataset, keyword)
    return [item for item in found if isinstance(item, Dataset)] if isinstance(found, Iterable) else []


def codes(dataset: Dataset, keyword: str) -> list[str]:
    """Code values of a code sequence, upper case."""
    return [text(item, "CodeValue").upper() for item in items(dataset, keyword)]
