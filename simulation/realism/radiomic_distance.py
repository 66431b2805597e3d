"""M3 and M4: are synthetic textures within the range of real ones, and how far is their distribution."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf

from simulation.randomness import generator
from simulation.realism.statistics import RESAMPLES, Estimate, Sample

Features = NDArray[np.float64]
BAND = (2.5, 97.5)
SPLITS = 50


@dataclass(frozen=True)
class Coverage:
    """M3: share of synthetic values within the middle 95 % of real ones, for each feature.

    Attributes
    ----------
    median : Estimate
        Over features; nominal value 0.95.
    reference : float
        The same for each real patient against the others: what this many real lesions can reach.
    worst : tuple of (str, float)
        The five features with the lowest share.
    """

    median: Estimate
    reference: float
    worst: tuple[tuple[str, float], ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True)
class RadiomicDistance:
    """M4: Frechet distance of the feature distributions, with equal numbers on every side.

    Attributes
    ----------
    synthetic : Estimate
        Real against synthetic: mean and 2.5-97.5 % range over random splits by patient.
    floor : Estimate
        Real against real.
    ratio : Estimate
        Synthetic over floor; a target of at most 2 has been proposed.
    lesions : int
        On each side of each distance.
    features : int
        That vary.
    """

    synthetic: Estimate
    floor: Estimate
    ratio: Estimate
    lesions: int
    features: int

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def coverage(
    real: Sample, synthetic: Sample, names: tuple[str, ...], *, resamples: int = RESAMPLES, seed: int = 0
) -> Coverage:
    """Share of synthetic values inside the 2.5-97.5 % band of the real ones."""
    shares = _shares(real.values, synthetic.values)
    rng = generator(seed, "realism", "coverage")
    drawn = [float(np.median(_shares(real.resampled(rng), synthetic.resampled(rng)))) for _ in range(resamples)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    patients = np.unique(real.patients)
    left_out = [
        _shares(real.values[real.patients != patient], real.values[real.patients == patient])
        for patient in patients
        if len(patients) > 1
    ]
    order = np.argsort(shares)[:5]
    return Coverage(
        Estimate(float(np.median(shares)), float(low), float(high)),
        float(np.median(np.mean(left_out, axis=0))) if left_out else float("nan"),
        tuple((names[i], float(shares[i])) for i in order),
    )


def radiomic_distance(real: Sample, synthetic: Sample, *, splits: int = SPLITS, seed: int = 0) -> RadiomicDistance:
    """Frechet distance of synthetic to real features against that of real to real ones.

    Both are measured between sets of equal size, half the real lesions split by patient, because the distance grows
    as sets get smaller. Features are standardised on all real lesions; those that do not vary are left out.

    Raises
    ------
    ValueError
        If there are fewer than two real patients, or too few lesions to split.
    """
    varies = real.values.std(0) > 1e-12
    centre, scale = real.values[:, varies].mean(0), real.values[:, varies].std(0)
    one, other = (real.values[:, varies] - centre) / scale, (synthetic.values[:, varies] - centre) / scale
    patients = np.unique(real.patients)
    if len(patients) < 2:
        raise ValueError("one real patient only: the distance of real to real lesions cannot be measured")
    rng = generator(seed, "realism", "splits")
    rows = []
    smallest = len(one)
    for _ in range(splits):
        half = rng.permutation(patients)[: len(patients) // 2]
        side = np.isin(real.patients, half)
        n = min(int(side.sum()), int((~side).sum()), len(other))
        if n < 3:
            continue
        smallest = min(smallest, n)
        first, second = rng.permutation(one[side])[:n], rng.permutation(one[~side])[:n]
        third = rng.permutation(other)[:n]
        floor = frechet_distance(first, second)
        distance = (frechet_distance(first, third) + frechet_distance(second, third)) / 2
        rows.append((distance, floor, distance / max(floor, 1e-12)))
    if not rows:
        raise ValueError(f"{len(one)} real and {len(other)} synthetic lesions are too few to split by patient")
    columns = np.array(rows).T
    synthetic_distance, floor_distance, ratio = (
        Estimate(float(c.mean()), *(float(v) for v in np.percentile(c, [2.5, 97.5]))) for c in columns
    )
    return RadiomicDistance(synthetic_distance, floor_distance, ratio, smallest, int(varies.sum()))


def frechet_distance(one: Features, two: Features) -> float:
    """Frechet distance of two sets taken as Gaussian, with Ledoit-Wolf covariances.

    Parameters
    ----------
    one, two : ndarray of float64, shape (lesions, features)
    """
    return frechet_distance_of_gaussians(one.mean(0), ledoit_wolf(one)[0], two.mean(0), ledoit_wolf(two)[0])


def frechet_distance_of_gaussians(
    mean_one: Features, covariance_one: Features, mean_two: Features, covariance_two: Features
) -> float:
    """sqrt(|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2))) (Dowson and Landau 1982)."""
    values, vectors = np.linalg.eigh(covariance_one)
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    cross = np.sqrt(np.clip(np.linalg.eigvalsh(root @ covariance_two @ root), 0, None)).sum()
    squared = ((mean_one - mean_two) ** 2).sum() + np.trace(covariance_one) + np.trace(covariance_two) - 2 * cross
    return float(np.sqrt(max(float(squared), 0.0)))


def _shares(real: Features, synthetic: Features) -> NDArray[np.float64]:
    low, high = np.percentile(real, BAND, axis=0)
    return np.asarray(((synthetic >= low) & (synthetic <= high)).mean(0), dtype=np.float64)
