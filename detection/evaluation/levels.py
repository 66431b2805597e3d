"""Numbers per image, breast, patient, lesion, or lesion on a view, from the outcomes of one test set."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from detection.evaluation.errors import EvaluationError
from detection.evaluation.intervals import Interval, auc_interval_of, ratio_interval, undefined
from detection.evaluation.lesion_groups import LESION_TYPES, TYPES_UNKNOWN, Group
from detection.evaluation.linked_lesions import any_malignant, combined, linked_lesions
from detection.evaluation.protocol import Protocol
from detection.evaluation.ranked_pairs import RankedPairs
from detection.evaluation.resampling import Ratio, Statistic, Units, replicates
from detection.evaluation.result import TestSetResult, ViewRecord
from detection.evaluation.rows_of_group import findings_of

UnitLevel = Literal["image", "breast", "patient", "lesion", "lesion on a view"]
LEVELS: tuple[UnitLevel, ...] = get_args(UnitLevel)
OF_LESIONS = frozenset({"lesion", "lesion on a view"})
WITH_NEGATIVES = ("specificity", "accuracy")
NO_NEGATIVES = "lesions have no negatives that could be counted"
WITHOUT_VIEWS = "this result was stored before its views were kept; evaluate the run again"
_NOTHING = {
    "sensitivity": "no positives",
    "specificity": "no negatives",
    "precision": "nothing is called malignant",
    "f1": "no positives, and nothing is called malignant",
    "accuracy": "nothing is scored",
}
_SCORE_WORDS = {
    "max": "the highest over its views",
    "mean": "the mean over its views",
    "noisy-or": "the noisy-or 1 - prod(1 - s) over its views",
}
_LINK_WORDS = {
    "any view": "found when any view that shows it finds it",
    "all views": "found when all views that show it find it",
}


@dataclass(frozen=True)
class Unit:
    """What is counted once at a level.

    Attributes
    ----------
    key : str
        Sample, breast, patient or lesion id.
    patient_id : str
    sample_ids : tuple of str
        Its views, or the views that show the lesion.
    malignant : bool or None
        Truth: any malignant lesion. None where that rests on a lesion of unknown malignancy: not scored.
    score : float
        From 0 to 1; for a lesion the malignancy probability of the findings on it.
    positive : bool
        Called malignant: the score is above the protocol's threshold; for a lesion: found.
    in_auc : bool
        Whether the score is in the AUC: that of a lesion only where a finding matches it by position.
    """

    key: str
    patient_id: str
    sample_ids: tuple[str, ...]
    malignant: bool | None
    score: float
    positive: bool
    in_auc: bool = True


@dataclass(frozen=True)
class LevelNumbers:
    """Numbers of a test set at one level.

    Attributes
    ----------
    level : str
    group : str
        Lesions counted; other than "malignant" only where units are lesions.
    sensitivity, specificity, precision, f1, accuracy, auc : Interval
        Undefined, with the reason, where the level has no such number.
    units : tuple of Unit
        Every unit, those that are not scored too.
    unscored : int
    warnings : tuple of str
    sentence : str
        How it was counted, for captions.
    """

    level: UnitLevel
    group: Group
    sensitivity: Interval
    specificity: Interval
    precision: Interval
    f1: Interval
    accuracy: Interval
    auc: Interval
    units: tuple[Unit, ...]
    unscored: int
    warnings: tuple[str, ...]
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """JSON-ready dictionary with every unit."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Counted:
    """What is to be resampled at one level.

    Attributes
    ----------
    units : tuple of Unit
    ratios : dict from number to Ratio
        By patient; without the numbers that the level does not have.
    pairs : RankedPairs
        Scores of both classes.
    in_auc : (rows,) int
        Patient of each score.
    """

    units: tuple[Unit, ...]
    ratios: dict[str, Ratio]
    pairs: RankedPairs
    in_auc: NDArray[np.intp]


def level_numbers(
    result: TestSetResult, levels: Sequence[UnitLevel] = LEVELS, *, group: Group = "malignant"
) -> dict[UnitLevel, LevelNumbers]:
    """Sensitivity, specificity, precision, F1, accuracy and AUC at each level.

    All levels meet the same resamples of patients: those of the protocol's seed, so that they are also those of the
    main numbers where the protocol resamples patients.

    Parameters
    ----------
    result : TestSetResult
    levels : sequence of {"image", "breast", "patient", "lesion", "lesion on a view"}
    group : {"malignant", "malignant_mass", "malignant_cluster"}
        By type of the lesion, at the two levels of lesions. An image, a breast or a patient is of no one type: its
        numbers are undefined for the other groups.

    Returns
    -------
    dict from level to LevelNumbers

    Raises
    ------
    EvaluationError
        If a level is unknown.

    Notes
    -----
    Images, breasts, patients. Truth: any malignant lesion. The score of a view is the highest of its kept findings
    called malignant, 0 without one, so that all views without one tie; that of a breast or patient follows from its
    views by the protocol's `unit_score`. Positive: score above the protocol's threshold. TP, FP, FN and TN are units;
    sensitivity TP / (TP + FN), specificity TN / (TN + FP), precision TP / (TP + FP), F1 2 TP / (2 TP + FP + FN),
    accuracy (TP + TN) / all; the AUC is that of the scores, ties half.

    Lesions. TP: malignant lesion found; linked over views by the protocol's `linked`. FP: false findings on any view,
    which carry no lesion that could link them. The precision per lesion on a view is the main one, of findings. There
    are no negatives, hence no specificity and no accuracy. The AUC is that of benign against malignant lesions that
    are located, on the malignancy probability of the findings on them, combined over views by `unit_score`; missed
    lesions are not in it (see `end_to_end`).
    """
    if unknown := [level for level in levels if level not in LEVELS]:
        raise EvaluationError(f"Level: expected one of {', '.join(LEVELS)}, found {unknown[0]!r}.")
    patients = Units([view.patient_id for view in result.views])
    found: dict[UnitLevel, Counted] = {}
    numbers: dict[UnitLevel, LevelNumbers] = {}
    for level in levels:
        if reason := why_undefined(result, level, group):
            numbers[level] = _nothing(result, level, group, reason)
        else:
            found[level] = counted(result, level, group, patients)
    statistics: list[Statistic] = []
    for each in found.values():
        statistics += [*each.ratios.values(), each.pairs]
    protocol = result.protocol
    drawn = iter(replicates(statistics, patients, protocol.resamples, protocol.seed))
    for level, each in found.items():
        numbers[level] = _numbers(result, level, group, each, {name: next(drawn) for name in (*each.ratios, "auc")})
    return {level: numbers[level] for level in levels}


def units_of(result: TestSetResult, level: UnitLevel, group: Group = "malignant") -> tuple[Unit, ...]:
    """The units of a level, ordered by key; lesions of other groups left out."""
    protocol = result.protocol
    if level not in OF_LESIONS:
        members: dict[str, list[ViewRecord]] = defaultdict(list)
        for view in result.views:
            members[_key(view, level)].append(view)
        return tuple(_unit_of_views(key, views, protocol) for key, views in sorted(members.items()))
    every = all if protocol.linked == "all views" else any
    return tuple(
        Unit(
            key=lesion.lesion_id,
            patient_id=lesion.patient_id,
            sample_ids=lesion.sample_ids,
            malignant=lesion.malignant,
            score=combined(lesion.located, protocol.unit_score),
            positive=every(lesion.found),
            in_auc=bool(lesion.located),
        )
        for lesion in linked_lesions(result, over_views=level == "lesion")
        if lesion.lesion_type in LESION_TYPES[group]
    )


def _key(view: ViewRecord, level: UnitLevel) -> str:
    if level == "breast":
        return str(view.breast_id)
    return view.patient_id if level == "patient" else view.sample_id


def _unit_of_views(key: str, views: Sequence[ViewRecord], protocol: Protocol) -> Unit:
    score = combined([view.score for view in views], protocol.unit_score)
    return Unit(
        key=key,
        patient_id=views[0].patient_id,
        sample_ids=tuple(view.sample_id for view in views),
        malignant=any_malignant([view.malignant for view in views]),
        score=score,
        positive=score > protocol.score_above,
    )


def why_undefined(result: TestSetResult, level: UnitLevel, group: Group = "malignant") -> str | None:
    """Why a stored result has no numbers of a group at a level; None where it has."""
    if not result.images:
        return "the test set has no views"
    if not result.views:
        return WITHOUT_VIEWS
    if level == "breast" and (unknown := sum(view.breast_id is None for view in result.views)):
        return f"the breast of {unknown} view(s) is not known"
    if group == "malignant":
        return None
    if level not in OF_LESIONS:
        return f"a whole {level} is not of one lesion type"
    return None if result.groups_known else TYPES_UNKNOWN


def counted(result: TestSetResult, level: UnitLevel, group: Group, patients: Units) -> Counted:
    """Counts and scores of a level by patient; `patients` are those of all views."""
    units = units_of(result, level, group)
    position = {name: index for index, name in enumerate(patients.names)}
    scored = [unit for unit in units if unit.malignant is not None]
    patient = np.array([position[unit.patient_id] for unit in scored], dtype=np.intp)
    truth = np.array([unit.malignant for unit in scored], dtype=bool)
    positive = np.array([unit.positive for unit in scored], dtype=bool)
    scores = np.array([unit.score for unit in scored], dtype=np.float64)
    ranked = np.array([unit.in_auc for unit in scored], dtype=bool)

    def by_patient(rows: Sequence[int] | NDArray[np.intp]) -> NDArray[np.int64]:
        return np.bincount(np.asarray(rows, dtype=np.intp), minlength=len(patients)).astype(np.int64)

    tp, fn = by_patient(patient[truth & positive]), by_patient(patient[truth & ~positive])
    fp, tn = by_patient(patient[~truth & positive]), by_patient(patient[~truth & ~positive])
    right = tp
    if level in OF_LESIONS:
        called = findings_of(group, result.findings)
        fp = by_patient([position[row.patient_id] for row in called if row.outcome == "FP"])
        if level == "lesion on a view":
            right = by_patient([position[row.patient_id] for row in called if row.outcome == "TP"])
    counts = {
        "sensitivity": (tp, tp + fn),
        "specificity": (tn, tn + fp),
        "precision": (right, right + fp),
        "f1": (2 * tp, 2 * tp + fp + fn),
        "accuracy": (tp + tn, tp + tn + fp + fn),
    }
    rows = Units(patients.names)
    return Counted(
        units=units,
        ratios={
            name: Ratio(above, below, rows)
            for name, (above, below) in counts.items()
            if level not in OF_LESIONS or name not in WITH_NEGATIVES
        },
        pairs=RankedPairs(truth[ranked], scores[ranked], patient[ranked]),
        in_auc=patient[ranked],
    )


def _numbers(
    result: TestSetResult, level: UnitLevel, group: Group, found: Counted, drawn: dict[str, NDArray[np.float64]]
) -> LevelNumbers:
    protocol = result.protocol
    share = protocol.confidence
    values = dict.fromkeys(WITH_NEGATIVES, undefined(NO_NEGATIVES, level=share))
    for name, ratio in found.ratios.items():
        values[name] = ratio_interval(
            ratio, drawn[name], level=share, undefined_because=_NOTHING[name], method=protocol.interval
        )
    # TP stand twice in the ratio, and once among the rows
    values["f1"] = replace(values["f1"], n=values["f1"].n - (values["f1"].numerator or 0) // 2)
    if level in OF_LESIONS and not found.in_auc.size:
        values["auc"] = undefined("no lesion of known malignancy is located", level=share)
    else:
        values["auc"] = auc_interval_of(
            found.pairs,
            drawn["auc"],
            n=found.in_auc.size,
            units=np.unique(found.in_auc).size,
            unit="patient",
            level=share,
            method=protocol.interval,
        )
    unscored = sum(unit.malignant is None for unit in found.units)
    warnings = [f"{name}: {interval.warning}" for name, interval in values.items() if interval.warning]
    if unscored:
        warnings.insert(0, f"{unscored} {level}(s) of unknown malignancy are not scored.")
    return LevelNumbers(
        level=level,
        group=group,
        **values,
        units=found.units,
        unscored=unscored,
        warnings=tuple(warnings),
        sentence=_sentence(protocol, level),
    )


def _nothing(result: TestSetResult, level: UnitLevel, group: Group, reason: str) -> LevelNumbers:
    number = undefined(reason, level=result.protocol.confidence)
    return LevelNumbers(
        level, group, number, number, number, number, number, number, (), 0, (), _sentence(result.protocol, level)
    )


def shared_words(protocol: Protocol, *, of_lesions: bool) -> str:
    """The rule that both levels of lesions share, or that images, breasts and patients share, without a full stop."""
    if of_lesions:
        return protocol.matching_words()
    return (
        "truth: any malignant lesion; score: the highest of the findings called malignant on a view, 0 without one; "
        f"called malignant when score > {protocol.score_above:g}; {protocol.kept_words()}"
    )


def own_words(protocol: Protocol, level: UnitLevel) -> str:
    """What a level adds to `shared_words`, without a full stop; empty where it adds nothing."""
    if level == "lesion":
        return f"{_LINK_WORDS[protocol.linked]}; false findings are counted on each view"
    if level in {"breast", "patient"}:
        return f"score of the {level}: {_SCORE_WORDS[protocol.unit_score]}"
    return ""


def _sentence(protocol: Protocol, level: UnitLevel) -> str:
    shared, own = shared_words(protocol, of_lesions=level in OF_LESIONS), own_words(protocol, level)
    parts = (f"Counted per {level}", own, shared, protocol.interval_words("patient"))
    return f"{'; '.join(filter(None, parts))}."
