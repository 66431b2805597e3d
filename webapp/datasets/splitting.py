"""Drawing a patient-level, stratified split.

Van Camp et al. (IWBI 2024), section 2: 20 % internal test, of the rest 80/20 train and validation; a second site
as external test. Patients, never images, are drawn.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from webapp.core.errors import UserError
from webapp.datasets.models import Split

STRATA = ("malignant cluster", "benign cluster", "malignant mass", "benign mass", "other lesion", "no lesion")
"""From rare and wanted to common: a patient belongs to the first one that fits."""


@dataclass(frozen=True)
class PatientFacts:
    """What the split needs to know of a patient.

    Attributes
    ----------
    patient_id : int
    site : str
    classes : frozenset of (lesion type, malignancy)
        Of every current lesion of the patient's exams in the version.
    """

    patient_id: int
    site: str
    classes: frozenset[tuple[str, str]]

    @property
    def stratum(self) -> str:
        """The first of `STRATA` that fits."""
        for malignancy, kinds, name in (
            ("malignant", {"cluster", "both"}, "malignant cluster"),
            ("benign", {"cluster", "both"}, "benign cluster"),
            ("malignant", {"mass"}, "malignant mass"),
            ("benign", {"mass"}, "benign mass"),
        ):
            if any(lesion in kinds and found == malignancy for lesion, found in self.classes):
                return name
        return "other lesion" if self.classes else "no lesion"

    @property
    def has_malignant_lesion(self) -> bool:
        """Whether any lesion is malignant."""
        return any(malignancy == "malignant" for _, malignancy in self.classes)


@dataclass(frozen=True)
class SplitSettings:
    """How to draw.

    Attributes
    ----------
    test_share : float
        Share of the internal patients that are tested, in (0, 1).
    validation_share : float
        Share of the remaining internal patients that validate, in (0, 1).
    external_sites : tuple of str
        Codes of the sites whose patients are all external test.
    external_types_known : bool
        False when the external site only knows benign or malignant, not mass or cluster.
    seed : int
    """

    test_share: float = 0.2
    validation_share: float = 0.2
    external_sites: tuple[str, ...] = ()
    external_types_known: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        for name, label in (("test_share", "Internal test share"), ("validation_share", "Validation share")):
            if not 0 < getattr(self, name) < 1:
                raise UserError(f"{label} must lie between 0 and 1, for example 0.2.", field=name)


def draw_split(patients: Sequence[PatientFacts], settings: SplitSettings) -> dict[int, Split]:
    """Assign every patient to one split.

    Within each stratum patients are shuffled and dealt out; remainders are carried from stratum to stratum, so
    that the totals come out right and each stratum is divided as evenly as it can be. The result depends on the
    seed and the set of patients, not on their order.

    Returns
    -------
    dict
        Patient id to split.

    Raises
    ------
    UserError
        If train, validation and internal test cannot each have a patient with a malignant lesion.
    """
    external = set(settings.external_sites)
    assignment = {patient.patient_id: Split.EXTERNAL_TEST for patient in patients if patient.site in external}
    internal = [patient for patient in patients if patient.site not in external]
    _require_enough(internal)
    random = np.random.default_rng(settings.seed)
    strata: dict[str, list[PatientFacts]] = defaultdict(list)
    for patient in sorted(internal, key=lambda patient: patient.patient_id):
        strata[patient.stratum].append(patient)
    carried_test = carried_validation = 0.0
    for name in STRATA:
        members = strata.get(name, [])
        order = random.permutation(len(members))
        wanted_test = len(members) * settings.test_share + carried_test
        tested = min(len(members), max(0, round(wanted_test)))
        carried_test = wanted_test - tested
        wanted_validation = (len(members) - tested) * settings.validation_share + carried_validation
        validated = min(len(members) - tested, max(0, round(wanted_validation)))
        carried_validation = wanted_validation - validated
        for place, index in enumerate(order):
            split = (
                Split.INTERNAL_TEST
                if place < tested
                else Split.VALIDATION
                if place < tested + validated
                else Split.TRAIN
            )
            assignment[members[index].patient_id] = split
    _give_each_split_a_malignant_patient(internal, assignment)
    return assignment


def _require_enough(internal: Sequence[PatientFacts]) -> None:
    malignant = sum(patient.has_malignant_lesion for patient in internal)
    if malignant < 3:
        raise UserError(
            f"Too small to split: {malignant} patient{'s' if malignant != 1 else ''} of the internal sites "
            f"{'have' if malignant != 1 else 'has'} a malignant lesion, and train, validation and internal test need "
            f"one each. Add {3 - malignant} more, or declare fewer sites external."
        )


def _give_each_split_a_malignant_patient(internal: Sequence[PatientFacts], assignment: dict[int, Split]) -> None:
    """Small data: move malignant patients out of the split that has most of them, lowest id first."""
    by_split: dict[Split, list[int]] = {split: [] for split in (Split.TRAIN, Split.VALIDATION, Split.INTERNAL_TEST)}
    for patient in sorted(internal, key=lambda patient: patient.patient_id):
        if patient.has_malignant_lesion:
            by_split[assignment[patient.patient_id]].append(patient.patient_id)
    for split, members in by_split.items():
        if not members:
            donor = max(by_split, key=lambda other: len(by_split[other]))
            moved = by_split[donor].pop(0)
            members.append(moved)
            assignment[moved] = split
