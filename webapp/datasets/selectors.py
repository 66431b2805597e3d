"""Reading datasets: versions, balance, leakage checks."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.models import AnonymousUser
from django.db.models import Count, F, Prefetch, QuerySet

from webapp.accounts.models import Project, User
from webapp.accounts.selectors import projects_of
from webapp.annotations.classes import name as class_name
from webapp.annotations.models import Annotation
from webapp.cases.models import ImageKind, View
from webapp.datasets.models import Dataset, DatasetVersion, Split, SplitAssignment, VersionAnnotation, VersionView
from webapp.datasets.splitting import PatientFacts

UNDERPOWERED = 10
"""Cells of the balance table under this many patients are marked."""


def datasets_of(user: User | AnonymousUser, project: Project) -> QuerySet[Dataset]:
    """Datasets of a project the person may see, with their versions newest first."""
    return Dataset.objects.filter(project=project, project__in=projects_of(user)).prefetch_related(
        Prefetch(
            "versions",
            DatasetVersion.objects.order_by("-number").annotate(
                patients=Count("assignments", distinct=True),
                experiment_count=Count("experiments", distinct=True),
            ),
        )
    )


def versions_of(user: User | AnonymousUser, project: Project) -> QuerySet[DatasetVersion]:
    """Dataset versions of a project the person may see."""
    return DatasetVersion.objects.filter(
        dataset__project=project, dataset__project__in=projects_of(user)
    ).select_related("dataset", "dataset__project")


def complete_views(version: DatasetVersion) -> QuerySet[View]:
    """Acquired views of the version's exams that have both images of equal geometry."""
    return (
        View.objects.filter(exam__dataset_versions=version)
        .exclude(origin="synthetic")
        .annotate(kinds=Count("images", distinct=True), row_sizes=Count("images__rows", distinct=True))
        .annotate(column_sizes=Count("images__columns", distinct=True))
        .filter(kinds=len(ImageKind.values), row_sizes=1, column_sizes=1)
        .order_by("pk")
    )


def patient_facts(version: DatasetVersion) -> list[PatientFacts]:
    """Site and lesion classes of every patient of the version."""
    classes: dict[int, set[tuple[str, str]]] = defaultdict(set)
    lesions = Annotation.objects.filter(view__exam__dataset_versions=version, current=True, withdrawn=False).exclude(
        view__origin="synthetic"
    )
    for patient, lesion_type, malignancy in lesions.values_list(
        "view__exam__patient_id", "lesion__lesion_type", "lesion__malignancy"
    ).distinct():
        classes[patient].add((lesion_type, malignancy))
    patients = version.exams.order_by("patient_id").values_list("patient_id", "patient__site__code").distinct()
    return [PatientFacts(patient, site, frozenset(classes[patient])) for patient, site in patients]


@dataclass(frozen=True)
class BalanceCell:
    """Patients and lesion views of one class, site and split."""

    patients: int
    lesion_views: int
    drawn: bool
    cases: str
    """Query of the cases page that lists them, where it shows the splits of the version."""

    @property
    def underpowered(self) -> bool:
        """Some, but too few for an interval worth reading."""
        return 0 < self.patients < UNDERPOWERED


@dataclass(frozen=True)
class BalanceRow:
    """One class at one site over the splits."""

    label: str
    lesion_type: str
    malignancy: str
    site: str
    cells: dict[str, BalanceCell]


def balance(version: DatasetVersion) -> list[BalanceRow]:
    """Lesion type × malignancy × site × split, with a row of lesion-free patients per site."""
    split_of = dict(version.assignments.values_list("patient_id", "split"))
    patients: dict[tuple[str, str, str], dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    lesion_views: dict[tuple[str, str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    with_lesion: set[int] = set()
    annotations = (
        Annotation.objects.filter(view__exam__dataset_versions=version, current=True, withdrawn=False)
        .exclude(view__origin="synthetic")
        .values_list(
            "view__exam__patient_id",
            "view__exam__patient__site__code",
            "lesion__lesion_type",
            "lesion__malignancy",
        )
    )
    for patient, site, lesion_type, malignancy in annotations:
        split = split_of.get(patient, "")
        key = (lesion_type, malignancy, site)
        patients[key][split].add(patient)
        lesion_views[key][split] += 1
        with_lesion.add(patient)
    for patient, site in version.exams.values_list("patient_id", "patient__site__code").distinct():
        if patient not in with_lesion:
            patients["none", "", site][split_of.get(patient, "")].add(patient)
    labels = {"cluster": "cluster", "mass": "mass", "both": "mass with cluster", "other": "other lesion"}
    rows = []
    for lesion_type, malignancy, site in sorted(patients):
        key = (lesion_type, malignancy, site)
        label = "No lesion" if lesion_type == "none" else f"{malignancy} {labels[lesion_type]}".capitalize()
        facet = "none" if lesion_type == "none" else class_name(lesion_type, malignancy)
        cells = {
            split: BalanceCell(
                len(patients[key][split]),
                lesion_views[key][split],
                bool(split),
                urlencode({"lesion": facet, "site": site, "split": Split(split).label if split else ""}),
            )
            for split in [*Split.values, ""]
        }
        rows.append(BalanceRow(label, lesion_type, malignancy, site, cells))
    return rows


@dataclass(frozen=True)
class LeakageCheck:
    """One named check of the leakage guard; right when the count is 0."""

    name: str
    count: int

    @property
    def passed(self) -> bool:
        """Nothing found."""
        return self.count == 0


def leakage_checks(version: DatasetVersion) -> list[LeakageCheck]:
    """The five checks of the dataset page, counted in the database rather than assumed."""
    assignments = SplitAssignment.objects.filter(version=version)
    twice = assignments.values("patient").annotate(splits=Count("split", distinct=True)).filter(splits__gt=1).count()
    views = VersionView.objects.filter(version=version)
    astray = views.exclude(version__assignments__patient=F("patient"), version__assignments__split=F("split")).count()
    synthetic = views.filter(view__origin="synthetic").count()
    hosts_in_test = (
        SplitAssignment.objects.filter(version=version, patient__synthetic_views__batch__version=version)
        .exclude(split=Split.TRAIN)
        .values("patient")
        .distinct()
        .count()
    )
    repeated = _images_in_several_splits(version)
    return [
        LeakageCheck("patients in two splits", twice),
        LeakageCheck("views outside their patient's split", astray),
        LeakageCheck("synthetic views in the version", synthetic),
        LeakageCheck("hosts of synthetic views outside training", hosts_in_test),
        LeakageCheck("images repeated in another split", repeated),
    ]


def _images_in_several_splits(version: DatasetVersion) -> int:
    """Files with equal content whose patients are in different splits."""
    splits: dict[str, set[str]] = defaultdict(set)
    split_of = dict(version.assignments.values_list("patient_id", "split"))
    images = version.exams.filter(views__images__isnull=False).values_list("patient_id", "views__images__sha256")
    for patient, digest in images:
        if patient in split_of:
            splits[digest].add(split_of[patient])
    return sum(len(found) > 1 for found in splits.values())


def split_counts(version: DatasetVersion) -> dict[str, int]:
    """Patients per split; the empty key counts those without one."""
    counts = dict.fromkeys([*Split.values, ""], 0)
    counts |= dict(version.assignments.values_list("split").annotate(patients=Count("patient")))
    patients = version.exams.values("patient").distinct().count()
    counts[""] = patients - sum(counts.values())
    return counts


def incomplete_view_count(version: DatasetVersion) -> int:
    """Acquired views that lack an image or whose two images differ in size: left out when the version is frozen."""
    acquired = View.objects.filter(exam__dataset_versions=version).exclude(origin="synthetic").count()
    return acquired - complete_views(version).count()


@dataclass(frozen=True)
class VersionDifference:
    """What changed since the version before."""

    previous: int
    cases_added: int
    cases_removed: int
    patients_moved: int


def difference_to_previous(version: DatasetVersion) -> VersionDifference | None:
    """Cases added and removed and patients whose split changed; None for the first version."""
    before = version.dataset.versions.filter(number__lt=version.number).order_by("-number").first()
    if before is None:
        return None
    now, then = (set(each.version_exams.values_list("exam_id", flat=True)) for each in (version, before))
    split_now, split_then = (dict(each.assignments.values_list("patient_id", "split")) for each in (version, before))
    moved = sum(split_then[patient] != split for patient, split in split_now.items() if patient in split_then)
    return VersionDifference(before.number, len(now - then), len(then - now), moved)


def content_hash(version: DatasetVersion) -> str:
    """SHA-256 over what the version contains: images by their digests, truth, splits and split settings.

    The order is fixed by pseudonyms and case numbers, so the same content gives the same hash whatever the row ids.
    """
    # joined: a lookup of thousands of annotations by number is too long an expression for SQLite
    truth = VersionAnnotation.objects.select_related("annotation__lesion")
    digest = hashlib.sha256()
    digest.update(json.dumps(version.split_settings, sort_keys=True).encode())
    views = (
        version.version_views.select_related("view__exam", "patient")
        .prefetch_related("view__images", Prefetch("version_annotations", truth))
        .order_by("patient__pseudonym", "view__exam__number", "view__laterality", "view__position")
    )
    for member in views:
        content: dict[str, Any] = {
            "patient": member.patient.pseudonym,
            "case": member.view.exam.number,
            "view": [member.view.laterality, member.view.position],
            "split": member.split,
            "images": {image.kind: image.sha256 for image in member.view.images.all()},
            "lesions": sorted(
                (
                    [
                        used.annotation.lesion.number,
                        used.lesion_type,
                        used.malignancy,
                        used.annotation.polygons,
                    ]
                    for used in member.version_annotations.all()
                ),
                key=lambda entry: json.dumps(entry),
            ),
        }
        digest.update(json.dumps(content, sort_keys=True).encode())
    return digest.hexdigest()
