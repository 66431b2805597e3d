"""Numbers per image, breast, patient and lesion: recomputed from the views, and each opens the views it counts."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest
from django.test import Client
from sklearn.metrics import confusion_matrix, f1_score, precision_score, recall_score, roc_auc_score

from tests.webapp.experiment_records import finish_all, graded
from webapp.accounts.models import Project
from webapp.cases.models import View
from webapp.experiments.models import Experiment
from webapp.experiments.sample_sets import view_id
from webapp.results import levels, models
from webapp.results.cases import cases_address
from webapp.results.models import Evaluation

pytestmark = pytest.mark.django_db
PAGE = "/study/results/1/levels/"
CASES = "/study/results/1/lesions/"


@pytest.fixture
def ended(experiment: Experiment) -> Experiment:
    return finish_all(experiment, lambda run: graded(run.arm.position))


def units(result: dict[str, Any], level: str) -> list[tuple[bool, float]]:
    """Truth and score of every unit, from the stored lesions and findings alone."""
    view_of = {view.pk: view for view in View.objects.select_related("exam")}
    malignant: dict[Any, bool] = defaultdict(bool)
    score: dict[Any, float] = defaultdict(float)
    names = {}
    for sample in {row["sample_id"] for row in result["views"]}:
        view = view_of[view_id(sample)]
        names[sample] = {
            "image": sample,
            "breast": (view.exam_id, view.laterality),
            "patient": view.exam.patient_id,
        }[level]
        malignant[names[sample]] |= False
    for row in result["lesions"]:
        malignant[names[row["sample_id"]]] |= row["malignancy"] == "malignant"
    for row in result["findings"]:
        if row["called_malignant"] and row["outcome"] != "below":
            name = names[row["sample_id"]]
            score[name] = max(score[name], row["score"])
    return [(truth, score[name]) for name, truth in malignant.items()]


@pytest.mark.parametrize("level", ["image", "breast", "patient"])
def test_the_numbers_of_a_level_are_those_of_scikit_learn(ended: Experiment, level: str) -> None:
    for evaluation in Evaluation.objects.all():
        found = levels.numbers(evaluation, "malignant")[level]

        truth, score = zip(*units(evaluation.result, level), strict=True)
        called = [one > 0.1 for one in score]
        (tn, fp), _ = confusion_matrix(truth, called, labels=[False, True])
        expected = {
            "sensitivity": recall_score(truth, called),
            "specificity": tn / (tn + fp),
            "precision": precision_score(truth, called),
            "f1": f1_score(truth, called),
            "auc": roc_auc_score(truth, score),
        }
        for name, value in expected.items():
            assert found[name]["value"] == pytest.approx(value), name
            assert found[name]["low"] <= value <= found[name]["high"]
        assert (found["units"], found["malignant"]) == (len(truth), sum(truth))


def test_a_lesion_on_a_view_is_the_main_number(ended: Experiment) -> None:
    for evaluation in Evaluation.objects.all():
        found = levels.numbers(evaluation, "malignant_cluster")

        for measure in ("sensitivity", "precision"):
            stored = evaluation.result[measure]["malignant_cluster"]
            assert found["lesion on a view"][measure]["value"] == stored["value"]
        assert (
            found["lesion"]["specificity"]["value"] is None and "negatives" in found["lesion"]["specificity"]["reason"]
        )
        assert "not of one lesion type" in found["patient"]["sensitivity"]["reason"]


def test_every_number_opens_the_views_of_its_units(ended: Experiment, project: Project, client: Client) -> None:
    panel = levels.panels(ended, "malignant", cases_address(project, 1))[0]
    for block in panel["levels"][:3]:
        row = block["rows"][0]
        evaluation = Evaluation.objects.get(run=row["run"], test_set=panel["test_set"])
        rows = units(evaluation.result, block["level"])
        missed = sum(truth and score <= 0.1 for truth, score in rows)
        false = sum(not truth and score > 0.1 for truth, score in rows)

        for (_, url), expected in zip(row["cells"][:2], (missed, false), strict=True):
            listed = client.get(url).context["page"].paginator.object_list
            names = {
                "image": {case.view.pk for case in listed},
                "breast": {(case.view.exam_id, case.view.laterality) for case in listed},
                "patient": {case.view.exam.patient_id for case in listed},
            }
            assert len(names[block["level"]]) == expected
            assert all("score=" in case.viewer_url and f"run={row['run'].pk}" in case.viewer_url for case in listed)


@pytest.mark.parametrize(
    "query",
    [{"measure": "views"}, {"level": "patient"}, {"measure": "views", "level": "lesion on a view"},
     {"at_least": "0.5"}, {"measure": "views", "level": "image", "outcome": "missed"}],
)  # fmt: skip
def test_views_are_listed_for_a_level_and_lesions_have_no_probability(
    ended: Experiment, client: Client, query: dict[str, str]
) -> None:
    run = Evaluation.objects.all()[0].run_id

    asked = {"run": run, "test_set": "internal_test", "group": "malignant"} | query

    assert client.get(CASES, asked).status_code == 404


def test_results_stored_without_views_say_what_to_do(ended: Experiment, client: Client) -> None:
    evaluation = Evaluation.objects.filter(test_set="internal_test")[0]
    evaluation.result = {name: value for name, value in evaluation.result.items() if name != "views"} | {
        "schema": "cemlab.test-set-result/2"
    }
    Evaluation.objects.filter(pk=evaluation.pk).delete()
    evaluation.save(force_insert=True)

    found = levels.numbers(evaluation, "malignant")

    assert all("evaluate the run again" in found[level]["auc"]["reason"] for level in levels.LEVELS)


def test_while_runs_are_open_levels_are_closed(experiment: Experiment, client: Client) -> None:
    assert "Open when 3 of 3 runs end; 0 done" in client.get(PAGE).content.decode()
    assert not models.TestSetLook.objects.exists()
