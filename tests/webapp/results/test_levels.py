"""Numbers per image, breast, patient and lesion: recomputed from the views, and each opens the views it counts."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client
from sklearn.metrics import confusion_matrix, f1_score, precision_score, recall_score, roc_auc_score

from detection.evaluation.levels import level_numbers
from detection.evaluation.protocol import Protocol, UnitScore
from detection.evaluation.test_set import evaluate
from tests.webapp.experiment_records import finish_all, graded
from webapp.accounts.models import Project
from webapp.cases.models import View
from webapp.experiments.models import Experiment, Prediction
from webapp.experiments.sample_sets import view_id
from webapp.results import level_thresholds, levels, models, thresholds
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


def test_the_page_says_each_rule_once(ended: Experiment, client: Client) -> None:
    protocol = Protocol.from_json(ended.protocol)
    words = client.get(PAGE).content.decode().replace("&gt;", ">")

    for rule in (protocol.matching_words(), protocol.interval_words("patient"), "called malignant when score > 0.1"):
        assert words.lower().count(rule.lower()) == 1, rule
    # one row a test set of what a level adds
    assert words.count("found when any view that shows it finds it") == 2
    assert words.count("score of the breast: the highest over its views") == 2


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


@pytest.mark.parametrize("level", ["image", "breast", "patient"])
@pytest.mark.parametrize("rule", ["max", "mean", "noisy-or"])
def test_counts_at_a_step_are_those_of_an_evaluation_at_that_threshold(
    ended: Experiment, project: Project, level: str, rule: UnitScore
) -> None:
    evaluation = Evaluation.objects.filter(test_set="internal_test")[1]
    protocol = replace(Protocol.from_json(evaluation.protocol), unit_score=rule, resamples=100)
    evaluation.protocol, evaluation.inputs_hash = protocol.to_json(), f"{rule}-{level}"

    counted = level_thresholds.counts(evaluation, level, "malignant")

    for step in (0, 40, 100, 450, 999):
        at = replace(protocol, score_above=step / 1000)
        there = level_numbers(evaluate(thresholds.evaluated_images(evaluation), at), [level])[level]  # type: ignore[list-item, index]
        assert counted["found"][step] == (there.sensitivity.numerator or 0)
        assert counted["wrong"][step] == counted["negatives"] - (there.specificity.numerator or 0)
        assert (counted["lesions"], counted["negatives"]) == (there.sensitivity.n, there.specificity.n)
        units = level_thresholds.units_above(evaluation, level, "malignant", step / 1000)
        assert [(one.key, one.positive, one.score) for one in units] == [
            (one.key, one.positive, one.score) for one in there.units
        ]


@pytest.mark.parametrize("outcome", ["fn", "tp", "fp", "tn"])
def test_the_views_below_the_slider_are_those_of_the_whole_list(
    ended: Experiment, project: Project, client: Client, outcome: str
) -> None:
    evaluation = Evaluation.objects.filter(test_set="external_test")[2]
    asked = {"run": evaluation.run_id, "test_set": "external_test", "group": "malignant", "outcome": outcome}
    for level in level_thresholds.LEVELS:
        total, first = levels.first_cases(project, evaluation, level, "malignant", outcome, 0.35, 4)
        query = asked | {"measure": "views", "level": level, "score": "0.350"}
        whole = client.get(CASES, query).context["page"].paginator.object_list
        below = client.get("/study/results/1/threshold/", asked | {"level": level, "step": 350})

        assert total == len(whole) == below.context["total"] and first == whole[:4]
        assert all("score=0.350" in case.viewer_url for case in first)
        assert client.get(below.context["all_url"]).context["page"].paginator.count == total


def test_the_curves_move_the_threshold_at_the_level_of_the_address(ended: Experiment, client: Client) -> None:
    page = client.get("/study/results/1/curves/", {"level": "breast", "step": "420"})

    (sets,) = {tuple(run["sets"]) for run in page.context["slider"]["runs"]}
    assert sets == ("internal_test", "external_test") and page.context["start"] == 420
    words = page.content.decode()
    assert "counted per breast" in words and "Specificity, internal" in words and 'value="420"' in words
    assert "False positives per image, internal" not in words
    assert "Counted per lesion on a view, as FROC is by definition" in words

    other = client.get("/study/results/1/curves/", {"level": "breast", "group": "malignant_mass"})
    assert "a whole breast is not of one lesion type" in other.content.decode()
    for query in ({"level": "lesion"}, {"step": "1000"}, {"step": "x"}):
        assert client.get("/study/results/1/curves/", query).status_code == 404


def test_findings_that_changed_after_the_evaluation_offer_no_threshold(ended: Experiment) -> None:
    evaluation = Evaluation.objects.filter(test_set="internal_test")[0]
    Prediction.objects.filter(run=evaluation.run, split="internal_test").delete()

    assert level_thresholds.counts(evaluation, "image", "malignant") == {"reason": thresholds.CHANGED}


@pytest.mark.parametrize(
    "query",
    [{"measure": "views"}, {"level": "patient"}, {"measure": "views", "level": "lesion on a view"},
     {"at_least": "0.5"}, {"measure": "views", "level": "image", "outcome": "missed"},
     {"measure": "views", "level": "lesion", "score": "0.5"}],
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
