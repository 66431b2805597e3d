"""Families by name, imported only when asked for."""

from __future__ import annotations

import pytest

from detection.errors import UnknownFamily
from detection.mask_rcnn.detector import MaskRCNNDetector
from detection.registry import families, family, family_title


def test_a_family_is_found_by_name() -> None:
    assert families() == ("mask_rcnn",)
    assert family("mask_rcnn") is MaskRCNNDetector


def test_every_family_has_a_title_for_people() -> None:
    assert all(family_title(name) != name for name in families())
    assert family_title("yolo") == "yolo"


def test_an_unknown_family_is_refused_with_the_names_that_exist() -> None:
    with pytest.raises(UnknownFamily, match="mask_rcnn"):
        family("yolo")
