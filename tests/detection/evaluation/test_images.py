"""Views of a test set joined with the findings of a detector."""

from __future__ import annotations

from pathlib import Path

import pytest

from detection.evaluation.errors import EvaluationError
from detection.evaluation.images import EvaluatedImage, evaluated_images
from detection.sample_set import Sample
from tests.detection.evaluation.scenes import finding, lesion


def sample(name: str) -> Sample:
    files = Path(f"{name}-le.png"), Path(f"{name}-rc.png")
    return Sample(name, f"patient of {name}", *files, "L", "CC", None, "phantom", (lesion(),), f"breast of {name}")


def test_every_view_takes_its_own_findings() -> None:
    found = {"b": [finding(score=0.3)], "a": []}
    assert evaluated_images([sample("a"), sample("b")], found) == [
        EvaluatedImage("a", "patient of a", (lesion(),), [], "breast of a"),
        EvaluatedImage("b", "patient of b", (lesion(),), [finding(score=0.3)], "breast of b"),
    ]


def test_findings_for_an_unknown_image_are_refused_by_name() -> None:
    with pytest.raises(EvaluationError, match=r"findings for image c, which is not in the test set \(2 such"):
        evaluated_images([sample("a")], {"a": [], "d": [], "c": [finding()]})


def test_a_view_without_a_list_of_findings_is_not_one_without_findings() -> None:
    with pytest.raises(EvaluationError, match=r"no list of findings for image b \(1 such"):
        evaluated_images([sample("a"), sample("b")], {"a": [finding()]})
