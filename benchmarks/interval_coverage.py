"""How often 95 % intervals hold the truth when a patient has several views; prints a table and exits 1 on a miss.

Run from the repository root: ``python -m benchmarks.interval_coverage`` (about ten minutes of one core; ``--studies
200`` for a quick look). Each row is a simulated situation: patients, views of each, intraclass correlation, truth.
Columns: the default interval (`logit-t`, patients resampled), the percentiles of the same resamples, and the naive
interval that takes views as independent (Wilson for shares, DeLong for AUCs, resampled views for FROC and AP). The
default must hold the truth in 95 % of the studies, give or take 2 points and twice the error of the simulation;
not so for AP, which is too high itself in small test sets.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from detection.evaluation.afroc import Ratings, figure_of_merit
from detection.evaluation.average_precision import RECALL_LEVELS, average_precision
from detection.evaluation.froc import CPM_POINTS, froc_curve
from detection.evaluation.images import EvaluatedImage
from detection.evaluation.intervals import Interval, Scale, bootstrap_interval, proportion_interval, ratio_interval
from detection.evaluation.marks import Marks
from detection.evaluation.protocol import IntervalMethod, Protocol, ResamplingUnit
from detection.evaluation.ranked_pairs import RankedPairs
from detection.evaluation.resampling import Ratio, Units, replicates
from detection.evaluation.roc import delong

RESAMPLES = 500
FALSE_MARKS = 2.0
"""False marks a view, on average, where marks are simulated."""
LESIONS = 1.0
"""Lesions a view, on average, there."""
BIASED = frozenset({"AP"})
"""Estimates that are too high with few lesions: the highest precision at a recall or above is taken."""
METHODS: tuple[IntervalMethod, ...] = ("logit-t", "percentile")
Intervals = dict[str, Interval]


@dataclass(frozen=True)
class Situation:
    """One row of the table.

    Attributes
    ----------
    number : str
        A key of `STUDIES`.
    patients : int
    views : tuple of int
        Views (for precision: findings) of a patient, each number as likely.
    icc : float
        Intraclass correlation of outcomes (shares) or of scores given the class (AUC).
    truth : float
    """

    number: str
    patients: int
    views: tuple[int, ...]
    icc: float
    truth: float


SITUATIONS = (
    *(
        Situation(number, patients, views, icc, truth)
        for number, views in (("sensitivity", (2,)), ("precision", (1, 2, 3, 4, 8)))
        for patients in (30, 60, 280)
        for icc, truth in ((0.3, 0.7), (0.6, 0.85))
    ),
    *(
        Situation("AUC", patients, (2,), icc, truth)
        for patients in (40, 80, 280)
        for icc, truth in ((0.3, 0.75), (0.6, 0.87))
    ),
    Situation("AUC", 80, (1, 2, 4), 0.6, 0.8),
    *(Situation("wAFROC", patients, (2, 4), 0.5, truth) for patients, truth in ((40, 0.8), (80, 0.7), (280, 0.8))),
    *(
        Situation(number, patients, (2, 4), 0.5, truth)
        for number, truth in (("FROC at 1", 0.8), ("CPM", 0.8), ("AP", 0.6))
        for patients in (40, 280)
    ),
    *(Situation("difference of sensitivities", patients, (2,), 0.5, 0.1) for patients in (30, 80, 280)),
    *(Situation("difference of AUCs", patients, (2,), 0.6, 0.05) for patients in (40, 80, 280)),
)


def main() -> int:
    """Simulate every situation; exit status 1 where the default interval of an unbiased number does not cover."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--studies", type=int, default=2000)
    studies = parser.parse_args().studies
    slack = 0.02 + 2 * math.sqrt(0.95 * 0.05 / studies)
    print(
        f"{studies} studies a row, {RESAMPLES} resamples of patients; error of a share {100 * (slack - 0.02) / 2:.1f} %"
    )
    print(f"{'number':28s} patients  views       ICC  truth   logit-t  percentile  naive")
    missed = 0
    for situation in SITUATIONS:
        covered = coverage(situation, studies, seed=0)
        missed += situation.number not in BIASED and abs(covered["logit-t"] - 0.95) > slack
        views = ",".join(map(str, situation.views))
        print(
            f"{situation.number:28s} {situation.patients:8d}  {views:10s} {situation.icc:4.1f}  {situation.truth:5.2f}"
            f"  {covered['logit-t']:8.1%}  {covered['percentile']:10.1%}  {covered['naive']:5.1%}",
            flush=True,
        )
    print(f"outside 95 % +- 2: {missed} of {len(SITUATIONS)}")
    return 1 if missed else 0


def coverage(situation: Situation, studies: int, *, seed: int) -> dict[str, float]:
    """Share of simulated studies whose interval holds the truth, by method; one without ends does not hold it."""
    rng = np.random.default_rng([seed, situation.patients, round(100 * situation.truth), round(100 * situation.icc)])
    study = STUDIES[situation.number]
    held = dict.fromkeys((*METHODS, "naive"), 0)
    for number in range(studies):
        for method, interval in study(situation, rng, number).items():
            if interval.low is not None and interval.high is not None:
                held[method] += interval.low <= situation.truth <= interval.high
    return {method: count / studies for method, count in held.items()}


def share(situation: Situation, rng: np.random.Generator, seed: int) -> Intervals:
    """Views of a patient are found with the patient's own probability, from a beta distribution."""
    group = _groups(situation, rng)
    outcome = rng.random(group.size) < _probabilities(situation, rng, situation.truth)[group]
    units = _units(group)
    ratio = Ratio(outcome.astype(np.int64), np.ones(group.size, np.int64), units)
    drawn = replicates([ratio], units, RESAMPLES, seed)[0]
    naive = proportion_interval(int(outcome.sum()), outcome.size)
    return {method: ratio_interval(ratio, drawn, level=0.95, method=method) for method in METHODS} | {"naive": naive}


def area(situation: Situation, rng: np.random.Generator, seed: int) -> Intervals:
    """Half of the patients are malignant, a tenth of views is of the other class; views share a patient effect."""
    group, labels, effect = _classes(situation, rng)
    distance = math.sqrt(2) * float(ndtri(situation.truth))
    scores = distance * labels + _scores(situation, rng, effect)
    units = _units(group)
    pairs = RankedPairs(labels, scores, units.row)
    drawn = replicates([pairs], units, RESAMPLES, seed)[0]
    return _both(pairs.value() or 0.0, drawn, situation, "share") | {"naive": _naive_area(labels, scores)}


def alternative_area(situation: Situation, rng: np.random.Generator, seed: int) -> Intervals:
    """Half of the views have one to three lesions; ratings of cases and lesions share a patient effect."""
    group = _groups(situation, rng)
    effect = math.sqrt(situation.icc) * rng.normal(size=situation.patients)
    lesions = rng.integers(1, 4, group.size) * (rng.random(group.size) < 0.5)
    case = np.repeat(np.arange(group.size), lesions)
    distance = math.sqrt(2) * float(ndtri(situation.truth))
    rated = Ratings(
        false=_scores(situation, rng, effect[group]),
        lesion_free=lesions == 0,
        lesion=distance + _scores(situation, rng, effect[group[case]]),
        case=case,
        weight=1.0 / lesions[case],
    )
    units = _units(group)
    pairs = figure_of_merit(rated, "wAFROC", units.row)
    drawn = replicates([pairs], units, RESAMPLES, seed)[0]
    labels = np.arange(case.size + int(rated.lesion_free.sum())) < case.size
    naive = _naive_area(labels, np.concatenate([rated.lesion, rated.false[rated.lesion_free]]))
    return _both(pairs.value() or 0.0, drawn, situation, "share") | {"naive": naive}


def froc_point(situation: Situation, rng: np.random.Generator, seed: int) -> Intervals:
    """Sensitivity at one false positive a view."""
    return _from_marks(situation, rng, seed, lambda at: _found(at, np.array([1.0]))[0])


def froc_mean(situation: Situation, rng: np.random.Generator, seed: int) -> Intervals:
    """Mean sensitivity over the points of the CPM."""
    return _from_marks(situation, rng, seed, lambda at: float(_found(at, np.array(CPM_POINTS)).mean()))


def mean_precision(situation: Situation, rng: np.random.Generator, seed: int) -> Intervals:
    """Average precision of the same marks; the precision of the population falls with recall."""

    def population(distance: float) -> float:
        found = LESIONS * RECALL_LEVELS
        false = FALSE_MARKS * ndtr(ndtri(RECALL_LEVELS) - distance)
        return float(np.divide(found, found + false, out=np.ones(found.size), where=found > 0).mean())

    return _from_marks(situation, rng, seed, population)


def difference_of_shares(situation: Situation, rng: np.random.Generator, seed: int) -> Intervals:
    """Two arms on the same views; both depend on one latent probability of the view's patient."""
    group = _groups(situation, rng)
    high = 0.75 + situation.truth / 2
    latent = math.sqrt(situation.icc) * rng.normal(size=situation.patients)[group]
    both = latent + math.sqrt(0.3 * (1 - situation.icc)) * rng.normal(size=group.size)
    own = math.sqrt(0.7 * (1 - situation.icc))
    found = [both + own * rng.normal(size=group.size) < float(ndtri(rate)) for rate in (high, high - situation.truth)]
    units = _units(group)
    ones = np.ones(group.size, np.int64)
    arms = [Ratio(arm.astype(np.int64), ones, units) for arm in found]
    drawn = replicates(arms, units, RESAMPLES, seed)
    rates = [float(arm.mean()) for arm in found]
    value = rates[0] - rates[1]
    half = 1.96 * math.sqrt(sum(rate * (1 - rate) for rate in rates) / group.size)
    naive = Interval(value, value - half, value + half, group.size, "two independent samples of views")
    return _both(value, drawn[0] - drawn[1], situation, "difference") | {"naive": naive}


def difference_of_areas(situation: Situation, rng: np.random.Generator, seed: int) -> Intervals:
    """Two arms score the same views and share the effect of the patient."""
    group, labels, effect = _classes(situation, rng)
    arms = [
        math.sqrt(2) * float(ndtri(truth)) * labels + _scores(situation, rng, effect)
        for truth in (0.8 + situation.truth, 0.8)
    ]
    units = _units(group)
    pairs = [RankedPairs(labels, scores, units.row) for scores in arms]
    drawn = replicates(pairs, units, RESAMPLES, seed)
    value = (pairs[0].value() or 0.0) - (pairs[1].value() or 0.0)
    covariance = delong(labels, *arms)
    naive = covariance if isinstance(covariance, Interval) else covariance.difference()[0]
    return _both(value, drawn[0] - drawn[1], situation, "difference") | {"naive": naive}


STUDIES: dict[str, Callable[[Situation, np.random.Generator, int], Intervals]] = {
    "sensitivity": share,
    "precision": share,
    "AUC": area,
    "wAFROC": alternative_area,
    "FROC at 1": froc_point,
    "CPM": froc_mean,
    "AP": mean_precision,
    "difference of sensitivities": difference_of_shares,
    "difference of AUCs": difference_of_areas,
}


def _groups(situation: Situation, rng: np.random.Generator) -> NDArray[np.intp]:
    """Patient of each view."""
    return np.repeat(np.arange(situation.patients), rng.choice(situation.views, situation.patients))


def _units(group: NDArray[np.intp]) -> Units:
    return Units([f"p{index:05d}" for index in group])


def _probabilities(situation: Situation, rng: np.random.Generator, mean: float) -> NDArray[np.float64]:
    """Of each patient; the intraclass correlation of a beta-binomial is 1 / (a + b + 1)."""
    total = (1 - situation.icc) / situation.icc
    return rng.beta(mean * total, (1 - mean) * total, situation.patients)


def _classes(
    situation: Situation, rng: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.bool_], NDArray[np.float64]]:
    """Patient and class of each view, and the effect of its patient on scores."""
    group = _groups(situation, rng)
    malignant = rng.permutation(situation.patients) < situation.patients // 2
    labels = malignant[group] ^ (rng.random(group.size) < 0.1)
    return group, labels, math.sqrt(situation.icc) * rng.normal(size=situation.patients)[group]


def _scores(situation: Situation, rng: np.random.Generator, effect: NDArray[np.float64]) -> NDArray[np.float64]:
    return effect + math.sqrt(1 - situation.icc) * rng.normal(size=effect.size)


def _found(distance: float, rates: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lesions found in the population at so many false positives a view; scores of lesions are `distance` higher."""
    return np.asarray(ndtr(distance + ndtri(np.minimum(rates / FALSE_MARKS, 1.0))))


def _from_marks(
    situation: Situation, rng: np.random.Generator, seed: int, population: Callable[[float], float]
) -> Intervals:
    """Intervals of a number of marked lesions and false marks, whose scores share the effect of the patient.

    `population` gives the number from the distance of the scores of lesions and false marks; the distance is the one
    that gives the truth of the situation.
    """
    distance = brentq(lambda at: population(at) - situation.truth, -5.0, 5.0)
    group = _groups(situation, rng)
    effect = math.sqrt(situation.icc) * rng.normal(size=situation.patients)[group]
    views = np.arange(group.size)
    lesions, false = (np.repeat(views, rng.poisson(mean, group.size)) for mean in (LESIONS, FALSE_MARKS))
    image = np.concatenate([lesions, false])
    true = np.arange(image.size) < lesions.size
    scores = distance * true + _scores(situation, rng, effect[image])
    order = np.argsort(-scores)
    marks = Marks(
        scores=scores[order],
        true=true[order],
        image=image[order],
        lesion=np.where(true, np.arange(image.size), -1)[order],
        lesion_image=lesions,
        lesion_id=tuple(map(str, range(lesions.size))),
    )
    images = [EvaluatedImage(f"v{view:05d}", f"p{patient:05d}", (), ()) for view, patient in enumerate(group)]

    def interval(method: IntervalMethod, unit: ResamplingUnit) -> Interval:
        protocol = Protocol(interval=method, resampling=unit, resamples=RESAMPLES, seed=seed)
        if situation.number == "AP":
            return average_precision(images, protocol, marks=marks).interval
        curve = froc_curve(images, protocol, marks=marks)
        return curve.cpm if situation.number == "CPM" else curve.points[CPM_POINTS.index(1.0)].sensitivity

    return {method: interval(method, "patient") for method in METHODS} | {"naive": interval("logit-t", "image")}


def _naive_area(labels: NDArray[np.bool_], scores: NDArray[np.float64]) -> Interval:
    covariance = delong(labels, scores)
    if isinstance(covariance, Interval):
        return covariance
    value, half = float(covariance.values[0]), 1.96 * math.sqrt(float(covariance.covariance[0, 0]))
    return Interval(value, value - half, value + half, labels.size, "DeLong, views as independent")


def _both(value: float, drawn: NDArray[np.float64], situation: Situation, scale: Scale) -> Intervals:
    return {
        method: bootstrap_interval(
            value,
            drawn,
            n=situation.patients,
            units=situation.patients,
            unit="patient",
            level=0.95,
            method=method,
            scale=scale,
        )
        for method in METHODS
    }


if __name__ == "__main__":
    sys.exit(main())
