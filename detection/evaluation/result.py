"""What an evaluation leaves behind: numbers, and the cases behind each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from detection.evaluation.errors import EvaluationError
from detection.evaluation.intervals import Interval
from detection.evaluation.lesion_groups import Group
from detection.evaluation.matching import FindingReason, FindingResult, LesionResult, MissReason
from detection.evaluation.protocol import Protocol, digest_of
from detection.sample_set import Malignancy

SCHEMA = "cemlab.test-set-result/3"
EARLIER = frozenset({"cemlab.test-set-result/2"})
"""Schemas that are still read: without Dice, and without views."""


@dataclass(frozen=True)
class ViewRecord:
    """One view of the test set.

    Attributes
    ----------
    sample_id, patient_id : str
    breast_id : str or None
        One breast in one exam; None where it is not known.
    malignant : bool or None
        Whether a malignant lesion is on it. None where that rests on a lesion of unknown malignancy: there is one,
        and no malignant lesion.
    score : float
        Highest score of its kept findings called malignant; 0 without one.
    """

    sample_id: str
    patient_id: str
    breast_id: str | None
    malignant: bool | None
    score: float


@dataclass(frozen=True)
class LesionRecord:
    """One lesion on one view and what became of it (see `matching.LesionOutcome`).

    `finding` is the index in the findings of the image as given: the one credited or, for a missed lesion,
    the highest-scoring one that explains `reason`; `score` is its score. `dice` is the Dice coefficient of the
    outlines of lesion and credited finding; None for a lesion that is not found, or where either has no outline.
    """

    sample_id: str
    patient_id: str
    lesion_id: str
    lesion_type: str
    malignancy: Malignancy
    outcome: LesionResult
    reason: MissReason | None
    finding: int | None
    score: float | None
    iou: float
    dice: float | None = None


@dataclass(frozen=True)
class FindingRecord:
    """One finding and what became of it (see `matching.FindingOutcome`).

    `lesion_type` is what the finding says; `localised_*` describe the lesion matched by position alone, which
    gives the label of the finding in the AUC.
    """

    sample_id: str
    patient_id: str
    finding: int
    score: float
    malignancy: float
    called_malignant: bool
    lesion_type: str
    outcome: FindingResult
    reason: FindingReason | None
    lesion_id: str | None
    iou: float
    localised_lesion_id: str | None
    localised_type: str | None
    localised_malignancy: Malignancy | None


@dataclass(frozen=True)
class TestSetResult:
    """Sensitivity, precision and AUC of one detector on one test set, with all they rest on.

    Attributes
    ----------
    protocol : Protocol
    test_set_digest : str
        SHA-256 of images, patients and lesions (not of findings): equal for arms on one test set.
    groups_known : bool
        Whether lesions are typed.
    images, patients : int
    sensitivity, precision, auc : dict from group to Interval
    precision_duplicates_false : dict from group to Interval, or None
        Precision with duplicates counted as false positives; only where the protocol says "report".
    units : tuple of str
        What is resampled: every patient (or image) of the test set, sorted, those without lesions or findings too.
    lesions, findings : tuples of records
        Ordered by image.
    warnings : tuple of str
    views : tuple of ViewRecord
        Every view of the test set, ordered by sample; empty in results stored before views were kept.
    """

    protocol: Protocol
    test_set_digest: str
    groups_known: bool
    images: int
    patients: int
    sensitivity: Mapping[Group, Interval]
    precision: Mapping[Group, Interval]
    auc: Mapping[Group, Interval]
    precision_duplicates_false: Mapping[Group, Interval] | None
    units: tuple[str, ...]
    lesions: tuple[LesionRecord, ...]
    findings: tuple[FindingRecord, ...]
    warnings: tuple[str, ...]
    views: tuple[ViewRecord, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """JSON-ready dictionary with every number, outcome and the protocol (also as digest and sentence)."""
        strict = self.precision_duplicates_false
        return {
            "schema": SCHEMA,
            "protocol": self.protocol.to_json(),
            "protocol_digest": self.protocol.digest(),
            "protocol_sentence": self.protocol.sentence(),
            "test_set_digest": self.test_set_digest,
            "groups_known": self.groups_known,
            "images": self.images,
            "patients": self.patients,
            "sensitivity": _numbers_to_json(self.sensitivity),
            "precision": _numbers_to_json(self.precision),
            "auc": _numbers_to_json(self.auc),
            "precision_duplicates_false": None if strict is None else _numbers_to_json(strict),
            "units": list(self.units),
            "views": [asdict(record) for record in self.views],
            "lesions": [asdict(record) for record in self.lesions],
            "findings": [asdict(record) for record in self.findings],
            "warnings": list(self.warnings),
        }

    def short(self) -> dict[str, Any]:
        """The numbers alone: {"sensitivity": {group: {"value", "low", "high", "n", "reason"}}, ...}."""
        return {
            name: {group: interval.short() for group, interval in numbers.items()}
            for name, numbers in (
                ("sensitivity", self.sensitivity),
                ("precision", self.precision),
                ("auc", self.auc),
            )
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> TestSetResult:
        """Read what `to_json` wrote, now or under the schema before: that one kept no views and no Dice.

        Raises
        ------
        EvaluationError
            If the schema is unknown, a field is missing, or the protocol was changed after writing.
        """
        earlier = body.get("schema") in EARLIER
        if body.get("schema") != SCHEMA and not earlier:
            raise EvaluationError(f"Test-set result: expected schema '{SCHEMA}', found {body.get('schema')!r}.")
        try:
            protocol = Protocol.from_json(body["protocol"])
            if digest_of(body["protocol"]) != body["protocol_digest"]:
                raise EvaluationError("Test-set result: the protocol does not fit its digest; it was altered.")
            strict = body["precision_duplicates_false"]
            return cls(
                protocol=protocol,
                test_set_digest=body["test_set_digest"],
                groups_known=body["groups_known"],
                images=body["images"],
                patients=body["patients"],
                sensitivity=_numbers_from_json(body["sensitivity"]),
                precision=_numbers_from_json(body["precision"]),
                auc=_numbers_from_json(body["auc"]),
                precision_duplicates_false=None if strict is None else _numbers_from_json(strict),
                units=tuple(body["units"]),
                lesions=tuple(LesionRecord(**record) for record in body["lesions"]),
                findings=tuple(FindingRecord(**record) for record in body["findings"]),
                warnings=tuple(body["warnings"]),
                views=() if earlier else tuple(ViewRecord(**record) for record in body["views"]),
            )
        except KeyError as error:
            raise EvaluationError(f"Test-set result: field {error} is missing.") from error


def _numbers_to_json(numbers: Mapping[Group, Interval]) -> dict[str, Any]:
    return {group: interval.to_json() for group, interval in numbers.items()}


def _numbers_from_json(body: Mapping[Group, Any]) -> dict[Group, Interval]:
    return {group: Interval.from_json(interval) for group, interval in body.items()}
