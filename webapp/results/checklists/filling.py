"""What the records of an experiment say on each topic, and where it is shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import Count
from django.urls import reverse

from webapp.core.templatetags.cemlab import count, percent
from webapp.datasets import selectors as datasets
from webapp.datasets.models import Split, VersionAnnotation
from webapp.experiments.design import ENDPOINTS
from webapp.results import selectors
from webapp.results.checklists.topics import TOPICS, Topic
from webapp.results.models import ChecklistAnswer
from webapp.results.reports.basis import SHORT, Basis
from webapp.results.reports.words import looks

RESULTS, MISSES, CALIBRATION, OUTLINES, DATA = (
    "results:experiment",
    "results:failures",
    "results:calibration",
    "results:outlines",
    "dataset",
)
CLASSES = ("benign", "malignant")
NOT_EVALUATED = "No run was evaluated."
EPOCHS = {"validation_loss": "with the lowest validation loss", "last": "the last"}
"""Of the configuration of a detector → words."""


@dataclass(frozen=True)
class Filled:
    """What the records say.

    Attributes
    ----------
    statements : tuple of str
    missing : str
        What they do not say; empty where nothing is missing.
    chapter : str
        Of the report.
    page : str
        Name of the address that shows it.
    """

    statements: tuple[str, ...]
    missing: str
    chapter: str
    page: str


@dataclass(frozen=True)
class Entry:
    """A topic with what the records and the authors say."""

    topic: Topic
    filled: Filled | None
    answer: ChecklistAnswer | None
    url: str

    @property
    def text(self) -> str:
        """Of the authors."""
        return self.answer.text if self.answer else ""

    @property
    def required(self) -> bool:
        """Whether the authors have to write something that is not there yet."""
        return not self.text and (self.filled is None or bool(self.filled.missing))

    @property
    def state(self) -> str:
        """For a chip: what is there."""
        if self.required:
            return "in part" if self.filled and self.filled.statements else "to be written"
        return "filled"


def entries(basis: Basis) -> list[Entry]:
    """Every topic in order."""
    answers = {one.topic: one for one in ChecklistAnswer.objects.filter(experiment=basis.experiment, current=True)}
    made = []
    for key, topic in TOPICS.items():
        filled = _FILL[key](basis) if key in _FILL else None
        made.append(Entry(topic, filled, answers.get(key), _url(basis, filled.page) if filled else ""))
    return made


def _url(basis: Basis, page: str) -> str:
    experiment = basis.experiment
    slug = experiment.project.slug
    if page == DATA:
        version = experiment.version
        return reverse("datasets:version", args=[slug, version.dataset.slug, version.number])
    if page == "experiment":
        return reverse("experiments:experiment", args=[slug, experiment.number])
    return reverse(page, args=[slug, experiment.number])


def _split(basis: Basis) -> Filled:
    version = basis.experiment.version
    counts = datasets.split_counts(version)
    checks = datasets.leakage_checks(version)
    failed = [f"{check.count} {check.name}" for check in checks if not check.passed]
    return Filled(
        (
            "Patients, never images, are assigned; the database refuses a patient in two partitions.",
            "Patients: " + ", ".join(f"{split.label.lower()} {count(counts[split])}" for split in Split) + ".",
            f"Leakage checks: {len(checks) - len(failed)} of {len(checks)} passed"
            + (f"; failed: {', '.join(failed)}." if failed else "."),
        ),
        "",
        "Dataset",
        DATA,
    )


def _flow(basis: Basis) -> Filled:
    version = basis.experiment.version
    return Filled(
        (
            f"{count(version.exams.count())} cases of {count(version.exams.values('patient').distinct().count())} "
            f"patients were chosen; {count(version.version_views.count())} views are in the frozen version.",
            f"Views of these cases that a version leaves out, as the records are now: "
            f"{count(datasets.incomplete_view_count(version))} with an image missing or of unequal size.",
        ),
        "Why other exams were not chosen is not recorded.",
        "Dataset",
        DATA,
    )


def _demographics(basis: Basis) -> Filled:
    version = basis.experiment.version
    people, views = version.assignments, version.version_views
    known = people.filter(patient__age__isnull=False).count()
    made_by = views.filter(view__images__kind="low_energy").exclude(view__images__vendor="unknown").count()
    return Filled(
        (
            f"Patients and their sites per partition; age is known of {count(known)} of {count(people.count())} "
            f"patients, the vendor of {count(made_by)} of {count(views.count())} views.",
        ),
        "Other characteristics are not among the records.",
        "Dataset",
        DATA,
    )


def _reference(basis: Basis) -> Filled:
    used = VersionAnnotation.objects.filter(version_view__version=basis.experiment.version)
    lesions = used.values("annotation__lesion").distinct().count()
    stated = used.exclude(annotation__lesion__evidence="").values("annotation__lesion").distinct().count()
    sources = Counter(dict(used.values_list("annotation__source").annotate(number=Count("pk")).order_by()))
    authors = used.filter(annotation__author__isnull=False).values("annotation__author").distinct().count()
    said = ", ".join(f"{name or 'not stated'} {count(number)}" for name, number in sorted(sources.items()))
    return Filled(
        (
            f"{count(used.count())} outlines of {count(lesions)} lesions; source: {said or 'none'}.",
            f"Outlines name {count(authors)} account{'' if authors == 1 else 's'} as author; evidence for type and "
            f"malignancy is stated for {count(stated)} of {count(lesions)} lesions.",
        ),
        "Agreement between annotators is not recorded.",
        "Dataset",
        DATA,
    )


def _scanners(basis: Basis) -> Filled:
    version = basis.experiment.version
    sites = sorted(set(version.assignments.values_list("patient__site__code", flat=True)))
    vendors = sorted(set(version.version_views.values_list("view__images__vendor", flat=True)) - {None})
    return Filled(
        (
            f"Sites: {', '.join(sites) or 'none'}; external: "
            f"{', '.join(version.split_settings.get('external_sites', [])) or 'none'}.",
            f"Vendors by image header: {', '.join(vendors).replace('unknown', 'not known') or 'none'}.",
        ),
        "Contrast agent, exposure and dates are not among the records.",
        "Dataset",
        DATA,
    )


def _sample_size(basis: Basis) -> Filled:
    parts = []
    for test_set in basis.test_sets:
        members = basis.evaluated(test_set)
        if members:
            result = selectors.short(members[0][1])
            parts.append(
                f"{selectors.TEST_SETS[test_set].capitalize()} test: {count(result['images'])} views of "
                f"{count(result['patients'])} patients, "
                f"{count(result['sensitivity']['malignant']['denominator'] or 0)} malignant lesion views."
            )
    return Filled(tuple(parts), "A calculation made beforehand is not recorded.", "Numbers", RESULTS)


def _performance(basis: Basis) -> Filled:
    margin = basis.experiment.margin
    endpoint = ENDPOINTS.get(basis.experiment.primary_endpoint, basis.experiment.primary_endpoint)
    aim = "superiority" if margin is None else f"non-inferiority with margin {margin:g}"
    compared = len(basis.arms) > 1
    evaluated = {run.arm_id for test_set in basis.test_sets for run, _ in basis.evaluated(test_set)}
    return Filled(
        (
            f"Primary endpoint, fixed before any result: {endpoint}{f'; {aim}' if compared else ''}.",
            basis.protocol.sentence(),
            "Differences between arms are paired over patients; Holm within the primary endpoint, Benjamini–Hochberg "
            "over all others, which are exploratory."
            if len(evaluated) > 1
            else "Arms are not compared: fewer than two have numbers.",
        ),
        "" if evaluated else NOT_EVALUATED,
        "Numbers; Paired differences; Levels; Curves",
        RESULTS,
    )


def _calibration(basis: Basis) -> Filled:
    located = [
        one["localised_malignancy"]
        for found in basis.evaluations.values()
        for one in found.result["findings"]
        if one["localised_malignancy"] in CLASSES
    ]
    counts = Counter(located)
    said = ", ".join(f"{name} {count(counts[name])}" for name in CLASSES)
    measured = len(counts) == len(CLASSES)
    return Filled(
        (
            f"Rows over all runs and test sets, located findings by class: {said}.",
            *(
                (
                    "Malignancy probability of located findings, and score of whole views: reliability, Brier score, "
                    "error, intercept and slope, decision curve; recalibration on validation views; each where it is "
                    "defined.",
                )
                if measured
                else ()
            ),
        ),
        "" if measured else "Calibration of located findings is undefined: they are not of both classes.",
        "Calibration and net benefit",
        CALIBRATION,
    )


def _segmentation(basis: Basis) -> Filled:
    outlined = sum(
        one.get("dice") is not None for found in basis.evaluations.values() for one in found.result["lesions"]
    )
    if not outlined:
        return Filled(
            (f"Overlap is measured on the {basis.protocol.iou_of}; no Dice of outlines is stored.",),
            "Outlines were not evaluated.",
            "Outlines",
            OUTLINES,
        )
    return Filled(
        (f"Dice of {count(outlined)} found lesion views over all runs and test sets.",),
        "",
        "Outlines",
        OUTLINES,
    )


def _subgroups(basis: Basis) -> Filled:
    said = (
        "Sensitivity with n and intervals, by each of lesion type, size, site, vendor, age, density and view in which "
        "the lesions of a test set are known to differ."
    )
    return Filled(
        (said,) if basis.evaluations else (),
        "Ethnicity and symptoms are not among the records.",
        "Misses and subgroups",
        MISSES,
    )


def _external(basis: Basis) -> Filled:
    names = [selectors.TEST_SETS[test_set] for test_set in basis.test_sets]
    return Filled(
        (
            f"Test sets: {' and '.join(names) or 'none'}; locked until every run had ended.",
            f"Openings: {looks(basis)}.",
        ),
        "" if "external_test" in basis.test_sets else "There is no external test set.",
        "Numbers",
        RESULTS,
    )


def _failures(basis: Basis) -> Filled:
    reasons: Counter[str] = Counter()
    judged = 0
    for found in basis.evaluations.values():
        malignant = [one for one in found.result["lesions"] if one["malignancy"] == "malignant"]
        judged += sum(one["outcome"] != "unscored" for one in malignant)
        reasons.update(one["reason"] for one in malignant if one["outcome"] == "FN")
    said = ", ".join(f"{reason} {count(number)}" for reason, number in sorted(reasons.items()))
    return Filled(
        (
            f"Missed malignant lesion views over all runs and test sets, {count(reasons.total())} of "
            f"{count(judged)}, by reason: {said or 'none missed'}.",
        )
        if judged
        else (),
        "" if judged else "No malignant lesion view was judged.",
        "Misses and subgroups",
        MISSES,
    )


def _model(basis: Basis) -> Filled:
    kept: dict[str, Any] = basis.experiment.reproducibility
    environment = kept.get("environment") or {}
    settings = basis.experiment.version.split_settings
    kept_epochs = {arm.configuration.get("values", {}).get("best_epoch") for arm in basis.arms}
    epochs = {EPOCHS.get(one, "not recorded") for one in kept_epochs}
    return Filled(
        (
            f"Epoch kept: {' or '.join(sorted(epochs))}; score threshold {basis.protocol.score_above:g} fixed by the "
            f"protocol before training; validation {percent(settings.get('validation_share'))} of the patients that "
            "are not for test.",
            f"Code: commit {(kept.get('commit') or 'not in a repository')}, source "
            f"{str(kept.get('source_hash') or 'not recorded')[:SHORT]}; "
            + ", ".join(f"{name} {version}" for name, version in environment.items())
            + ".",
        ),
        "",
        "Arms and runs; Hashes in full",
        "experiment",
    )


_FILL: dict[str, Callable[[Basis], Filled]] = {
    "split": _split,
    "flow": _flow,
    "demographics": _demographics,
    "reference": _reference,
    "scanners": _scanners,
    "sample-size": _sample_size,
    "performance": _performance,
    "calibration": _calibration,
    "segmentation": _segmentation,
    "subgroups": _subgroups,
    "external": _external,
    "failures": _failures,
    "model": _model,
}
