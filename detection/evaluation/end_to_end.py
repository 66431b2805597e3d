"""Classification of what was located, beside what that is worth when missed lesions count.

A classifier judged on located lesions alone (the automatic segmentations of S004) looks better than the system that
includes the detector: 150 of 171 located malignant patients are 87.7 %, but 179 were malignant.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection.evaluation.errors import EvaluationError
from detection.evaluation.intervals import (
    Interval,
    auc_interval_of,
    proportion_interval,
    ratio_interval,
    undefined,
)
from detection.evaluation.lesion_groups import LESION_TYPES, TYPES_UNKNOWN, Group
from detection.evaluation.levels import LEVELS, OF_LESIONS, UnitLevel, why_undefined
from detection.evaluation.linked_lesions import LinkedLesion, any_malignant, combined, linked_lesions
from detection.evaluation.protocol import Protocol
from detection.evaluation.ranked_pairs import RankedPairs
from detection.evaluation.resampling import Ratio, Statistic, Units, replicates
from detection.evaluation.result import TestSetResult


@dataclass(frozen=True)
class SideBySide:
    """A share of one class, with and without what was not located.

    Attributes
    ----------
    located : Interval
        Located / all.
    conditional : Interval
        Classified right / located.
    end_to_end : Interval
        Right / all. What is not located is not called malignant: wrong if malignant, right if benign.
    """

    located: Interval
    conditional: Interval
    end_to_end: Interval


@dataclass(frozen=True)
class Classification:
    """Classification of the lesions of a test set at one level.

    Attributes
    ----------
    level, group : str
    sensitivity, specificity : SideBySide
        Over units with a malignant lesion, and over units with benign lesions alone.
    auc_conditional, auc_end_to_end : Interval
        Of located units, and of all with a score of 0 where nothing is located.
    unscored : int
        Units of unknown malignancy.
    sentence : str
    """

    level: UnitLevel
    group: Group
    sensitivity: SideBySide
    specificity: SideBySide
    auc_conditional: Interval
    auc_end_to_end: Interval
    unscored: int
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """JSON-ready dictionary with every field."""
        return asdict(self)


def side_by_side(right: int, located: int, units: int, *, malignant: bool = True, level: float = 0.95) -> SideBySide:
    """The three shares from published counts, with Wilson intervals.

    Parameters
    ----------
    right : int
        Located and classified right.
    located, units : int
    malignant : bool
        Whether the units are malignant; else those not located count as right.

    Raises
    ------
    EvaluationError
        If the counts are not 0 <= right <= located <= units.
    """
    if not 0 <= right <= located <= units:
        raise EvaluationError(f"Counts: expected 0 <= right <= located <= units, found {right}, {located} and {units}.")
    missed = 0 if malignant else units - located
    return SideBySide(
        proportion_interval(located, units, level=level),
        proportion_interval(right, located, level=level),
        proportion_interval(right + missed, units, level=level),
    )


def located_words(protocol: Protocol) -> str:
    """When a lesion is located, without a full stop."""
    return (
        f"located when score > {protocol.score_above:g} and {protocol.overlap_words()}, whatever the class; "
        f"{protocol.kept_words()}"
    )


def classification(result: TestSetResult, level: UnitLevel, *, group: Group = "malignant") -> Classification:
    """Sensitivity, specificity and AUC of located lesions, and end to end, on the same resamples of patients.

    A lesion is located when a kept finding matches it by position alone; it is called what that finding says. Linked
    over views, `linked` of the protocol says on how many it must be located, and called malignant. An image, breast or
    patient with a malignant lesion is located when one of its malignant lesions is, and right when one of these is
    called malignant; with benign lesions alone it is located when one of them is, and right when none is called
    malignant. Units without lesions do not count. Scores are combined over views or lesions by `unit_score`.

    Sensitivity end to end may differ from the main one: there, a second finding on the place may be credited whose
    class agrees.

    Raises
    ------
    EvaluationError
        If the level is unknown.
    """
    if level not in LEVELS:
        raise EvaluationError(f"Level: expected one of {', '.join(LEVELS)}, found {level!r}.")
    protocol = result.protocol
    sentence = (
        f"Classification per {level}: of located lesions alone, and end to end with the others as not malignant; "
        f"{located_words(protocol)}; {protocol.interval_words('patient')}."
    )
    reason = why_undefined(result, level)
    if group != "malignant" and not result.groups_known:
        reason = TYPES_UNKNOWN
    if reason:
        number = undefined(reason, level=protocol.confidence)
        nothing = SideBySide(number, number, number)
        return Classification(level, group, nothing, nothing, number, number, 0, sentence)
    units = _units(result, level, group)
    scored = [unit for unit in units if unit.malignant is not None]
    patients = Units([view.patient_id for view in result.views])
    position = {name: index for index, name in enumerate(patients.names)}
    patient = np.array([position[unit.patient_id] for unit in scored], dtype=np.intp)
    truth = np.array([unit.malignant for unit in scored], dtype=bool)
    located = np.array([unit.located for unit in scored], dtype=bool)
    called = np.array([unit.called for unit in scored], dtype=bool)
    score = np.array([unit.score for unit in scored], dtype=np.float64)

    def ratio(above: NDArray[np.bool_], below: NDArray[np.bool_]) -> Ratio:
        counts = [np.bincount(patient[rows], minlength=len(patients)).astype(np.int64) for rows in (above, below)]
        return Ratio(counts[0], counts[1], Units(patients.names))

    def pairs(rows: NDArray[np.bool_]) -> tuple[RankedPairs, int, int]:
        return RankedPairs(truth[rows], score[rows], patient[rows]), int(rows.sum()), np.unique(patient[rows]).size

    ratios = []
    for of_class, right in ((truth, located & called), (~truth, ~(located & called))):
        ratios += [
            (ratio(of_class & located, of_class), f"no {level} of this class"),
            (ratio(of_class & located & right, of_class & located), "nothing is located"),
            (ratio(of_class & right, of_class), f"no {level} of this class"),
        ]
    ranked = [pairs(located), pairs(np.ones_like(located))]
    statistics: list[Statistic] = [one for one, _ in ratios]
    statistics += [one for one, _, _ in ranked]
    drawn = replicates(statistics, patients, protocol.resamples, protocol.seed)
    shares = [
        ratio_interval(one, drawn[index], level=protocol.confidence, undefined_because=reason, method=protocol.interval)
        for index, (one, reason) in enumerate(ratios)
    ]
    aucs = [
        auc_interval_of(
            one,
            drawn[len(ratios) + index],
            n=rows,
            units=contributing,
            unit="patient",
            level=protocol.confidence,
            method=protocol.interval,
        )
        for index, (one, rows, contributing) in enumerate(ranked)
    ]
    return Classification(
        level=level,
        group=group,
        sensitivity=SideBySide(*shares[:3]),
        specificity=SideBySide(*shares[3:]),
        auc_conditional=aucs[0],
        auc_end_to_end=aucs[1],
        unscored=len(units) - len(scored),
        sentence=sentence,
    )


@dataclass(frozen=True)
class _Classified:
    patient_id: str
    malignant: bool | None
    located: bool
    called: bool
    score: float


def _units(result: TestSetResult, level: UnitLevel, group: Group) -> list[_Classified]:
    rule = result.protocol.unit_score
    lesions = [
        lesion
        for lesion in linked_lesions(result, over_views=level == "lesion")
        if lesion.lesion_type in LESION_TYPES[group]
    ]
    if level in OF_LESIONS:
        every = result.protocol.linked == "all views"
        return [
            _Classified(
                lesion.patient_id,
                lesion.malignant,
                len(lesion.located) == len(lesion.sample_ids) if every else bool(lesion.located),
                all(lesion.calls) if every else any(lesion.calls),
                combined(lesion.located, rule),
            )
            for lesion in lesions
        ]
    breast = {view.sample_id: view.breast_id for view in result.views}
    members: dict[str | None, list[LinkedLesion]] = defaultdict(list)
    for lesion in lesions:
        sample = lesion.sample_ids[0]
        members[{"image": sample, "breast": breast[sample]}.get(level, lesion.patient_id)].append(lesion)
    units = []
    for _, within in sorted(members.items(), key=lambda item: str(item[0])):
        malignant = any_malignant([lesion.malignant for lesion in within])
        counted: Sequence[LinkedLesion] = [lesion for lesion in within if not malignant or lesion.malignant]
        scores = [score for lesion in counted for score in lesion.located]
        units.append(
            _Classified(
                within[0].patient_id,
                malignant,
                bool(scores),
                any(any(lesion.calls) for lesion in counted),
                combined(scores, rule),
            )
        )
    return units
