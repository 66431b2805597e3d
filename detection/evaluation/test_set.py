"""Detection and classification of malignant lesions on one test set (S000, Figure 4)."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from detection.evaluation.dice import credited_dice
from detection.evaluation.errors import EvaluationError, ProtocolMismatch
from detection.evaluation.images import EvaluatedImage
from detection.evaluation.intervals import Interval, auc_interval_of, ratio_interval, undefined
from detection.evaluation.lesion_groups import GROUPS, TYPES_UNKNOWN, Group
from detection.evaluation.matching import ImageMatch, match_many
from detection.evaluation.protocol import Protocol, require_same_protocol
from detection.evaluation.ranked_pairs import RankedPairs
from detection.evaluation.resampling import Ratio, Statistic, Units, replicates
from detection.evaluation.result import FindingRecord, LesionRecord, TestSetResult, ViewRecord
from detection.evaluation.rows_of_group import findings_of, lesions_of, located_in
from detection.finding import Finding
from detection.sample_set import Malignancy

__all__ = [
    "EvaluatedImage",
    "FindingRecord",
    "Group",
    "LesionRecord",
    "TestSetResult",
    "ViewRecord",
    "evaluate",
    "outcomes",
]


def evaluate(images: Sequence[EvaluatedImage], protocol: Protocol, *, groups_known: bool = True) -> TestSetResult:
    """Sensitivity, precision and AUC for malignant lesions, masses and clusters, with intervals.

    Parameters
    ----------
    images : sequence of EvaluatedImage
        Every view of the test set, those without lesions or findings included.
    protocol : Protocol
    groups_known : bool
        False for a test set whose lesions are not typed (the external set of S000): masses and clusters are
        then undefined.

    Returns
    -------
    TestSetResult
        Does not depend on the order of the images.

    Raises
    ------
    EvaluationError
        If images or lesions are listed twice, a finding is not usable, or the protocol needs lesion types
        that are not known.

    Notes
    -----
    Sensitivity: found malignant lesions of the group over all of them; grouped by the type of the lesion
    (`both` counts as cluster, `other` only among all malignant lesions). Precision: true positives over true
    and false positives among kept findings called malignant; grouped by the type the finding says. AUC:
    benign against malignant on the malignancy probability of the kept findings that match a lesion of known
    malignancy by position alone; grouped by the type of the lesion. Missed lesions and findings off any
    lesion are not in the AUC.
    """
    _check(images, protocol, groups_known=groups_known)
    images = sorted(images, key=lambda image: image.sample_id)
    lesions, findings = outcomes(images, protocol)
    patients = [image.patient_id for image in images]
    unit_of = patients if protocol.resampling == "patient" else [image.sample_id for image in images]
    units = Units(unit_of)
    numbers = _Numbers(units, dict(zip((i.sample_id for i in images), unit_of, strict=True)), protocol)
    known = [group for group in GROUPS if groups_known or group == "malignant"]
    for group in known:
        numbers.sensitivity(group, lesions)
        numbers.precision(group, findings, duplicates_as_false=False)
        if protocol.duplicates == "report":
            numbers.precision(group, findings, duplicates_as_false=True)
        numbers.auc(group, findings)
    values = numbers.intervals()
    unknown = undefined(TYPES_UNKNOWN, level=protocol.confidence)

    def gathered(kind: str) -> dict[Group, Interval]:
        return {group: values.get((kind, group), unknown) for group in GROUPS}

    return TestSetResult(
        protocol=protocol,
        test_set_digest=_test_set_digest(images, groups_known=groups_known, outlines=protocol.iou_of == "mask"),
        groups_known=groups_known,
        images=len(images),
        patients=len(set(patients)),
        sensitivity=gathered("sensitivity"),
        precision=gathered("precision"),
        auc=gathered("auc"),
        precision_duplicates_false=gathered("strict precision") if protocol.duplicates == "report" else None,
        units=units.names,
        lesions=lesions,
        findings=findings,
        warnings=_warnings(images, lesions, findings, values, protocol),
        views=_view_records(images, findings),
    )


def outcomes(
    images: Sequence[EvaluatedImage], protocol: Protocol
) -> tuple[tuple[LesionRecord, ...], tuple[FindingRecord, ...]]:
    """What became of every lesion and finding, in the order of the images; without numbers and intervals.

    Raises
    ------
    EvaluationError
        If a finding is not usable.
    """
    matches = match_many(images, protocol)
    return _lesion_records(images, matches, credited_dice(images, matches)), _finding_records(images, matches)


def require_comparable(*results: TestSetResult) -> None:
    """Refuse to set results side by side that differ in protocol or in test set.

    Raises
    ------
    ProtocolMismatch
    """
    require_same_protocol(*results)
    if len({result.test_set_digest for result in results}) > 1:
        raise ProtocolMismatch(
            "These results come from different test sets (other images, patients or lesions) and cannot be "
            "compared. Evaluate all arms on one frozen test set."
        )


class _Numbers:
    """Collects what is to be resampled, so that all numbers share one set of resamples."""

    def __init__(self, units: Units, unit_of_image: Mapping[str, str], protocol: Protocol) -> None:
        self._units = units
        self._position = {name: index for index, name in enumerate(units.names)}
        self._unit_of_image = unit_of_image
        self._protocol = protocol
        self._statistics: dict[tuple[str, Group], Statistic] = {}
        self._finish: dict[tuple[str, Group], Callable[[np.ndarray], Interval]] = {}

    def sensitivity(self, group: Group, lesions: Sequence[LesionRecord]) -> None:
        rows = lesions_of(group, lesions)
        self._ratio(("sensitivity", group), [(row.sample_id, row.outcome == "TP") for row in rows], "no lesions")

    def precision(self, group: Group, findings: Sequence[FindingRecord], *, duplicates_as_false: bool) -> None:
        called = findings_of(group, findings, duplicates_as_false=duplicates_as_false)
        self._ratio(
            ("strict precision" if duplicates_as_false else "precision", group),
            [(row.sample_id, row.outcome == "TP") for row in called],
            "no findings above the threshold",
        )

    def auc(self, group: Group, findings: Sequence[FindingRecord]) -> None:
        rows = located_in(group, findings)
        key = ("auc", group)
        if not rows:
            self._finish[key] = lambda drawn: undefined("no matched findings", level=self._protocol.confidence)
            return
        unit = np.array([self._unit(row.sample_id) for row in rows], dtype=np.intp)
        pairs = RankedPairs(
            np.array([row.localised_malignancy == "malignant" for row in rows]),
            np.array([row.malignancy for row in rows]),
            unit,
        )
        self._statistics[key] = pairs
        self._finish[key] = lambda drawn: auc_interval_of(
            pairs,
            drawn,
            n=len(rows),
            units=np.unique(unit).size,
            unit=self._protocol.resampling,
            level=self._protocol.confidence,
            method=self._protocol.interval,
        )

    def intervals(self) -> dict[tuple[str, Group], Interval]:
        keys = list(self._statistics)
        drawn = replicates(
            [self._statistics[key] for key in keys],
            self._units,
            self._protocol.resamples,
            self._protocol.seed,
        )
        values = dict(zip(keys, drawn, strict=True))
        return {key: finish(values.get(key, np.empty(0))) for key, finish in self._finish.items()}

    def _ratio(self, key: tuple[str, Group], rows: Sequence[tuple[str, bool]], reason: str) -> None:
        above = np.zeros(len(self._units), dtype=np.int64)
        below = np.zeros(len(self._units), dtype=np.int64)
        for sample_id, true in rows:
            below[self._unit(sample_id)] += 1
            above[self._unit(sample_id)] += true
        ratio = Ratio(above, below, Units(self._units.names))
        self._statistics[key] = ratio
        self._finish[key] = lambda drawn: ratio_interval(
            ratio,
            drawn,
            level=self._protocol.confidence,
            unit=self._protocol.resampling,
            undefined_because=reason,
            method=self._protocol.interval,
        )

    def _unit(self, sample_id: str) -> int:
        return self._position[self._unit_of_image[sample_id]]


def _check(images: Sequence[EvaluatedImage], protocol: Protocol, *, groups_known: bool) -> None:
    repeated = [name for name, count in Counter(image.sample_id for image in images).items() if count > 1]
    if repeated:
        raise EvaluationError(f"Image {repeated[0]} is listed more than once; list each view once.")
    for image in images:
        ids = Counter(target.lesion_id for target in image.targets)
        if twice := [lesion for lesion, count in ids.items() if count > 1]:
            raise EvaluationError(
                f"Image {image.sample_id}: lesion {twice[0]} is listed more than once; give each lesion of a "
                "view its own id."
            )
    if not groups_known and protocol.class_aware == "malignancy and type":
        raise EvaluationError(
            "The protocol asks for agreement of lesion types, but the types of this test set are not known. "
            "Choose class_aware 'malignancy'."
        )


def _lesion_records(
    images: Sequence[EvaluatedImage], matches: Sequence[ImageMatch], dice: Mapping[tuple[int, int], float]
) -> tuple[LesionRecord, ...]:
    records = []
    for position, (image, matched) in enumerate(zip(images, matches, strict=True)):
        for lesion, (target, outcome) in enumerate(zip(image.targets, matched.lesions, strict=True)):
            score = None if outcome.finding is None else float(image.findings[outcome.finding].score)
            records.append(
                LesionRecord(
                    sample_id=image.sample_id,
                    patient_id=image.patient_id,
                    lesion_id=target.lesion_id,
                    lesion_type=target.lesion_type,
                    malignancy=target.malignancy,
                    outcome=outcome.outcome,
                    reason=outcome.reason,
                    finding=outcome.finding,
                    score=score,
                    iou=outcome.iou,
                    dice=dice.get((position, lesion)),
                )
            )
    return tuple(records)


def _finding_records(images: Sequence[EvaluatedImage], matches: Sequence[ImageMatch]) -> tuple[FindingRecord, ...]:
    records = []
    for image, matched in zip(images, matches, strict=True):
        for index, (finding, outcome) in enumerate(zip(image.findings, matched.findings, strict=True)):
            lesion = None if outcome.lesion is None else image.targets[outcome.lesion]
            localised = None if outcome.localised is None else image.targets[outcome.localised]
            records.append(
                FindingRecord(
                    sample_id=image.sample_id,
                    patient_id=image.patient_id,
                    finding=index,
                    score=float(finding.score),
                    malignancy=float(finding.malignancy),
                    called_malignant=finding.is_malignant,
                    lesion_type=finding.lesion_type,
                    outcome=outcome.outcome,
                    reason=outcome.reason,
                    lesion_id=lesion.lesion_id if lesion else None,
                    iou=outcome.iou,
                    localised_lesion_id=localised.lesion_id if localised else None,
                    localised_type=localised.lesion_type if localised else None,
                    localised_malignancy=localised.malignancy if localised else None,
                )
            )
    return tuple(records)


def _view_records(images: Sequence[EvaluatedImage], findings: Sequence[FindingRecord]) -> tuple[ViewRecord, ...]:
    highest: dict[str, float] = {}
    for row in findings:
        if row.called_malignant and row.outcome != "below":
            highest[row.sample_id] = max(highest.get(row.sample_id, 0.0), row.score)
    return tuple(
        ViewRecord(
            sample_id=image.sample_id,
            patient_id=image.patient_id,
            breast_id=image.breast_id,
            malignant=_malignant({target.malignancy for target in image.targets}),
            score=highest.get(image.sample_id, 0.0),
        )
        for image in images
    )


def _malignant(present: set[Malignancy]) -> bool | None:
    if "malignant" in present:
        return True
    return None if "unknown" in present else False


def _warnings(
    images: Sequence[EvaluatedImage],
    lesions: Sequence[LesionRecord],
    findings: Sequence[FindingRecord],
    values: Mapping[tuple[str, Group], Interval],
    protocol: Protocol,
) -> tuple[str, ...]:
    messages = []
    if protocol.iou_of == "mask":
        without = sum(not target.polygons for image in images for target in image.targets)
        boxes = sum(not finding.contour for image in images for finding in image.findings)
        if without or boxes:
            messages.append(
                f"{without} lesion(s) and {boxes} finding(s) have no outline: their boxes stand in for their masks."
            )
    empty = sum(1 for image in images for t in image.targets if t.box[0] == t.box[2] or t.box[1] == t.box[3])
    if empty:
        messages.append(f"{empty} lesion box(es) have no area and cannot be found.")
    if unscored := sum(1 for lesion in lesions if lesion.outcome == "unscored"):
        messages.append(
            f"{unscored} lesion(s) of unknown malignancy are not scored; findings on them count neither for "
            "nor against precision."
        )
    if repeats := sum(len(image.findings) - len({_identity(f) for f in image.findings}) for image in images):
        messages.append(f"{repeats} finding(s) repeat another finding of the same image exactly.")
    if duplicates := sum(1 for row in findings if row.outcome == "DUP"):
        messages.append(f"{duplicates} duplicate finding(s) on lesions already found are left out of precision.")
    messages.extend(
        f"{kind}, {group.replace('_', ' ')}: {interval.warning}"
        for (kind, group), interval in values.items()
        if interval.warning
    )
    return tuple(messages)


def _identity(finding: Finding) -> tuple[object, ...]:
    return (*finding.box, finding.score, finding.malignancy, finding.lesion_type)


def _test_set_digest(images: Sequence[EvaluatedImage], *, groups_known: bool, outlines: bool) -> str:
    content = [
        [
            image.sample_id,
            image.patient_id,
            sorted(
                [t.lesion_id, t.lesion_type, t.malignancy, [float(edge) for edge in t.box], *([t.polygons] * outlines)]
                for t in image.targets
            ),
        ]
        for image in images
    ]
    text = json.dumps([groups_known, content], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
