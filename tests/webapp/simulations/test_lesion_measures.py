"""What is measured on annotated lesions, and how it reaches the plots."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from imaging.contours import polygons_to_mask
from imaging.reading import read_pair
from simulation.phantom.phantom_set import write_phantom_set
from tests.webapp.simulations.conftest import Study
from webapp.core import files
from webapp.simulations.distributions import spacing_mm
from webapp.simulations.lesion_measures import (
    LesionMeasures,
    measured_calcifications,
    real_clusters,
    training_lesions,
)


@pytest.mark.slow
def test_calcifications_of_a_phantom_cluster_are_found_inside_its_outline(tmp_path: Path) -> None:
    manifest = write_phantom_set(tmp_path, sites={"A": 1}, size="small", seed=3)
    views = [
        (view, lesion)
        for patient in json.loads(manifest.read_text())["patients"]
        for view in patient["views"]
        for lesion in view["lesions"]
        if lesion["lesion_type"] == "cluster"
    ]
    found = []
    for view, lesion in views:
        pair = read_pair(
            tmp_path / view["low_energy"],
            tmp_path / view["recombined"],
            laterality=view["laterality"],
            view_position=view["view"],
        )
        mask = polygons_to_mask(lesion["polygons"], pair.shape)
        assert pair.spacing_mm is not None
        found.append(measured_calcifications(pair.low_energy, mask, pair.spacing_mm[0])["count"])

    assert views and max(float(count) for count in found if isinstance(count, float)) >= 3


def test_an_empty_outline_gives_a_reason_instead_of_numbers() -> None:
    flat = np.full((64, 64), 500, np.uint16)

    assert "empty" in str(measured_calcifications(flat, np.zeros((64, 64), bool), 0.1)["reason"])


def test_training_lesions_are_measured_once_for_a_version(study: Study) -> None:
    first = training_lesions(study.version)
    (kept,) = (files.absolute("measures")).glob("*.json")
    kept.write_text(json.dumps([{"malignancy": "benign", "cluster": True, "contrast": 1.5}]))

    assert {one.cluster for one in first} == {True, False}
    assert all(one.reason == "the pixel size is unknown" for one in first if one.cluster)
    assert training_lesions(study.version) == [LesionMeasures("benign", True, 1.5)]


def test_only_clusters_stand_for_real_clusters_and_every_gap_has_a_reason() -> None:
    lesions = [
        LesionMeasures("malignant", True, 1.1, 9.0, 12.0, 1.5, 4.0),
        LesionMeasures("malignant", True, None, reason="the pixel size is unknown"),
        LesionMeasures("malignant", False, 1.9),
    ]

    found = real_clusters(lesions)

    assert found["real"]["malignant"]["count"] == [9.0]
    assert found["real"]["malignant"]["enhancement"] == [1.1]
    assert found["real_reasons"]["malignant"]["count"].startswith("1 of 2 clusters on a view could be measured")
    assert found["real_reasons"]["benign"]["count"] == "the training set has no such cluster"


def test_spacing_is_the_median_distance_to_the_nearest_neighbour() -> None:
    places = [{"x": 0.0, "y": 0.0}, {"x": 3.0, "y": 4.0}, {"x": 3.0, "y": 14.0}]

    assert spacing_mm(places, 0.1) == pytest.approx(0.5)
    assert spacing_mm(places[:1], 0.1) is None
