"""Subgroups: every lesion once, numbers counted by hand, rows that open their cases, corrected differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from django.test import Client
from statsmodels.stats.multitest import multipletests

from tests.webapp.experiment_records import finish_all, graded
from webapp.accounts.models import Project
from webapp.cases.models import Exam, Image, Patient, View
from webapp.core.templatetags.cemlab import interval_parts
from webapp.experiments.models import Experiment
from webapp.experiments.sample_sets import view_id
from webapp.results import subgroups
from webapp.results.cases import cases_address
from webapp.results.models import Evaluation

pytestmark = pytest.mark.django_db
PAGE = "/study/results/1/failures/"


@pytest.fixture
def ended(experiment: Experiment) -> Experiment:
    return finish_all(experiment, lambda run: graded(run.arm.position))


@pytest.fixture
def known(ended: Experiment) -> Experiment:
    """Age of every third patient is recorded, and the density of exams, two and two, half of them malignant."""
    Patient.objects.filter(pk__in=Patient.objects.order_by("pk").values_list("pk", flat=True)[::3]).update(age=55)
    for place, exam in enumerate(Exam.objects.order_by("pk")):
        if place % 4 < 2:
            exam.attributes = {"breast_density": "C"}
            exam.save()
    return ended


def rows(panel: dict[str, Any], label: str) -> dict[str, dict[str, Any]]:
    kind = next(one for one in panel["kinds"] if one["label"] == label)
    return {row["label"]: row for row in kind["rows"]}


def test_subgroups_of_a_kind_hold_every_lesion_once(known: Experiment) -> None:
    for panel in subgroups.subgroups(known, "malignant"):
        test_set = panel["label"] + "_test"
        whole = Evaluation.objects.get(run=panel["runs"][0], test_set=test_set).result["sensitivity"]["malignant"]
        assert {"Lesion type", "Age at the first exam", "Breast density"} <= {kind["label"] for kind in panel["kinds"]}
        for kind in panel["kinds"]:
            assert sum(row["numbers"][0]["denominator"] for row in kind["rows"]) == whole["denominator"]
            assert sum(row["numbers"][0]["numerator"] for row in kind["rows"]) == whole["numerator"]


def test_a_subgroup_by_type_is_the_number_of_the_evaluation(ended: Experiment) -> None:
    panel = subgroups.subgroups(ended, "malignant")[1]

    for label, group in (("cluster", "malignant_cluster"), ("mass", "malignant_mass")):
        for run, number in zip(panel["runs"], rows(panel, "Lesion type")[label]["numbers"], strict=True):
            stored = Evaluation.objects.get(run=run, test_set="external_test").result["sensitivity"][group]
            assert {**number, "skipped": 0} == {**stored, "skipped": 0}


def test_density_is_that_of_the_exam_and_the_row_opens_its_cases(
    known: Experiment, project: Project, client: Client
) -> None:
    panel = subgroups.subgroups(known, "malignant", cases_address(project, 1))[1]
    row = rows(panel, "Breast density")["C"]
    evaluation = Evaluation.objects.get(run=panel["runs"][2], test_set="external_test")
    dense = set(View.objects.filter(exam__attributes__breast_density="C").values_list("pk", flat=True))
    hits = [
        record["outcome"] == "TP"
        for record in evaluation.result["lesions"]
        if record["malignancy"] == "malignant" and view_id(record["sample_id"]) in dense
    ]

    assert row["numbers"][2]["value"] == pytest.approx(np.mean(hits)) and row["numbers"][2]["n"] == len(hits)
    page = client.get(row["urls"][2])
    assert page.context["page"].paginator.count == len(hits)
    assert {case.view.pk for case in page.context["page"].paginator.object_list} <= dense
    assert "Only the subgroup breast density: C" in page.content.decode()


def test_differences_are_against_the_reference_and_corrected_over_the_test_set(known: Experiment) -> None:
    for panel in subgroups.subgroups(known, "malignant"):
        assert panel["reference"].name == "Real + 0 %"
        tested = []
        for kind in panel["kinds"]:
            for row in kind["rows"]:
                assert row["differences"][0] is None
                for number, one in zip(row["numbers"][1:], row["differences"][1:], strict=True):
                    first = row["numbers"][0]
                    if number["n"] < 10:
                        assert one["p_value"] is None and one["adjusted"] is None
                    elif one["p_value"] is not None:
                        assert one["interval"]["value"] == pytest.approx(number["value"] - first["value"])
                        tested.append(one)
        assert len(tested) == panel["compared"]
        assert panel["label"] == "internal" or tested
        order = sorted(tested, key=lambda one: one["p_value"])
        assert all(one["adjusted"] >= one["p_value"] for one in order)
        assert [one["adjusted"] for one in order] == sorted(one["adjusted"] for one in order)


def test_the_correction_is_that_of_statsmodels(ended: Experiment) -> None:
    found = subgroups._differences(
        ended,
        [run for arm in ended.arms.order_by("position") for run in arm.runs.all()],
        "external_test",
        "malignant",
        subgroups.traits_of(ended, "external_test"),
        {("type", "mass"), ("type", "cluster")},
    )
    tested = [one for one in found.values() if one["p_value"] is not None]

    expected = multipletests([one["p_value"] for one in tested], method="fdr_bh")[1]
    assert len(tested) >= 4 and [one["adjusted"] for one in tested] == pytest.approx(expected.tolist())


def test_a_subgroup_under_ten_has_its_n_and_no_value(ended: Experiment) -> None:
    numbers = [
        number
        for panel in subgroups.subgroups(ended, "malignant")
        for kind in panel["kinds"]
        for row in kind["rows"]
        for number in row["numbers"]
        if number["n"] < 10
    ]

    assert numbers and all("too few" in interval_parts(number)["undefined"] for number in numbers)


@pytest.mark.parametrize(
    ("spacing", "words"), [(0.1, "under 10 mm"), (0.2, "10 to 20 mm"), (0.5, "20 mm and over"), (None, None)]
)
def test_size_is_the_longer_side_of_the_box_in_mm(ended: Experiment, spacing: float | None, words: str | None) -> None:
    Image.objects.update(spacing_row=spacing, spacing_column=spacing)  # boxes are 50 pixels wide

    sizes = {known.get("size") for known in subgroups.traits_of(ended, "internal_test").values()}

    assert sizes == {words}
