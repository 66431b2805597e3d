"""M5: can a classifier tell synthetic from real lesions; folds and intervals keep patients together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from simulation.randomness import generator
from simulation.realism.statistics import RESAMPLES, Estimate, Sample, estimate, two_sample_estimate

FOLDS = 5


@dataclass(frozen=True)
class ClassifierTest:
    """Result of `classifier_test`.

    Attributes
    ----------
    name : str
    real, synthetic, real_patients, synthetic_patients : int
    forest, regression : Estimate
        Area under the ROC curve of out-of-fold scores. 0.5 means not told apart by this classifier on these features.
    nearest : Estimate
        Share of lesions whose nearest other one, of another patient, has the same label; equal numbers of both.
    null_half_width : float
        Half-width of the 95 % band around 0.5 for independent lesions that do not differ.
    """

    name: str
    real: int
    synthetic: int
    real_patients: int
    synthetic_patients: int
    forest: Estimate
    regression: Estimate
    nearest: Estimate
    null_half_width: float

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Shortcut:
    """One-feature test.

    Attributes
    ----------
    name : str
    auc : Estimate
        At least 0.5: the direction does not matter.
    null_half_width : float
    """

    name: str
    auc: Estimate
    null_half_width: float

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def classifier_test(
    name: str, real: Sample, synthetic: Sample, *, trees: int = 200, resamples: int = RESAMPLES, seed: int = 0
) -> ClassifierTest:
    """Train a random forest and a logistic regression to tell real from synthetic, and test them on other patients.

    Parameters
    ----------
    name : str
    real, synthetic : Sample
        Values of shape (n, features).
    trees : int
    resamples, seed : int

    Raises
    ------
    ValueError
        If a side has fewer than two patients.
    """
    fewest = min(real.patient_count, synthetic.patient_count)
    if fewest < 2:
        raise ValueError("one patient only on a side; training and test cannot be of different patients")
    values = np.concatenate([real.values, synthetic.values])
    labels = np.repeat([0, 1], [real.size, synthetic.size])
    # a patient on both sides stands in one fold, so that no breast is known from training
    groups = np.concatenate([real.patients, synthetic.patients])
    folds = StratifiedGroupKFold(min(FOLDS, fewest), shuffle=True, random_state=seed)
    scores: dict[str, NDArray[np.float64]] = {}
    models = {
        "forest": RandomForestClassifier(
            trees, min_samples_leaf=3, max_features="sqrt", class_weight="balanced", random_state=seed, n_jobs=1
        ),
        "regression": make_pipeline(
            StandardScaler(), LogisticRegression(C=0.1, class_weight="balanced", max_iter=2000, random_state=seed)
        ),
    }
    for kind, model in models.items():
        out = np.full(len(values), np.nan)
        for train, test in folds.split(values, labels, groups):
            if len(np.unique(labels[train])) < 2:
                continue
            fitted = model.fit(values[train], labels[train])
            # scores of different folds share no scale: ranks within the fold do
            out[test] = stats.rankdata(fitted.predict_proba(values[test])[:, 1]) / len(test)
        scores[kind] = out
    sides = {
        kind: (Sample.of(out[labels == 0], real.patients), Sample.of(out[labels == 1], synthetic.patients))
        for kind, out in scores.items()
    }
    return ClassifierTest(
        name,
        real.size,
        synthetic.size,
        real.patient_count,
        synthetic.patient_count,
        two_sample_estimate(auc, *sides["forest"], resamples=resamples, seed=seed),
        two_sample_estimate(auc, *sides["regression"], resamples=resamples, seed=seed),
        _nearest_neighbour(real, synthetic, resamples, seed),
        null_half_width(real.size, synthetic.size),
    )


def shortcut_tests(
    real: dict[str, Sample], synthetic: dict[str, Sample], *, resamples: int = RESAMPLES, seed: int = 0
) -> list[Shortcut]:
    """Area under the ROC curve of each single feature, larger side taken; features without values are left out."""
    found = []
    for name, one in real.items():
        two = synthetic[name]
        if one.size == 0 or two.size == 0:
            continue
        lower = auc(one.values, two.values) < 0.5
        value = two_sample_estimate(_turned_auc if lower else auc, one, two, resamples=resamples, seed=seed)
        found.append(Shortcut(name, value, null_half_width(one.size, two.size)))
    return found


def auc(real: NDArray[np.float64], synthetic: NDArray[np.float64]) -> float:
    """Probability that a synthetic value is above a real one, ties half."""
    ranks = stats.rankdata(np.concatenate([real, synthetic]))
    n, m = len(real), len(synthetic)
    return float((ranks[n:].sum() - m * (m + 1) / 2) / (n * m))


def _turned_auc(real: NDArray[np.float64], synthetic: NDArray[np.float64]) -> float:
    return 1 - auc(real, synthetic)


def null_half_width(real: int, synthetic: int) -> float:
    """1.96 standard deviations of the Mann-Whitney AUC of equal distributions."""
    return float(1.96 * np.sqrt((real + synthetic + 1) / (12 * real * synthetic)))


def _nearest_neighbour(real: Sample, synthetic: Sample, resamples: int, seed: int) -> Estimate:
    """Leave-one-patient-out 1-nearest-neighbour accuracy on equal numbers."""
    rng = generator(seed, "realism", "nearest")
    n = min(real.size, synthetic.size)
    picked = [rng.permutation(side.size)[:n] for side in (real, synthetic)]
    values = np.concatenate([real.values[picked[0]], synthetic.values[picked[1]]])
    values = StandardScaler().fit_transform(values)
    groups = np.concatenate([real.patients[picked[0]], synthetic.patients[picked[1]]])
    labels = np.repeat([0, 1], n)
    right = _same_label(values, labels, groups)
    return estimate(lambda values: float(values.mean()), Sample.of(right, groups), resamples=resamples, seed=seed)


def _same_label(
    values: NDArray[np.float64], labels: NDArray[np.intp], groups: Sequence[str] | NDArray[np.str_]
) -> NDArray[np.bool_]:
    groups = np.asarray(groups)
    largest = int(np.unique(groups, return_counts=True)[1].max())
    reach = min(largest + 1, len(values))
    order = NearestNeighbors(n_neighbors=reach).fit(values).kneighbors(values, return_distance=False)
    right = np.zeros(len(values), bool)
    for index, neighbours in enumerate(order):
        other = neighbours[groups[neighbours] != groups[index]]
        right[index] = other.size > 0 and labels[other[0]] == labels[index]
    return right
