"""Cluster parameters: JSON, refusals, and the named size priors."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from simulation.calcification import draw_calcification
from simulation.case import simulate
from simulation.cluster_parameters import PARAMETERS, ClusterParameters
from simulation.cluster_plan import draw_plan
from simulation.errors import InvalidSettings
from simulation.phantom import PhantomView


@pytest.mark.parametrize("malignancy", ["benign", "malignant"])
def test_parameters_survive_json(malignancy: str) -> None:
    parameters = replace(PARAMETERS[malignancy], source="40 clusters of 31 patients")
    text = json.dumps(parameters.to_json())
    assert json.loads(text)["schema"] == "cemlab.cluster-parameters/1"
    assert ClusterParameters.from_json(text) == parameters


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": "other/1"}, "schema"),
        ({"count_median": -3}, "count_median"),
        ({"particle_sigma": "wide"}, "particle_sigma"),
        ({"patterns": {"diffuse": 1.0}}, "patterns"),
        ({"morphologies": {"punctate": 0.0}}, "morphologies"),
        ({"patterns": [1]}, "patterns"),
        ({"patterns": {"grouped": "often"}}, "patterns"),
        ({"morphologies": {"punctate": float("inf")}}, "morphologies"),
        ({"malignancy": "unsure"}, "class"),
        ({"extra": 1}, "extra"),
    ],
)
def test_malformed_parameters_are_refused_by_name(change: dict, message: str) -> None:
    with pytest.raises(InvalidSettings, match=message):
        ClusterParameters.from_json({**PARAMETERS["benign"].to_json(), **change})


@pytest.mark.parametrize(("prior", "order"), [("s000", -1), ("comedo", 1), ("equal", 0)])
def test_the_size_prior_decides_which_class_has_the_larger_calcifications(prior: str, order: int) -> None:
    benign, malignant = (PARAMETERS[name].with_sizes(prior).particle_median_mm for name in ("benign", "malignant"))
    assert np.sign(malignant - benign) == order


def test_drawn_clusters_follow_the_parameters() -> None:
    parameters = replace(
        PARAMETERS["benign"], count_median=30, count_sigma=0.1, particle_median_mm=0.5, patterns=(("linear", 1.0),)
    )
    rng = np.random.default_rng(0)
    plans = [draw_plan(rng, "benign", parameters=parameters) for _ in range(100)]
    assert {plan.pattern for plan in plans} == {"linear"}
    assert np.median([plan.count for plan in plans]) == pytest.approx(30, abs=2)
    sizes = [
        draw_calcification(rng, "benign", x=0, y=0, morphology="punctate", parameters=parameters).diameter_mm
        for _ in range(200)
    ]
    assert np.median(sizes) == pytest.approx(0.5, rel=0.08)


def test_a_case_takes_measured_parameters_and_says_so(host: PhantomView) -> None:
    measured = replace(PARAMETERS["benign"], count_median=24, count_sigma=0.0, source="40 clusters of 31 patients")
    made = simulate(host.pair, malignancy="benign", seed=2, lesion_free=True, clusters=measured)
    assert made.record["cluster"]["plan"]["count"] == 24
    assert made.record["cluster_parameters"] == measured.to_json()
    with pytest.raises(InvalidSettings, match="cluster parameters are those of benign"):
        simulate(host.pair, malignancy="malignant", seed=2, lesion_free=True, clusters=measured)
