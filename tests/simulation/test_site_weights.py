"""Weights of the ranking learnt from real clusters."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from simulation.case import simulate
from simulation.errors import InvalidSettings, TooFewRealClusters
from simulation.phantom import PhantomView
from simulation.settings import SimulationSettings
from simulation.site_selection import grey_level_warnings, rank_cells
from simulation.site_weights import MINIMUM_CELLS, MINIMUM_PATIENTS, SiteWeights, _auc
from simulation.texture import FEATURE_NAMES, CellFeatures

TELLING = FEATURE_NAMES.index("original_glrlm_RunEntropy")


def table(values: np.ndarray, bins: str = "32 bins", levels: int = 32) -> CellFeatures:
    return CellFeatures(FEATURE_NAMES, values, np.full(len(values), levels), bins)


def annotated(
    images: int = 16, cells: int = 40, strength: float = 2.5, seed: int = 0
) -> tuple[list[CellFeatures], list[np.ndarray], list[str]]:
    """Two images of each patient; in cells with a cluster one feature is higher by `strength` standard deviations.

    Images differ in offset and scale, as exposure and processing make them differ.
    """
    rng = np.random.default_rng(seed)
    features, labels = [], []
    for _ in range(images):
        values = rng.normal(size=(cells, len(FEATURE_NAMES)))
        holds = np.arange(cells) < 4
        values[holds, TELLING] += strength
        features.append(table(values * rng.uniform(0.1, 10) + rng.normal(0, 100)))
        labels.append(holds)
    return features, labels, [f"patient {index // 2}" for index in range(images)]


@pytest.fixture(scope="module")
def learnt() -> SiteWeights:
    return SiteWeights.fit(*annotated())


def test_the_feature_that_tells_clusters_gets_the_largest_weight(learnt: SiteWeights) -> None:
    assert set(learnt.weights) == set(FEATURE_NAMES)
    assert max(learnt.weights, key=lambda name: learnt.weights[name]) == FEATURE_NAMES[TELLING]
    assert (learnt.images, learnt.patients, learnt.cells, learnt.cells_with_clusters) == (16, 8, 640, 64)


def test_the_quality_is_that_on_patients_left_out(learnt: SiteWeights) -> None:
    assert 0.85 < learnt.auc <= 1
    assert learnt.auc_low < learnt.auc < learnt.auc_high
    # no feature tells: the 93 features must not seem to
    chance = SiteWeights.fit(*annotated(strength=0.0))
    assert chance.auc_low < 0.5 < chance.auc_high + 0.05
    assert chance.auc < 0.62


def test_cells_like_those_with_real_clusters_are_ranked_first(learnt: SiteWeights) -> None:
    features, labels, _ = annotated(images=6, seed=9)
    settings = SimulationSettings(site_selection="best")
    tops = [
        labels[i][list(rank_cells(one, "benign", np.random.default_rng(0), settings, weights=learnt).order[:4])].mean()
        for i, one in enumerate(features)
    ]
    assert np.mean(tops) > 0.4  # one cell in ten holds a cluster


def test_weights_survive_json(learnt: SiteWeights) -> None:
    assert SiteWeights.from_json(json.dumps(learnt.to_json())) == learnt
    assert SiteWeights.from_json(learnt.to_json()) == learnt


def test_the_same_annotations_give_the_same_weights(learnt: SiteWeights) -> None:
    assert SiteWeights.fit(*annotated()) == learnt


@pytest.mark.parametrize(
    "body",
    [
        {"schema": "else/1"},
        {"schema": "cemlab.site-weights/1", "weights": {}},
        {"schema": "cemlab.site-weights/1", "weights": {"original_firstorder_Mean": "heavy"}},
        "not json",
        "[1, 2]",
    ],
)
def test_other_files_are_refused(body) -> None:
    with pytest.raises(InvalidSettings, match="site weights"):
        SiteWeights.from_json(body)


def test_unknown_features_and_numbers_that_are_not_finite_are_refused(learnt: SiteWeights) -> None:
    body = learnt.to_json()
    with pytest.raises(InvalidSettings, match="not known"):
        SiteWeights.from_json({**body, "weights": {"colour": 1.0}})
    with pytest.raises(InvalidSettings, match="finite"):
        SiteWeights.from_json({**body, "weights": {FEATURE_NAMES[0]: float("nan")}})


def test_too_few_clusters_or_patients_are_refused() -> None:
    features, labels, patients = annotated(images=4)
    with pytest.raises(TooFewRealClusters, match=f"at least {MINIMUM_CELLS} cells"):
        SiteWeights.fit(features, labels, patients)
    features, labels, _ = annotated(images=16)
    with pytest.raises(TooFewRealClusters, match=f"of {MINIMUM_PATIENTS} patients"):
        SiteWeights.fit(features, labels, ["one patient"] * 16)
    with pytest.raises(TooFewRealClusters, match="every cell"):
        SiteWeights.fit(features, [np.ones_like(each) for each in labels], annotated()[2])
    with pytest.raises(TooFewRealClusters, match="0 cells"):
        SiteWeights.fit([], [], [])


def test_what_does_not_belong_together_is_refused(learnt: SiteWeights) -> None:
    features, labels, patients = annotated()
    with pytest.raises(InvalidSettings, match="15 sets of labels"):
        SiteWeights.fit(features, labels[1:], patients)
    with pytest.raises(InvalidSettings, match="39 labels"):
        SiteWeights.fit(features, [labels[0][1:], *labels[1:]], patients)
    mixed = [table(features[0].values, bins="bins of 25"), *features[1:]]
    with pytest.raises(InvalidSettings, match="different grey-level bins"):
        SiteWeights.fit(mixed, labels, patients)
    with pytest.raises(InvalidSettings, match="bins of 25"):
        rank_cells(mixed[0], "benign", np.random.default_rng(0), SimulationSettings(), weights=learnt)


def test_a_case_follows_learnt_weights_and_its_record_holds_them(host: PhantomView, learnt: SiteWeights) -> None:
    settings = SimulationSettings(site_selection="best", maximum_cells=24)
    call = {"malignancy": "benign", "seed": 3, "lesion_free": True, "settings": settings}
    prior = simulate(host.pair, **call)
    chosen = simulate(host.pair, **call, site_weights=learnt)
    assert prior.record["site"]["weights_from"] == "prior"
    assert chosen.record["site"]["weights_from"] == json.loads(json.dumps(learnt.to_json()))
    assert chosen.record["site"]["score"] != prior.record["site"]["score"]
    assert prior.record["site"]["grey_levels"]["maximum"] == 32


@pytest.mark.parametrize(("levels", "warned"), [(9, True), (16, False), (32, False), (128, False), (180, True)])
def test_an_unusual_number_of_grey_levels_is_told(levels: int, warned: bool) -> None:
    found = grey_level_warnings(table(np.zeros((20, 93)), levels=levels))
    assert bool(found) is warned
    assert all(f"{levels} grey levels" in sentence for sentence in found)


def test_the_area_under_the_curve_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(4)
    scores, wanted = rng.integers(0, 30, 300).astype(float), rng.random(300) < 0.2
    weight = rng.integers(0, 3, 300).astype(float)
    assert _auc(scores, wanted, weight) == pytest.approx(roc_auc_score(wanted, scores, sample_weight=weight), abs=1e-12)
