"""Detector families by name; a family's code (and torch with it) is imported only when asked for."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from detection.detector import Detector
from detection.errors import UnknownFamily

_FAMILIES = {"mask_rcnn": ("detection.mask_rcnn.detector", "MaskRCNNDetector")}
_TITLES = {"mask_rcnn": "Mask R-CNN"}


def families() -> tuple[str, ...]:
    """Names that `family` knows."""
    return tuple(_FAMILIES)


def family_title(name: str) -> str:
    """The family as people call it; its name where it is not known."""
    return _TITLES.get(name, name)


def family(name: str) -> type[Detector]:
    """Detector class of a family.

    Raises
    ------
    UnknownFamily
    """
    if name not in _FAMILIES:
        raise UnknownFamily(f"There is no detector family {name!r}.", f"Choose one of {', '.join(_FAMILIES)}.")
    module, attribute = _FAMILIES[name]
    return cast(type[Detector], getattr(import_module(module), attribute))
