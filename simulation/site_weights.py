"""Weights of the ranking learnt from real clusters: cells that hold one against cells of the same images without."""

from __future__ import annotations

import json
from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulation.errors import InvalidSettings, TooFewRealClusters
from simulation.randomness import generator
from simulation.robust_scale import robust_z
from simulation.texture import FEATURE_NAMES, CellFeatures

SCHEMA = "cemlab.site-weights/1"
MINIMUM_CELLS = 20
MINIMUM_PATIENTS = 5
FOLDS = 5
INNER_FOLDS = 3
# strength of the regularisation, from strong to weak (scikit-learn's C)
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1)
RESAMPLES = 500


@dataclass(frozen=True)
class SiteWeights:
    """Weights of the features, and how well they told cells with clusters from others on patients left out.

    Attributes
    ----------
    weights : dict of str to float
        For robust z values within an image (`simulation.robust_scale.robust_z`); all 93 features.
    bins : str
        Grey-level bins of the features they were fitted on (`CellFeatures.bins`).
    images, patients, cells, cells_with_clusters : int
    strength : float
        Chosen regularisation (C).
    auc, auc_low, auc_high : float
        Area under the ROC curve, cross-validated by patient (the regularisation chosen anew in each fold); interval
        from the 2.5 to the 97.5 percentile over resampled patients.
    """

    weights: dict[str, float]
    bins: str
    images: int
    patients: int
    cells: int
    cells_with_clusters: int
    strength: float
    auc: float
    auc_low: float
    auc_high: float

    def __post_init__(self) -> None:
        unknown = sorted(set(self.weights) - set(FEATURE_NAMES))
        if unknown:
            raise InvalidSettings(f"site weights name features that are not known: {', '.join(unknown[:3])}")
        if not self.weights or not np.isfinite(list(self.weights.values())).all():
            raise InvalidSettings("site weights must be finite numbers, at least one")

    @classmethod
    def fit(
        cls,
        features: Sequence[CellFeatures],
        contains_cluster: Sequence[NDArray[np.bool_]],
        groups: Sequence[Hashable],
        *,
        seed: int = 0,
    ) -> SiteWeights:
        """Logistic regression over cells, each image scaled by itself, regularised by cross-validation over patients.

        Parameters
        ----------
        features : sequence of CellFeatures
            One for each image, with the same bins.
        contains_cluster : sequence of ndarray of bool, shape (cells,)
            Whether each cell of the image holds a real cluster.
        groups : sequence
            Patient of each image.
        seed : int
            Of the resampling.

        Raises
        ------
        TooFewRealClusters
            Below 20 cells with clusters or 5 patients with such cells.
        InvalidSettings
            If the sequences do not belong together or the bins differ.
        """
        from threadpoolctl import threadpool_limits

        table, wanted, patient = _table(features, contains_cluster, groups)
        with_clusters = int(wanted.sum())
        patients_with = len(np.unique(patient[wanted]))
        if with_clusters < MINIMUM_CELLS or patients_with < MINIMUM_PATIENTS:
            raise TooFewRealClusters(
                f"{with_clusters} cells with real clusters of {patients_with} patients; at least {MINIMUM_CELLS} cells "
                f"of {MINIMUM_PATIENTS} patients are needed. Annotate more, or keep the default weights"
            )
        if wanted.all():
            raise TooFewRealClusters("every cell holds a cluster; cells without one are needed to learn from")
        folds = _folds(wanted, patient, FOLDS)
        scores = np.empty(len(wanted))
        # one thread: the order of a sum must not depend on the machine
        with threadpool_limits(1):
            for fold in range(FOLDS):
                rows, left_out = folds != fold, folds == fold
                found = _regression(table[rows], wanted[rows], patient[rows])
                scores[left_out] = found.decision_function(table[left_out])
            chosen = _regression(table, wanted, patient)
        replicates = []
        rng = generator(seed, "site weights", "bootstrap")
        _, number = np.unique(patient, return_inverse=True)
        for _ in range(RESAMPLES):
            times = np.bincount(rng.integers(number.max() + 1, size=number.max() + 1), minlength=number.max() + 1)
            weight = times[number].astype(np.float64)
            if weight[wanted].any() and weight[~wanted].any():
                replicates.append(_auc(scores, wanted, weight))
        low, high = np.percentile(replicates, (2.5, 97.5))
        return cls(
            weights=dict(zip(FEATURE_NAMES, chosen.best_estimator_.coef_[0].tolist(), strict=True)),
            bins=features[0].bins,
            images=len(features),
            patients=len(np.unique(patient)),
            cells=len(wanted),
            cells_with_clusters=with_clusters,
            strength=float(chosen.best_params_["C"]),
            auc=_auc(scores, wanted, np.ones(len(wanted))),
            auc_low=float(low),
            auc_high=float(high),
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values with the schema name."""
        return {"schema": SCHEMA, **asdict(self)}

    @classmethod
    def from_json(cls, body: dict[str, Any] | str) -> SiteWeights:
        """Read what `to_json` wrote.

        Raises
        ------
        InvalidSettings
            If it is something else.
        """
        try:
            values = json.loads(body) if isinstance(body, str) else dict(body)
            if values.pop("schema", None) != SCHEMA:
                raise InvalidSettings(f"these are no site weights; the schema {SCHEMA} is expected")
            values["weights"] = {str(name): float(weight) for name, weight in values["weights"].items()}
            return cls(**values)
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            raise InvalidSettings(f"site weights cannot be read: {error}") from error


def _table(
    features: Sequence[CellFeatures], contains_cluster: Sequence[NDArray[np.bool_]], groups: Sequence[Hashable]
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.int64]]:
    """Scaled features, labels and patient number of all cells."""
    if not len(features) == len(contains_cluster) == len(groups):
        raise InvalidSettings(
            f"{len(features)} images, {len(contains_cluster)} sets of labels and {len(groups)} patients; "
            "each image needs its labels and its patient"
        )
    for image, labels in zip(features, contains_cluster, strict=True):
        if len(image.values) != len(labels):
            raise InvalidSettings(f"an image has {len(image.values)} cells and {len(labels)} labels")
    if len({image.bins for image in features}) > 1:
        raise InvalidSettings("the images were measured with different grey-level bins; measure them alike")
    if not features:
        return np.empty((0, len(FEATURE_NAMES))), np.empty(0, bool), np.empty(0, np.int64)
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    return (
        np.concatenate([robust_z(image.values) for image in features]),
        np.concatenate([np.asarray(labels, dtype=bool) for labels in contains_cluster]),
        np.concatenate([np.full(len(x.values), numbers[group]) for x, group in zip(features, groups, strict=True)]),
    )


def _regression(table: NDArray[np.float64], wanted: NDArray[np.bool_], patient: NDArray[np.int64]) -> Any:
    """Fitted scikit-learn search over the regularisation, cross-validated by patient."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, PredefinedSplit

    model = LogisticRegression(class_weight="balanced", solver="newton-cholesky")
    folds = _folds(wanted, patient, min(INNER_FOLDS, len(np.unique(patient[wanted]))))
    search = GridSearchCV(model, {"C": STRENGTHS}, scoring="roc_auc", cv=PredefinedSplit(folds))
    return search.fit(table, wanted)


def _auc(scores: NDArray[np.float64], wanted: NDArray[np.bool_], weight: NDArray[np.float64]) -> float:
    """Area under the ROC curve of weighted cells; ties count half."""
    _, rank = np.unique(scores, return_inverse=True)
    with_cluster = np.bincount(rank, weights=weight * wanted)
    without = np.bincount(rank, weights=weight * ~wanted)
    below = np.cumsum(without) - without / 2
    return float(with_cluster @ below / (with_cluster.sum() * without.sum()))


def _folds(wanted: NDArray[np.bool_], patient: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Fold of each cell; patients stay together, and those with clusters are dealt out evenly."""
    patients, number = np.unique(patient, return_inverse=True)
    clusters = np.bincount(number, weights=wanted, minlength=len(patients))
    fold = np.empty(len(patients), np.int64)
    fold[np.argsort(-clusters, kind="stable")] = np.arange(len(patients)) % count
    return np.asarray(fold[number])
