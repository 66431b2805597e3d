"""Sensitivity within parts of a test set, and differences between arms there."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from dataclasses import replace
from typing import TypeVar

import numpy as np

from detection.evaluation.comparisons import Difference, Number, difference_of
from detection.evaluation.hypothesis_tests import TestResult
from detection.evaluation.intervals import Interval, ratio_interval, undefined
from detection.evaluation.lesion_groups import TYPES_UNKNOWN, Group
from detection.evaluation.resampling import Ratio, Units, replicates
from detection.evaluation.result import TestSetResult
from detection.evaluation.rows_of_group import lesions_of
from detection.evaluation.test_set import require_comparable

Key = TypeVar("Key", bound=Hashable)
Members = Mapping[Key, Collection[tuple[str, str]]]
"""(sample_id, lesion_id) of the lesion views in each subgroup; lesions of other groups are left out."""


def sensitivities(result: TestSetResult, members: Members[Key], group: Group = "malignant") -> dict[Key, Interval]:
    """Sensitivity in each subgroup, all on the resamples of the main numbers.

    A resample without a lesion of the subgroup leaves its sensitivity undefined there; such resamples are skipped and
    counted (`Interval.skipped`). Masses and clusters are undefined where lesions are not typed.
    """
    units = Units(result.units)
    protocol = result.protocol
    if group != "malignant" and not result.groups_known:
        return dict.fromkeys(members, undefined(TYPES_UNKNOWN, level=protocol.confidence))
    position = {name: index for index, name in enumerate(units.names)}
    ratios: dict[Key, Ratio] = {}
    for key, wanted in members.items():
        above, below = np.zeros(len(units), np.int64), np.zeros(len(units), np.int64)
        for row in lesions_of(group, result.lesions):
            if (row.sample_id, row.lesion_id) in wanted:
                unit = position[row.patient_id if protocol.resampling == "patient" else row.sample_id]
                below[unit] += 1
                above[unit] += row.outcome == "TP"
        ratios[key] = Ratio(above, below, Units(units.names))
    drawn = replicates(list(ratios.values()), units, protocol.resamples, protocol.seed)
    return {
        key: ratio_interval(
            ratio,
            of_key,
            level=protocol.confidence,
            unit=protocol.resampling,
            undefined_because="no lesions",
            method=protocol.interval,
        )
        for (key, ratio), of_key in zip(ratios.items(), drawn, strict=True)
    }


def differences(
    arm: TestSetResult, reference: TestSetResult, members: Members[Key], group: Group = "malignant"
) -> dict[Key, Difference]:
    """Sensitivity of `arm` minus that of `reference` in each subgroup, paired over patients.

    Subgroups are not drawn at random and are many: correct the p values over all of them, and call them exploratory.

    Raises
    ------
    ProtocolMismatch
        If the results come from different protocols or test sets.
    """
    require_comparable(arm, reference)
    if group != "malignant" and not arm.groups_known:
        nothing = undefined(TYPES_UNKNOWN, level=arm.protocol.confidence)
        test = TestResult(None, None, "", 0, nothing.reason)
        return dict.fromkeys(members, Difference("sensitivity", group, nothing, test))
    units = Units(arm.units)
    numbers = {
        key: [
            Number.of(
                replace(
                    result, lesions=tuple(row for row in result.lesions if (row.sample_id, row.lesion_id) in wanted)
                ),
                "sensitivity",
                group,
                units,
            )
            for result in (arm, reference)
        ]
        for key, wanted in members.items()
    }
    protocol = arm.protocol
    statistics = [number.statistic for pair in numbers.values() for number in pair]
    drawn = replicates(statistics, units, protocol.resamples, protocol.seed)
    return {
        key: difference_of("sensitivity", group, [pair], drawn[2 * i] - drawn[2 * i + 1], arm)
        for i, (key, pair) in enumerate(numbers.items())
    }
