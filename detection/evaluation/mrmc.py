"""Multi-reader multi-case analysis of variance (Obuchowski and Rockette 1995; Hillis 2007)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from detection.evaluation.auc_covariance import AUCCovariance, delong, obuchowski
from detection.evaluation.errors import EvaluationError
from detection.evaluation.intervals import checked_level

_ROUNDING = 1e-15
"""Variances of AUCs below are what rounding leaves of none."""


@dataclass(frozen=True)
class ReaderStudy:
    """Outcome of `obuchowski_rockette`: random readers and random cases.

    Attributes
    ----------
    auc : tuple of tuple of float
        [treatment][reader].
    means : tuple of float
        Mean over readers of each treatment.
    error_variance, covariance_1, covariance_2, covariance_3 : float
        Mean variance; mean covariance of one reader under two treatments, of two readers under one treatment, and of
        two readers under two treatments.
    f, degrees_numerator, degrees_denominator, p_value : float
        Hillis' F test that all treatments are equal.
    difference, low, high : float
        First treatment minus second, with its interval.
    level : float
    """

    auc: tuple[tuple[float, ...], ...]
    means: tuple[float, ...]
    error_variance: float
    covariance_1: float
    covariance_2: float
    covariance_3: float
    f: float
    degrees_numerator: int
    degrees_denominator: float
    p_value: float
    difference: float
    low: float
    high: float
    level: float

    def to_json(self) -> dict[str, Any]:
        """JSON-ready dictionary with every field."""
        return asdict(self)


def obuchowski_rockette(
    labels: ArrayLike,
    scores: ArrayLike,
    *,
    groups: Sequence[str] | None = None,
    level: float = 0.95,
) -> ReaderStudy:
    """Compare treatments (for example without and with AI) read by the same readers on the same cases.

    AUCs and their fixed-reader covariance (DeLong; Obuchowski's for clustered cases) enter the mixed model of
    Obuchowski and Rockette; F = MS(T) / (MS(TR) + max(r (Cov2 - Cov3), 0)) with Hillis' degrees of freedom
    (Stat Med 2007; 26: 596).

    Parameters
    ----------
    labels : (cases,) bool, or 0 and 1
    scores : (treatments, readers, cases) float
        Complete: every reader rates every case under every treatment.
    groups : sequence of str, optional
        Patient of each case where patients have several.
    level : float

    Raises
    ------
    EvaluationError
        If the shape is another one, fewer than two treatments or readers are given, a class is missing, or the
        design is so degenerate that no test exists.
    """
    checked_level(level)
    try:
        ratings = np.asarray(scores, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise EvaluationError(
            f"Reader study: every reader rates every case under every treatment, with a number; {error}."
        ) from error
    if ratings.ndim != 3 or min(ratings.shape[:2], default=0) < 2:
        raise EvaluationError(
            "Reader study: expected scores of shape (treatments, readers, cases) with at least two treatments and two "
            f"readers, found {ratings.shape}."
        )
    t, r, _ = ratings.shape
    flat = ratings.reshape(t * r, -1)
    fixed = delong(labels, *flat) if groups is None else obuchowski(labels, *flat, groups=groups)
    if not isinstance(fixed, AUCCovariance):
        raise EvaluationError(f"Reader study: {fixed.reason}; cases of both classes are needed.")
    theta = fixed.values.reshape(t, r)
    variance, same_reader, same_treatment, neither = _mean_covariances(fixed.covariance.reshape(t, r, t, r))
    grand, of_treatment, of_reader = theta.mean(), theta.mean(1), theta.mean(0)
    between = r * float(((of_treatment - grand) ** 2).sum()) / (t - 1)
    residual = theta - of_treatment[:, None] - of_reader[None, :] + grand
    interaction = float((residual**2).sum()) / ((t - 1) * (r - 1))
    denominator = interaction + max(r * (same_treatment - neither), 0.0)
    if denominator <= _ROUNDING:
        raise EvaluationError("Reader study: readers and cases show no variance, so that no test exists.")
    # no interaction at all leaves the cases as the only source of error
    some = interaction > _ROUNDING * denominator
    degrees = denominator**2 / (interaction**2 / ((t - 1) * (r - 1))) if some else float("inf")
    statistic = between / denominator
    difference = float(of_treatment[0] - of_treatment[1])
    quantile = float(stats.t.ppf((1 + level) / 2, degrees))
    half = quantile * float(np.sqrt(2 / r * denominator))
    p_value = (
        stats.f.sf(statistic, t - 1, degrees) if np.isfinite(degrees) else stats.chi2.sf(statistic * (t - 1), t - 1)
    )
    return ReaderStudy(
        auc=tuple(tuple(float(value) for value in row) for row in theta),
        means=tuple(float(value) for value in of_treatment),
        error_variance=variance,
        covariance_1=same_reader,
        covariance_2=same_treatment,
        covariance_3=neither,
        f=statistic,
        degrees_numerator=t - 1,
        degrees_denominator=degrees,
        p_value=float(p_value),
        difference=difference,
        low=difference - half,
        high=difference + half,
        level=level,
    )


def _mean_covariances(covariance: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Means over equal pairs, one reader, one treatment, and neither in common; covariance is (t, r, t, r)."""
    t, r = covariance.shape[:2]
    treatment = np.eye(t, dtype=bool)[:, None, :, None]
    reader = np.eye(r, dtype=bool)[None, :, None, :]
    whole = np.ones(covariance.shape, dtype=bool)
    return (
        float(covariance[treatment & reader & whole].mean()),
        float(covariance[~treatment & reader & whole].mean()),
        float(covariance[treatment & ~reader & whole].mean()),
        float(covariance[~treatment & ~reader & whole].mean()),
    )
