"""Why lesions were missed, and sensitivity in subgroups: at the threshold of the protocol, by arm and test set."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from django.core.cache import cache
from django.db.models import Prefetch

from detection.evaluation.protocol import Protocol
from webapp.cases.models import View
from webapp.datasets.models import VersionAnnotation, VersionView
from webapp.experiments.models import Experiment, Run
from webapp.experiments.sample_sets import sample_id
from webapp.results import selectors
from webapp.results.cases import LESION_TYPES
from webapp.results.curves import Evaluated
from webapp.results.forms import REASONS
from webapp.results.models import Evaluation

FOUND = "found"
COLOURS = {
    FOUND: "role:s3",
    "no overlap": "role:s2",
    "low score": "role:s1",
    "wrong class": "role:s4",
    "outside top": "role:s5",
    "finding taken": "role:s6",
}
SIZES = ((10.0, "under 10 mm"), (20.0, "10 to 20 mm"))
LARGEST = "20 mm and over"
AGES = ((50, "under 50"), (60, "50 to 59"), (70, "60 to 69"))
OLDEST = "70 and over"
NOT_KNOWN = "not known"
KINDS = {
    "type": "Lesion type",
    "size": "Longer side of the box",
    "site": "Site",
    "vendor": "Vendor",
    "age": "Age at the first exam",
    "view": "View",
}
TYPES = {"mass": "mass", "cluster": "cluster", "both": "mass with cluster", "other": "other"}


def breakdown(experiment: Experiment, group: str, cases_url: Callable[..., str]) -> list[dict[str, Any]]:
    """One stacked figure a test set: malignant lesion views found, and missed by reason; each part opens its cases."""
    found = selectors.evaluations(experiment)
    panels = []
    for test_set in selectors.present_test_sets(experiment):
        rows = []
        for run in _runs(experiment):
            evaluation = found.get((run.pk, test_set))
            if evaluation is not None and evaluation.result["sensitivity"][group]["denominator"]:
                rows.append((run, _reasons(evaluation, group)))
        traces = [
            {
                "type": "bar",
                "orientation": "h",
                "name": outcome,
                "x": [reasons[outcome] for _, reasons in rows],
                "y": [str(run) for run, _ in rows],
                "marker": {"color": COLOURS[outcome]},
                "customdata": [
                    {
                        "text": f"{run}: {reasons[outcome]} of {sum(reasons.values())} {outcome}",
                        "url": _address(cases_url, Evaluated(run, test_set, group), outcome),
                    }
                    for run, reasons in rows
                ],
                "hovertemplate": "%{customdata.text}<extra></extra>",
            }
            for outcome in COLOURS
        ]
        panels.append(
            {
                "test_set": test_set,
                "label": selectors.TEST_SETS[test_set],
                "rows": [
                    {
                        "run": run,
                        "lesions": sum(reasons.values()),
                        "parts": [
                            {
                                "count": reasons[outcome],
                                "url": _address(cases_url, Evaluated(run, test_set, group), outcome),
                            }
                            for outcome in COLOURS
                        ],
                    }
                    for run, reasons in rows
                ],
                "figure": {
                    "data": traces,
                    "layout": {
                        "barmode": "stack",
                        "xaxis": {"title": {"text": "malignant lesion views"}, "rangemode": "tozero"},
                        "yaxis": {"autorange": "reversed"},
                    },
                },
                "height": 110 + 34 * max(1, len(rows)),
            }
        )
    return panels


def _address(cases_url: Callable[..., str], row: Evaluated, outcome: str) -> str:
    if outcome == FOUND:
        return cases_url(row, "sensitivity", "found")
    return cases_url(row, "sensitivity", "missed", reason=outcome)


def _reasons(evaluation: Evaluation, group: str) -> Counter[str]:
    """How many lesion views of the group were found, and missed for each reason."""
    counted: Counter[str] = Counter(dict.fromkeys((FOUND, *REASONS), 0))
    for record in _lesions(evaluation, group):
        counted[FOUND if record["outcome"] == "TP" else record["reason"]] += 1
    return counted


def _lesions(evaluation: Evaluation, group: str) -> list[dict[str, Any]]:
    return [
        record
        for record in evaluation.result["lesions"]
        if record["malignancy"] == "malignant" and record["lesion_type"] in LESION_TYPES[group]
    ]


def _runs(experiment: Experiment) -> Iterable[Run]:
    return (run for arm in experiment.arms.all() for run in arm.runs.all())


def subgroups(experiment: Experiment, group: str) -> list[dict[str, Any]]:
    """Sensitivity of every run in every subgroup that the records tell apart.

    Returns
    -------
    list of dict
        One entry a test set: ``{"label", "runs": [Run], "kinds": [{"label", "rows": [{"label", "numbers"}]}]}``,
        `numbers` one interval a run. Subgroups of under ten lesion views carry their n and no value
        (`core.templatetags.cemlab.interval`).
    """
    found = selectors.evaluations(experiment)
    panels = []
    for test_set in selectors.present_test_sets(experiment):
        evaluated = [(run, found[run.pk, test_set]) for run in _runs(experiment) if (run.pk, test_set) in found]
        if not evaluated:
            continue
        traits = _traits(experiment, test_set)
        by_run = [_intervals(evaluation, group, traits) for _, evaluation in evaluated]
        kinds = []
        for kind, label in KINDS.items():
            names = sorted({name for of, name in by_run[0] if of == kind}, key=_order)
            # one subgroup alone, or none known, says nothing that the whole does not
            if len(names) > 1:
                kinds.append(
                    {
                        "label": label,
                        "rows": [
                            {"label": name, "numbers": [numbers[kind, name] for numbers in by_run]} for name in names
                        ],
                    }
                )
        panels.append({"label": selectors.TEST_SETS[test_set], "runs": [run for run, _ in evaluated], "kinds": kinds})
    return panels


def _order(name: str) -> tuple[int, str]:
    bands = [words for _, words in SIZES] + [LARGEST] + [words for _, words in AGES] + [OLDEST]
    if name == NOT_KNOWN:
        return 2, name
    return (0, f"{bands.index(name):02d}") if name in bands else (1, name)


def _intervals(
    evaluation: Evaluation, group: str, traits: dict[tuple[str, str], dict[str, str]]
) -> dict[tuple[str, str], dict[str, Any]]:
    """Sensitivity by kind and name of subgroup, patients resampled; kept in the cache."""
    # ages, sites and spacings may be corrected after the evaluation
    known_now = hashlib.sha256(repr(sorted(traits.items())).encode()).hexdigest()
    key = f"results.subgroups.{evaluation.inputs_hash}.{group}.{known_now}"
    kept: dict[tuple[str, str], dict[str, Any]] | None = cache.get(key)
    if kept is not None:
        return kept
    from detection.evaluation.intervals import clustered_ratio_interval

    protocol = Protocol.from_json(evaluation.protocol)
    members: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for record in _lesions(evaluation, group):
        known = traits.get((record["sample_id"], record["lesion_id"]), {}) | {"type": TYPES[record["lesion_type"]]}
        for kind in KINDS:
            members.setdefault((kind, known.get(kind, NOT_KNOWN)), []).append(record)
    kept = {
        subgroup: clustered_ratio_interval(
            [int(record["outcome"] == "TP") for record in records],
            [1] * len(records),
            [record["patient_id" if protocol.resampling == "patient" else "sample_id"] for record in records],
            resamples=protocol.resamples,
            level=protocol.confidence,
            seed=protocol.seed,
            method=protocol.interval,
        ).to_json()
        for subgroup, records in members.items()
    }
    cache.set(key, kept, timeout=3600)
    return kept


def _traits(experiment: Experiment, test_set: str) -> dict[tuple[str, str], dict[str, str]]:
    """What is known of each lesion on each view: size, site, vendor, age band and view."""
    views = (
        VersionView.objects.filter(version=experiment.version, split=test_set)
        .select_related("view__exam__patient__site")
        .prefetch_related(
            "view__images", Prefetch("version_annotations", VersionAnnotation.objects.select_related("annotation"))
        )
    )
    traits = {}
    for member in views:
        of_view = _of_view(member.view)
        spacing = _spacing(member.view)
        for used in member.version_annotations.all():
            one = used.annotation
            known = dict(of_view)
            if spacing is not None:
                known["size"] = _band(
                    max((one.x2 - one.x1) * spacing[0], (one.y2 - one.y1) * spacing[1]), SIZES, LARGEST
                )
            traits[sample_id(member.view_id), str(one.lesion_id)] = known
    return traits


def _of_view(view: View) -> dict[str, str]:
    patient = view.exam.patient
    known = {"site": patient.site.code, "view": view.position}
    vendor = next((image.vendor for image in view.images.all()), "unknown")
    if vendor != "unknown":
        known["vendor"] = vendor
    if patient.age is not None:
        known["age"] = _band(patient.age, AGES, OLDEST)
    return known


def _spacing(view: View) -> tuple[float, float] | None:
    """mm a column and a row of the detector plane."""
    for image in view.images.all():
        if image.spacing_column is not None and image.spacing_row is not None:
            return image.spacing_column, image.spacing_row
    return None


def _band(value: float, bands: Iterable[tuple[float, str]], last: str) -> str:
    return next((words for end, words in bands if value < end), last)
