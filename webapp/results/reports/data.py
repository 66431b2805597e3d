"""The dataset: version, flow of counts, split, leakage, who the patients are."""

from __future__ import annotations

from collections import Counter
from statistics import median
from typing import Any

from django.db.models import Count

from webapp.cases.models import View
from webapp.core.templatetags.cemlab import count, percent
from webapp.datasets import selectors as datasets
from webapp.datasets.models import DatasetVersion, Split
from webapp.results.reports.basis import SHORT, Basis
from webapp.results.reports.content import Block, Facts, Heading, Section, Table, Text
from webapp.results.reports.words import moment
from webapp.simulations.hosts import DENSITY

BANDS = ((50, "under 50"), (60, "50 to 59"), (70, "60 to 69"))
OLDEST = "70 and over"


def dataset(basis: Basis) -> Section:
    """Everything the records know of the data; what they do not know is said."""
    version = basis.experiment.version
    settings = version.split_settings
    blocks: list[Block] = [
        Facts(
            (
                ("Version", f"{version}, frozen {moment(version.frozen_at)}"),
                ("Content hash", version.content_hash),
                ("Origin of the views", ", ".join(sorted(basis.origins)) or "no views"),
                ("Split", _split_words(settings)),
            )
        ),
        Heading("Flow"),
        _flow(basis, version),
        Heading("Split"),
        _balance(basis, version),
        Heading("Leakage"),
        _leakage(basis, version),
        Heading("Patients by partition"),
        _demographics(basis, version),
        Text(
            "Ages are those at the first exam, 90 for 90 and over. Race and ethnicity, symptoms and breast history are "
            "not among the typed records of this installation.",
            "note",
        ),
    ]
    return Section("Dataset", tuple(blocks))


def _split_words(settings: dict[str, Any]) -> str:
    external = ", ".join(settings.get("external_sites", [])) or "none"
    return (
        f"by patient; internal test {percent(settings.get('test_share'))} of the patients, validation "
        f"{percent(settings.get('validation_share'))} of the rest, external sites {external}, seed "
        f"{settings.get('seed', 'not recorded')}"
    )


def _about(basis: Basis, version: DatasetVersion, what: str, n: str, method: str) -> str:
    code = (basis.experiment.reproducibility.get("source_hash") or "not recorded")[:SHORT]
    return (
        f"{what}. n: {n}. Method: {method}. Protocol of the experiment {basis.protocol.digest()[:SHORT]}. "
        f"Hashes: data {version.content_hash[:SHORT]}; code {code}."
    )


def _flow(basis: Basis, version: DatasetVersion) -> Table:
    acquired = View.objects.filter(exam__dataset_versions=version).exclude(origin="synthetic")
    left_out = datasets.incomplete_view_count(version)
    patients = version.exams.values("patient").distinct().count()
    cases = version.exams.count()
    used = version.version_views
    rows = [
        ("Cases chosen for the version", count(cases), count(patients), count(acquired.count())),
        ("Left out: an image is missing, or the two differ in size", "", "", count(left_out)),
        (
            "Views in the frozen version",
            count(used.values("view__exam").distinct().count()),
            count(used.values("patient").distinct().count()),
            count(used.count()),
        ),
    ]
    for split in Split:
        part = used.filter(split=split)
        rows.append(
            (
                f"Of these, {split.label.lower()}",
                count(part.values("view__exam").distinct().count()),
                count(part.values("patient").distinct().count()),
                count(part.count()),
            )
        )
    return Table(
        (("Step", 0.55), ("Cases", 0.15), ("Patients", 0.15), ("Views", 0.15)),
        tuple(rows),
        _about(
            basis,
            version,
            "Flow of cases, patients and views; why a case was not chosen for the version is not recorded",
            f"{count(cases)} cases of {count(patients)} patients",
            "counted in the records",
        ),
        frozenset({1, 2, 3}),
    )


def _balance(basis: Basis, version: DatasetVersion) -> Table:
    rows = []
    for row in datasets.balance(version):
        cells = [row.cells[split] for split in Split.values]
        rows.append(
            (
                row.label,
                row.site,
                *(
                    count(cell.patients) + (f" ({count(cell.lesion_views)})" if cell.lesion_views else "")
                    for cell in cells
                ),
            )
        )
    return Table(
        (("Lesion", 0.3), ("Site", 0.14), *((split.label, 0.14) for split in Split)),
        tuple(rows),
        _about(
            basis,
            version,
            "Patients with a lesion of each class, lesion views in brackets; a patient with several classes is in each",
            f"{count(version.assignments.count())} patients",
            "split drawn by patient; outlines in force now",
        ),
        frozenset(range(2, 2 + len(Split))),
    )


def _leakage(basis: Basis, version: DatasetVersion) -> Table:
    return Table(
        (("Check", 0.7), ("Found", 0.15), ("", 0.15)),
        tuple(
            (check.name.capitalize(), count(check.count), "passed" if check.passed else "FAILED")
            for check in datasets.leakage_checks(version)
        ),
        _about(
            basis,
            version,
            "Leakage checks; right where nothing is found",
            f"{count(version.assignments.count())} patients",
            "counted in the database; images compared by SHA-256 of their files",
        ),
        frozenset({1}),
    )


def _demographics(basis: Basis, version: DatasetVersion) -> Table:
    people: dict[str, list[tuple[int | None, str]]] = {split: [] for split in Split.values}
    for split, age, site in version.assignments.values_list("split", "patient__age", "patient__site__code"):
        people[split].append((age, site))
    vendors: dict[str, Counter[str]] = {split: Counter() for split in Split.values}
    seen = version.version_views.filter(view__images__kind="low_energy").values_list("split", "view__images__vendor")
    for split, vendor, number in seen.annotate(number=Count("pk")).order_by():
        vendors[split][vendor] += number
    sites = sorted({site for members in people.values() for _, site in members})
    rows: list[tuple[str, ...]] = [("Patients", *(count(len(people[split])) for split in Split.values))]
    rows.append(("Age, median (range), years", *(_ages(people[split]) for split in Split.values)))
    known = any(age is not None for members in people.values() for age, _ in members)
    for band in [words for _, words in BANDS] + [OLDEST] if known else []:
        rows.append(
            (f"Age {band}", *(_share(people[split], lambda one, band=band: _band(one[0]) == band) for split in people))
        )
    rows.append(("Age not known", *(_share(people[split], lambda one: one[0] is None) for split in people)))
    rows += [
        (f"Site {site}", *(_share(people[split], lambda one, site=site: one[1] == site) for split in people))
        for site in sites
    ]
    rows += _densities(version)
    rows += [
        (
            "Views, vendor not known" if vendor == "unknown" else f"Views from {vendor}",
            *(count(vendors[split][vendor]) for split in Split.values),
        )
        for vendor in sorted({name for counted in vendors.values() for name in counted})
    ]
    return Table(
        (("", 0.32), *((split.label, 0.17) for split in Split)),
        tuple(rows),
        _about(
            basis,
            version,
            "Patients by partition, number and share of the partition; cases by breast density, views by vendor",
            f"{count(sum(map(len, people.values())))} patients",
            "counted in the records; differences are described, not tested",
        ),
        frozenset(range(1, 1 + len(Split))),
    )


def _densities(version: DatasetVersion) -> list[tuple[str, ...]]:
    """Cases of each breast density by partition; nothing where none is recorded."""
    split_of = dict(version.assignments.values_list("patient", "split"))
    counted = Counter(
        (str(attributes.get(DENSITY) or "not known"), split_of.get(patient))
        for patient, attributes in version.exams.values_list("patient", "attributes")
    )
    names = sorted({name for name, _ in counted})
    if names == ["not known"]:
        return [("Breast density", *("not known" for _ in Split))]
    return [(f"Cases, density {name}", *(count(counted[name, split]) for split in Split.values)) for name in names]


def _ages(members: list[tuple[int | None, str]]) -> str:
    ages = [age for age, _ in members if age is not None]
    return f"{median(ages):g} ({min(ages)} to {max(ages)})" if ages else "not known"


def _band(age: int | None) -> str:
    if age is None:
        return ""
    return next((words for end, words in BANDS if age < end), OLDEST)


def _share(members: list[tuple[int | None, str]], belongs: Any) -> str:
    number = sum(bool(belongs(one)) for one in members)
    return f"{count(number)} ({percent(number / len(members))})" if members else "0"
