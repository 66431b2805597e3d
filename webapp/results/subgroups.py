"""Sensitivity in subgroups of lesions, patients and views, and differences between arms there; exploratory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable
from typing import Any

from webapp.cases.models import Image
from webapp.core.templatetags.cemlab import FEWEST_SHOWN
from webapp.datasets.models import VersionAnnotation, VersionView
from webapp.experiments.models import Experiment, Run
from webapp.experiments.sample_sets import sample_id
from webapp.results import selectors
from webapp.results.cases import LESION_TYPES
from webapp.results.curves import Evaluated
from webapp.results.kept import kept
from webapp.results.models import Evaluation
from webapp.results.stored import result_of
from webapp.simulations.hosts import DENSITY

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
    "density": "Breast density",
    "view": "View",
}
TYPES = {"mass": "mass", "cluster": "cluster", "both": "mass with cluster", "other": "other"}

Traits = dict[tuple[str, str], dict[str, str]]
"""(sample_id, lesion_id) → kind → name of the subgroup."""
Subgroup = tuple[str, str]
"""Kind and name."""


def subgroups(experiment: Experiment, group: str, cases_url: Callable[..., str] | None = None) -> list[dict[str, Any]]:
    """Sensitivity of every run in every subgroup that the records tell apart.

    Parameters
    ----------
    cases_url : callable, optional
        Of `cases.cases_address`, for the addresses of the cases.

    Returns
    -------
    list of dict
        One entry a test set: ``{"label", "runs": [Run], "kinds": [{"label", "rows": [{"label", "numbers", "urls",
        "differences", "cells"}]}], "reference", "compared"}``; ``cells`` has the three lists run by run. ``numbers``
        has one interval a run. ``differences`` has one entry a run, None for the reference and where there is none:
        ``{"interval", "p_value", "adjusted"}`` against the reference arm with the same seed, corrected after Benjamini
        and Hochberg over all subgroups shown of the test set. Subgroups of under ten lesion views carry their n and no
        value (`core.templatetags.cemlab.interval`).
    """
    found = selectors.evaluations(experiment)
    panels = []
    for test_set in selectors.present_test_sets(experiment):
        runs = [run for arm in experiment.arms.all() for run in arm.runs.all() if (run.pk, test_set) in found]
        if not runs:
            continue
        traits = traits_of(experiment, test_set)
        by_run = {run.pk: _sensitivities(found[run.pk, test_set], group, traits) for run in runs}
        known = {kind: sorted({name for of, name in by_run[runs[0].pk] if of == kind}, key=_order) for kind in KINDS}
        # one subgroup alone, or none known, says nothing that the whole does not
        shown = {(kind, name) for kind, names in known.items() for name in names if len(names) > 1}
        differences = _differences(experiment, runs, test_set, group, traits, shown)
        kinds = []
        for kind, label in KINDS.items():
            if names := [name for name in known[kind] if (kind, name) in shown]:
                kinds.append(
                    {
                        "label": label,
                        "rows": [
                            _row(runs, by_run, differences, group, test_set, kind, name, cases_url) for name in names
                        ],
                    }
                )
        _, reference = selectors.compared_arms(experiment)
        panels.append(
            {
                "label": selectors.TEST_SETS[test_set],
                "runs": runs,
                "kinds": kinds,
                "reference": reference,
                "compared": sum(one["p_value"] is not None for one in differences.values()),
            }
        )
    return panels


def _row(
    runs: list[Run],
    by_run: dict[int, dict[Subgroup, dict[str, Any]]],
    differences: dict[tuple[int, str, str], dict[str, Any]],
    group: str,
    test_set: str,
    kind: str,
    name: str,
    cases_url: Callable[..., str] | None,
) -> dict[str, Any]:
    numbers = [by_run[run.pk][kind, name] for run in runs]
    urls = [_address(cases_url, run, test_set, group, kind, name) for run in runs]
    against = [differences.get((run.pk, kind, name)) for run in runs]
    return {
        "label": name,
        "numbers": numbers,
        "urls": urls,
        "differences": against,
        "cells": list(zip(numbers, urls, against, strict=True)),
    }


def _address(cases_url: Callable[..., str] | None, run: Run, test_set: str, group: str, kind: str, name: str) -> str:
    if cases_url is None:
        return ""
    return cases_url(Evaluated(run, test_set, group), "sensitivity", subgroup=f"{kind}:{name}")


def _order(name: str) -> tuple[int, str]:
    bands = [words for _, words in SIZES] + [LARGEST] + [words for _, words in AGES] + [OLDEST]
    if name == NOT_KNOWN:
        return 2, name
    return (0, f"{bands.index(name):02d}") if name in bands else (1, name)


def within(experiment: Experiment, evaluation: Evaluation, subgroup: str) -> Callable[[dict[str, Any]], bool]:
    """Whether a record is of a lesion view in a subgroup, named as ``kind:name``."""
    kind, _, name = subgroup.partition(":")
    members = _members(evaluation, "malignant", traits_of(experiment, evaluation.test_set)).get((kind, name), set())
    return lambda record: (record["sample_id"], record["lesion_id"]) in members


def words(subgroup: str) -> str:
    """``size:under 10 mm`` as pages say it; empty for none."""
    kind, _, name = subgroup.partition(":")
    return f"{KINDS.get(kind, kind).lower()}: {name}" if subgroup else ""


def _members(evaluation: Evaluation, group: str, traits: Traits) -> dict[Subgroup, set[tuple[str, str]]]:
    members: dict[Subgroup, set[tuple[str, str]]] = {}
    result = result_of(evaluation)
    for row in result.lesions:
        if row.malignancy != "malignant" or row.lesion_type not in LESION_TYPES[group]:
            continue
        place = row.sample_id, row.lesion_id
        known = traits.get(place, {}) | ({"type": TYPES[row.lesion_type]} if result.groups_known else {})
        for kind in KINDS:
            members.setdefault((kind, known.get(kind, NOT_KNOWN)), set()).add(place)
    return members


def _known_now(traits: Traits) -> str:
    """Ages, sites and spacings may be corrected after the evaluation."""
    return hashlib.sha256(repr(sorted(traits.items())).encode()).hexdigest()


def _sensitivities(evaluation: Evaluation, group: str, traits: Traits) -> dict[Subgroup, dict[str, Any]]:
    def compute() -> dict[Subgroup, dict[str, Any]]:
        from detection.evaluation.subgroups import sensitivities

        made = sensitivities(result_of(evaluation), _members(evaluation, group, traits), group)  # type: ignore[arg-type]
        return {subgroup: interval.to_json() for subgroup, interval in made.items()}

    return kept("subgroups", [evaluation.inputs_hash, group, _known_now(traits)], compute)


def _differences(
    experiment: Experiment,
    runs: Iterable[Run],
    test_set: str,
    group: str,
    traits: Traits,
    shown: Collection[Subgroup],
) -> dict[tuple[int, str, str], dict[str, Any]]:
    """Differences against the reference arm by run, kind and name, with p values corrected over all of them."""
    from detection.evaluation.hypothesis_tests import benjamini_hochberg

    found = selectors.evaluations(experiment)
    _, reference = selectors.compared_arms(experiment)
    before = {run.seed: run for run in reference.runs.all()} if reference else {}
    made: dict[tuple[int, str, str], dict[str, Any]] = {}
    for run in runs:
        other = before.get(run.seed)
        if reference is None or other is None or run.arm_id == reference.pk or (other.pk, test_set) not in found:
            continue
        pair = found[run.pk, test_set], found[other.pk, test_set]
        compared = _compared(pair[0], pair[1], group, traits)
        for (kind, name), one in ((subgroup, one) for subgroup, one in compared.items() if subgroup in shown):
            # a p value of a difference that is itself not shown enters no family
            enough = one["interval"]["n"] >= FEWEST_SHOWN
            made[run.pk, kind, name] = {**one, "p_value": one["p_value"] if enough else None}
    adjusted = benjamini_hochberg([one["p_value"] for one in made.values()])
    return {key: {**one, "adjusted": value} for (key, one), value in zip(made.items(), adjusted, strict=True)}


def _compared(arm: Evaluation, reference: Evaluation, group: str, traits: Traits) -> dict[Subgroup, dict[str, Any]]:
    def compute() -> dict[Subgroup, dict[str, Any]]:
        from detection.evaluation.subgroups import differences

        results = [result_of(one) for one in (arm, reference)]
        made = differences(results[0], results[1], _members(arm, group, traits), group)  # type: ignore[arg-type]
        return {
            subgroup: {"interval": one.interval.to_json(), "p_value": one.test.p_value}
            for subgroup, one in made.items()
        }

    return kept("subgroup-differences", [arm.inputs_hash, reference.inputs_hash, group, _known_now(traits)], compute)


def traits_of(experiment: Experiment, test_set: str) -> Traits:
    """What is known of each lesion on each view: size, site, vendor, age band, density and view."""
    chosen = VersionView.objects.filter(version=experiment.version, split=test_set)
    # in two parts: one join over all these tables leaves a database without fresh statistics to guess
    views = {
        view: facts
        for view, *facts in chosen.values_list(
            "view_id",
            "view__position",
            "view__exam__patient__site__code",
            "view__exam__patient__age",
            "view__exam__attributes",
        )
    }
    outlines = VersionAnnotation.objects.filter(version_view__in=chosen).values_list(
        "version_view__view_id",
        "annotation__lesion_id",
        "annotation__x1",
        "annotation__y1",
        "annotation__x2",
        "annotation__y2",
    )
    taken = _images(experiment, test_set)
    traits: Traits = {}
    for view, lesion, x1, y1, x2, y2 in outlines:
        position, site, age, attributes = views[view]
        known = {"site": site, "view": position}
        vendor, spacing = taken.get(view, ("unknown", None))
        if vendor != "unknown":
            known["vendor"] = vendor
        if age is not None:
            known["age"] = _band(age, AGES, OLDEST)
        if density := attributes.get(DENSITY):
            known["density"] = str(density)
        if spacing is not None:
            known["size"] = _band(max((x2 - x1) * spacing[0], (y2 - y1) * spacing[1]), SIZES, LARGEST)
        traits[sample_id(view), str(lesion)] = known
    return traits


def _images(experiment: Experiment, test_set: str) -> dict[int, tuple[str, tuple[float, float] | None]]:
    """Vendor, and mm a column and a row of the detector plane, of every view with a lesion."""
    images = Image.objects.filter(
        view__version_views__version=experiment.version,
        view__version_views__split=test_set,
        view__version_views__version_annotations__isnull=False,
    ).order_by("-pk")
    found: dict[int, tuple[str, tuple[float, float] | None]] = {}
    for view, vendor, column, row in images.values_list(
        "view_id", "vendor", "spacing_column", "spacing_row"
    ).distinct():
        # the first image that says it
        _, before = found.get(view, ("unknown", None))
        found[view] = vendor, before if column is None or row is None else (column, row)
    return found


def _band(value: float, bands: Iterable[tuple[float, str]], last: str) -> str:
    return next((words for end, words in bands if value < end), last)
