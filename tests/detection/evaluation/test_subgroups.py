"""Subgroups: those of a whole test set restricted by hand, and differences that are those of the paired bootstrap."""

from __future__ import annotations

from dataclasses import replace

import pytest

from detection.evaluation import test_set as evaluation
from detection.evaluation.comparisons import paired_differences
from detection.evaluation.errors import ProtocolMismatch
from detection.evaluation.subgroups import differences, sensitivities
from tests.detection.evaluation.scenes import QUICK, random_images


def test_a_subgroup_of_every_lesion_is_the_whole_test_set() -> None:
    images = random_images(4, 120)
    arm = evaluation.evaluate(images, QUICK)
    fewer = [replace(one, findings=one.findings[::2]) for one in images]
    reference = evaluation.evaluate(fewer, QUICK)
    every = {"every": {(row.sample_id, row.lesion_id) for row in arm.lesions}}

    assert sensitivities(arm, every)["every"] == arm.sensitivity["malignant"]
    (whole,) = [
        one for one in paired_differences(arm, reference) if (one.metric, one.group) == ("sensitivity", "malignant")
    ]
    assert differences(arm, reference, every)["every"] == whole


def test_subgroups_by_type_are_the_groups_and_add_up() -> None:
    result = evaluation.evaluate(random_images(6, 150), QUICK)
    by_type = {
        kind: {(row.sample_id, row.lesion_id) for row in result.lesions if row.lesion_type in types}
        for kind, types in (("mass", {"mass"}), ("cluster", {"cluster", "both"}), ("other", {"other"}))
    }

    found = sensitivities(result, by_type)

    assert found["mass"] == result.sensitivity["malignant_mass"]
    assert found["cluster"] == result.sensitivity["malignant_cluster"]
    assert sum(one.n for one in found.values()) == result.sensitivity["malignant"].n


def test_masses_of_a_test_set_without_types_are_undefined() -> None:
    result = evaluation.evaluate(random_images(6, 40), QUICK, groups_known=False)
    every = {"every": {(row.sample_id, row.lesion_id) for row in result.lesions}}

    mass = sensitivities(result, every, "malignant_mass")["every"]
    difference = differences(result, result, every, "malignant_mass")["every"]

    assert mass.reason == difference.interval.reason == "undefined: the lesion types of this test set are not known"
    assert difference.test.p_value is None
    assert sensitivities(result, every)["every"] == result.sensitivity["malignant"]


def test_an_empty_subgroup_is_undefined_and_another_test_set_is_refused() -> None:
    result = evaluation.evaluate(random_images(2, 30), QUICK)
    other = evaluation.evaluate(random_images(3, 30), QUICK)

    assert sensitivities(result, {"none": set()})["none"].reason == "undefined: no lesions"
    assert differences(result, result, {"none": set()})["none"].interval.value is None
    with pytest.raises(ProtocolMismatch):
        differences(result, other, {"none": set()})
