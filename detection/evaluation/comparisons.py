"""Differences between two arms on one test set, paired over patients."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from detection.evaluation.errors import EvaluationError
from detection.evaluation.hypothesis_tests import TestResult, mcnemar
from detection.evaluation.intervals import Interval, bootstrap_interval, standard_error, undefined
from detection.evaluation.lesion_groups import GROUPS, Group
from detection.evaluation.ranked_pairs import RankedPairs
from detection.evaluation.resampling import Ratio, Statistic, Units, replicates
from detection.evaluation.result import FindingRecord, LesionRecord, TestSetResult
from detection.evaluation.rows_of_group import findings_of, lesions_of, located_in
from detection.evaluation.test_set import require_comparable

METRICS = ("sensitivity", "precision", "auc")
_TEST_WORDS = {
    "logit-t": "t test with their standard error",
    "percentile": "p from the share of resamples on either side of 0",
}


@dataclass(frozen=True)
class Difference:
    """One number of an arm minus that of a reference arm.

    Attributes
    ----------
    metric : {"sensitivity", "precision", "auc"}
    group : {"malignant", "malignant_mass", "malignant_cluster"}
    interval : Interval
        Of the difference: both arms on the same resamples of patients; `n` is the fewest rows of any of the runs.
    test : TestResult
        Two-sided; how, follows from the protocol (see `mean_differences`).
    """

    metric: str
    group: Group
    interval: Interval
    test: TestResult

    def to_json(self) -> dict[str, Any]:
        """JSON-ready dictionary."""
        return {
            "metric": self.metric,
            "group": self.group,
            "interval": self.interval.to_json(),
            "test": self.test.to_json(),
        }


@dataclass(frozen=True)
class NonInferiority:
    """Whether an arm is no worse than the reference by more than a margin fixed beforehand.

    Attributes
    ----------
    margin : float
    lower : float or None
        One-sided bound of the difference.
    level : float
        Of the one-sided bound.
    holds : bool or None
        lower > -margin; None where undefined.
    reason : str or None
    """

    margin: float
    lower: float | None
    level: float
    holds: bool | None
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """JSON-ready dictionary with every field."""
        return asdict(self)


@dataclass(frozen=True)
class GainsAndLosses:
    """Malignant lesions by what the two arms found.

    Attributes
    ----------
    gained, lost, both, neither : tuple of (sample_id, lesion_id)
        Gained: found by the arm and not by the reference.
    patients : TestResult
        McNemar's test over patients with any lesion of the group found (units are patients, so that views of one
        patient do not count twice).
    """

    gained: tuple[tuple[str, str], ...]
    lost: tuple[tuple[str, str], ...]
    both: tuple[tuple[str, str], ...]
    neither: tuple[tuple[str, str], ...]
    patients: TestResult


def paired_differences(arm: TestSetResult, reference: TestSetResult) -> list[Difference]:
    """Every number of `arm` minus the same of `reference`, on the same resamples of patients.

    As `mean_differences` with one pair.

    Raises
    ------
    ProtocolMismatch
        If the results come from different protocols or test sets.
    """
    return mean_differences([arm], [reference])


def require_paired(arms: Sequence[TestSetResult], references: Sequence[TestSetResult]) -> None:
    """Refuse runs of an arm and of a reference that are no pairs on one test set under one protocol.

    Raises
    ------
    EvaluationError
        If there are no pairs, or the two lists differ in length.
    ProtocolMismatch
        If the results come from different protocols or test sets.
    """
    if not arms or len(arms) != len(references):
        raise EvaluationError(
            f"Differences: expected as many runs of the arm as of the reference, found {len(arms)} and "
            f"{len(references)}."
        )
    require_comparable(*arms, *references)


def mean_differences(
    arms: Sequence[TestSetResult],
    references: Sequence[TestSetResult],
    *,
    only: Collection[tuple[str, Group]] | None = None,
) -> list[Difference]:
    """Differences averaged over the seeds of training: the mean over pairs of a number of `arms` minus `references`.

    All runs share the resamples of patients, so that the interval is that of the test set; what chance in training
    adds is not in it. Resamples, seed, level and interval follow the protocol. `logit-t`: d +- t s with the standard
    error s of the resamples, and p from Student's t of d / s with one degree of freedom less than patients contribute
    (see `intervals.bootstrap_interval`). `percentile`: p = 2 min((#{d* <= 0} + 1), (#{d* >= 0} + 1)) / (B + 1), at
    most 1 (Davison and Hinkley 1997, section 4.4, inverted percentile interval). Correct several with `holm`.

    Parameters
    ----------
    arms, references : sequences of TestSetResult, of equal length
        The runs of an arm and of the reference, paired by seed.
    only : collection of (metric, group), optional
        Leave out the others.

    Raises
    ------
    EvaluationError
        If there are no pairs, or the two lists differ in length.
    ProtocolMismatch
        If the results come from different protocols or test sets.
    """
    require_paired(arms, references)
    first = arms[0]
    units = Units(first.units)
    keys = [
        (metric, group)
        for metric in METRICS
        for group in GROUPS
        if (first.groups_known or group == "malignant") and (only is None or (metric, group) in only)
    ]
    pairs = [
        [[Number.of(result, metric, group, units) for result in pair] for pair in zip(arms, references, strict=True)]
        for metric, group in keys
    ]
    protocol = first.protocol
    numbers = [number for of_key in pairs for pair in of_key for number in pair]
    drawn = replicates([number.statistic for number in numbers], units, protocol.resamples, protocol.seed)
    by_key = drawn.reshape(len(keys), len(arms), 2, protocol.resamples) if keys else drawn
    return [
        difference_of(metric, group, pairs[i], (by_key[i, :, 0] - by_key[i, :, 1]).mean(axis=0), first)
        for i, (metric, group) in enumerate(keys)
    ]


@dataclass(frozen=True, eq=False)
class Number:
    """A number of one arm, and the same for any resample of patients.

    Attributes
    ----------
    value : float or None
    statistic : Statistic
    rows : int
    contributing : frozenset of int
        Units with a row.
    """

    value: float | None
    statistic: Statistic
    rows: int
    contributing: frozenset[int]

    @classmethod
    def of(cls, result: TestSetResult, metric: str, group: Group, units: Units) -> Number:
        """The sensitivity, precision or AUC of a group."""
        position = {name: index for index, name in enumerate(units.names)}
        by_patient = result.protocol.resampling == "patient"

        def unit(row: LesionRecord | FindingRecord) -> int:
            return position[row.patient_id if by_patient else row.sample_id]

        if metric == "auc":
            located = located_in(group, result.findings)
            pairs = RankedPairs(
                np.array([row.localised_malignancy == "malignant" for row in located], dtype=bool),
                np.array([row.malignancy for row in located], dtype=np.float64),
                np.array([unit(row) for row in located], dtype=np.intp),
            )
            return cls(pairs.value(), pairs, len(located), frozenset(map(unit, located)))
        rows: Sequence[LesionRecord | FindingRecord] = (
            lesions_of(group, result.lesions) if metric == "sensitivity" else findings_of(group, result.findings)
        )
        above, below = np.zeros(len(units), np.int64), np.zeros(len(units), np.int64)
        for row in rows:
            below[unit(row)] += 1
            above[unit(row)] += row.outcome == "TP"
        value = float(above.sum() / below.sum()) if rows else None
        return cls(value, Ratio(above, below, Units(units.names)), len(rows), frozenset(map(unit, rows)))


def difference_of(
    metric: str, group: Group, pairs: Sequence[Sequence[Number]], drawn: NDArray[np.float64], arm: TestSetResult
) -> Difference:
    """The mean difference over pairs (arm, reference), from its (resamples,) values `drawn`."""
    unit, level, rule = arm.protocol.resampling, arm.protocol.confidence, arm.protocol.interval
    # a difference rests on no more than its weaker side
    rows = min(number.rows for pair in pairs for number in pair)
    method = f"paired bootstrap of {unit}s, {_TEST_WORDS[rule]}"
    differences = [
        first.value - second.value for first, second in pairs if first.value is not None and second.value is not None
    ]
    if len(differences) < len(pairs):
        width = undefined("the number is undefined in an arm", n=rows, level=level)
        return Difference(metric, group, width, TestResult(None, None, method, rows, width.reason))
    contributing = len(frozenset().union(*(number.contributing for pair in pairs for number in pair)))
    value = float(np.mean(differences))
    width = bootstrap_interval(
        value, drawn, n=rows, units=contributing, unit=unit, level=level, method=rule, scale="difference"
    )
    if width.low is None:
        return Difference(metric, group, width, TestResult(value, None, method, rows, width.reason))
    if rule == "logit-t":
        statistic = value / standard_error(drawn, contributing)
        p_value = float(2 * stdtr(contributing - 1, -abs(statistic)))
        return Difference(metric, group, width, TestResult(statistic, p_value, method, rows))
    kept = drawn[~np.isnan(drawn)]
    tail = min(int((kept <= 0).sum()), int((kept >= 0).sum())) + 1
    return Difference(metric, group, width, TestResult(value, min(1.0, 2 * tail / (kept.size + 1)), method, rows))


def non_inferiority(difference: Difference, margin: float) -> NonInferiority:
    """One-sided test from the lower end of the two-sided interval: a 95 % interval gives a one-sided 97.5 % bound.

    Raises
    ------
    EvaluationError
        If the margin is not positive.
    """
    if not margin > 0:
        raise EvaluationError(f"Non-inferiority: expected a margin above 0, found {margin:g}.")
    interval = difference.interval
    level = (1 + interval.level) / 2
    if interval.low is None:
        return NonInferiority(margin, None, level, None, interval.reason)
    return NonInferiority(margin, interval.low, level, interval.low > -margin)


def gains_and_losses(arm: TestSetResult, reference: TestSetResult, group: Group = "malignant") -> GainsAndLosses:
    """Lesions that one arm found and the other did not.

    Raises
    ------
    ProtocolMismatch
        If the results come from different protocols or test sets.
    """
    require_comparable(arm, reference)
    hits = [{(row.sample_id, row.lesion_id): row.outcome == "TP" for row in r.lesions} for r in (arm, reference)]
    rows = lesions_of(group, arm.lesions)
    sorted_into: defaultdict[tuple[bool, bool], list[tuple[str, str]]] = defaultdict(list)
    patients: dict[str, list[bool]] = {}
    for row in rows:
        key = (row.sample_id, row.lesion_id)
        outcome = (hits[0][key], hits[1][key])
        sorted_into[outcome].append(key)
        seen = patients.setdefault(row.patient_id, [False, False])
        seen[0] |= outcome[0]
        seen[1] |= outcome[1]
    outcomes = np.array([patients[name] for name in sorted(patients)], dtype=bool).reshape(-1, 2)
    return GainsAndLosses(
        gained=tuple(sorted_into[True, False]),
        lost=tuple(sorted_into[False, True]),
        both=tuple(sorted_into[True, True]),
        neither=tuple(sorted_into[False, False]),
        patients=mcnemar(outcomes[:, 0], outcomes[:, 1]),
    )
