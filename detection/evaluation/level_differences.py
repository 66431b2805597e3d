"""Differences between arms at any level, paired over patients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from detection.evaluation.comparisons import Difference, Number, difference_of, require_paired
from detection.evaluation.errors import EvaluationError
from detection.evaluation.hypothesis_tests import TestResult
from detection.evaluation.intervals import undefined
from detection.evaluation.lesion_groups import Group
from detection.evaluation.levels import LEVELS, NO_NEGATIVES, Counted, UnitLevel, counted, why_undefined
from detection.evaluation.resampling import Ratio, Units, replicates
from detection.evaluation.result import TestSetResult

METRICS = ("sensitivity", "specificity", "precision", "f1", "accuracy", "auc")


def level_differences(
    arms: Sequence[TestSetResult],
    references: Sequence[TestSetResult],
    levels: Sequence[UnitLevel] = LEVELS,
    *,
    group: Group = "malignant",
) -> dict[UnitLevel, list[Difference]]:
    """Numbers of `levels` of an arm minus those of the reference, averaged over pairs of runs.

    As `comparisons.mean_differences`, with the numbers of `levels.level_numbers`; whole patients are drawn. Correct
    several of them with `hypothesis_tests.holm`, or mark them as exploratory.

    Parameters
    ----------
    arms, references : sequences of TestSetResult, of equal length
        Runs of the arm and of the reference, paired by seed.
    levels : sequence of {"image", "breast", "patient", "lesion", "lesion on a view"}
    group : {"malignant", "malignant_mass", "malignant_cluster"}

    Returns
    -------
    dict from level to list of Difference
        One for each of `METRICS`, undefined with the reason where the level does not have it.

    Raises
    ------
    EvaluationError
        If a level is unknown, there are no pairs, or the two lists differ in length.
    ProtocolMismatch
        If the results come from different protocols or test sets.
    """
    if unknown := [level for level in levels if level not in LEVELS]:
        raise EvaluationError(f"Level: expected one of {', '.join(LEVELS)}, found {unknown[0]!r}.")
    require_paired(arms, references)
    first = arms[0]
    # whatever the protocol resamples for the main numbers
    by_patient = replace(first, protocol=replace(first.protocol, resampling="patient"))
    patients = Units([view.patient_id for view in first.views])
    differences: dict[UnitLevel, list[Difference]] = {}
    for level in levels:
        reasons = [why_undefined(result, level, group) for result in (*arms, *references)]
        if reason := next((one for one in reasons if one), None):
            differences[level] = [_undefined(metric, group, reason, first) for metric in METRICS]
            continue
        runs = [
            [counted(result, level, group, patients) for result in pair] for pair in zip(arms, references, strict=True)
        ]
        metrics = [metric for metric in METRICS if metric == "auc" or metric in runs[0][0].ratios]
        numbers = {metric: [[_number(run, metric) for run in pair] for pair in runs] for metric in metrics}
        statistics = [number.statistic for pairs in numbers.values() for pair in pairs for number in pair]
        drawn = replicates(statistics, patients, first.protocol.resamples, first.protocol.seed)
        by_metric = dict(zip(metrics, drawn.reshape(len(metrics), len(runs), 2, -1), strict=True))
        differences[level] = [
            difference_of(
                metric,
                group,
                numbers[metric],
                (by_metric[metric][:, 0] - by_metric[metric][:, 1]).mean(axis=0),
                by_patient,
            )
            if metric in numbers
            else _undefined(metric, group, NO_NEGATIVES, first)
            for metric in METRICS
        ]
    return differences


def _number(run: Counted, metric: str) -> Number:
    if metric == "auc":
        return Number(run.pairs.value(), run.pairs, run.in_auc.size, frozenset(run.in_auc.tolist()))
    ratio: Ratio = run.ratios[metric]
    above, below = int(ratio.numerator.sum()), int(ratio.denominator.sum())
    # as in `levels`: TP stand twice in the ratio, and once among the rows
    rows = below - above // 2 if metric == "f1" else below
    return Number(above / below if below else None, ratio, rows, frozenset(np.flatnonzero(ratio.denominator).tolist()))


def _undefined(metric: str, group: Group, reason: str, result: TestSetResult) -> Difference:
    width = undefined(reason, level=result.protocol.confidence)
    return Difference(metric, group, width, TestResult(None, None, "", 0, width.reason))
