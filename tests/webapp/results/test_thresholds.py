"""Curves and the score threshold: what each step gives is what an evaluation at that threshold gives."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from django.test import Client

from detection.evaluation import froc
from detection.evaluation import test_set as evaluation_package
from detection.evaluation.average_precision import average_precision
from detection.evaluation.images import EvaluatedImage
from detection.evaluation.protocol import Protocol
from detection.finding import Finding
from detection.sample_set import Sample
from tests.webapp import experiment_records, records
from tests.webapp.experiment_records import finish, finish_all, graded
from tests.webapp.results.conftest import listed
from webapp.accounts.models import Project, User
from webapp.core.errors import UserError
from webapp.core.models import AuditEvent
from webapp.datasets.models import DatasetVersion
from webapp.experiments.models import Experiment, Prediction, Run
from webapp.results import curves, models, selectors, thresholds
from webapp.results.cases import cases, cases_address
from webapp.results.models import Evaluation

pytestmark = pytest.mark.django_db
CURVES = "/study/results/1/curves/"
THRESHOLD = "/study/results/1/threshold/"


@pytest.fixture
def ended(experiment: Experiment) -> Experiment:
    return finish_all(experiment, lambda run: graded(run.arm.position))


def asked(run: Run, **changes: Any) -> dict[str, Any]:
    query = {"step": 500, "run": run.pk, "test_set": "internal_test", "group": "malignant", "outcome": "missed"}
    return query | changes


@pytest.mark.parametrize("step", [0, 100, 237, 600, 999])
def test_counts_at_a_step_are_those_of_an_evaluation_at_that_threshold(ended: Experiment, step: int) -> None:
    for evaluation in Evaluation.objects.all():
        protocol = replace(Protocol.from_json(evaluation.protocol), score_above=step / 1000, resamples=100)
        there = evaluation_package.evaluate(thresholds.evaluated_images(evaluation), protocol)
        for group in selectors.GROUPS:
            counted = thresholds.counts(evaluation, group)

            sensitivity, precision = there.sensitivity[group], there.precision[group]  # type: ignore[index]
            assert counted["found"][step] == (sensitivity.numerator or 0)
            assert counted["right"][step] == (precision.numerator or 0)
            assert counted["right"][step] + counted["wrong"][step] == (precision.denominator or 0)


def test_the_stored_findings_give_back_the_evaluation(ended: Experiment) -> None:
    for evaluation in Evaluation.objects.all():
        again = evaluation_package.evaluate(
            thresholds.evaluated_images(evaluation), Protocol.from_json(evaluation.protocol)
        )

        assert again.to_json() == evaluation.result


def test_outlines_are_read_where_the_protocol_measures_overlap_on_them(ended: Experiment) -> None:
    run = Evaluation.objects.filter(test_set="internal_test")[0].run
    Prediction.objects.filter(run=run).update(contour=[[0, 0], [9, 0], [9, 9]])
    boxes = thresholds.images_of(run, "internal_test")
    run.arm.experiment.protocol = replace(Protocol(), iou_of="mask").to_json()

    masks = thresholds.images_of(run, "internal_test")

    assert {finding.contour for image in masks for finding in image.findings} == {((0, 0), (9, 0), (9, 9))}
    assert all(target.polygons for image in masks for target in image.targets)
    assert not any(finding.contour for image in boxes for finding in image.findings)
    assert not any(target.polygons for image in boxes for target in image.targets)
    assert [image.breast_id for image in masks] == [image.breast_id for image in boxes]
    assert all(image.breast_id for image in masks)


def test_findings_that_changed_after_the_evaluation_offer_no_threshold(ended: Experiment) -> None:
    evaluation = Evaluation.objects.filter(test_set="internal_test")[0]
    Prediction.objects.filter(run=evaluation.run, split="internal_test").delete()

    assert thresholds.counts(evaluation, "malignant") == {"reason": thresholds.CHANGED}


def test_masses_have_no_threshold_where_types_are_not_known(ended: Experiment) -> None:
    evaluation = Evaluation.objects.filter(test_set="external_test")[0]
    protocol = Protocol.from_json(evaluation.protocol)
    untyped = evaluation_package.evaluate(thresholds.evaluated_images(evaluation), protocol, groups_known=False)
    evaluation.result, evaluation.inputs_hash = untyped.to_json(), "0" * 64

    assert "types of this test set are not known" in thresholds.counts(evaluation, "malignant_mass")["reason"]
    assert "types of this test set are not known" in curves.curve(evaluation, "malignant_mass")["reason"]
    assert "reason" not in thresholds.counts(evaluation, "malignant")


def test_another_matching_has_no_threshold_to_move(ended: Experiment) -> None:
    evaluation = Evaluation.objects.all()[0]
    evaluation.protocol = replace(Protocol.from_json(evaluation.protocol), matching="hungarian").to_json()

    assert thresholds.counts(evaluation, "malignant") == {"reason": thresholds.NOT_GREEDY}
    with pytest.raises(UserError, match="greedily"):
        thresholds.outcomes_above(evaluation, 0.5)


def test_the_cases_at_a_threshold_are_those_the_slider_counts(ended: Experiment, project: Project) -> None:
    evaluation = Evaluation.objects.filter(test_set="internal_test")[0]
    counted = thresholds.counts(evaluation, "malignant")

    for step in (50, 300, 700):
        at = thresholds.outcomes_above(evaluation, step / 1000)
        found, missed, wrong = (
            cases(project, evaluation, measure, "malignant", outcome, at=at)
            for measure, outcome in (("sensitivity", "found"), ("sensitivity", "missed"), ("precision", "wrong"))
        )
        assert (len(found), len(wrong)) == (counted["found"][step], counted["wrong"][step])
        assert len(found) + len(missed) == counted["lesions"]
        assert all(case.reason for case in missed)
        assert all(f"score={step / 1000:.3f}" in case.viewer_url for case in found)


@pytest.mark.parametrize(
    ("measure", "outcome"),
    [("sensitivity", "found"), ("sensitivity", "missed"), ("precision", "right"), ("precision", "wrong")],
)
@pytest.mark.parametrize("group", ["malignant", "malignant_cluster"])
def test_the_first_cases_are_the_beginning_of_the_whole_list(
    ended: Experiment, project: Project, measure: str, outcome: str, group: str
) -> None:
    evaluation = Evaluation.objects.filter(test_set="external_test")[1]

    for score in (0.0, 0.25, 0.6):
        whole = cases(project, evaluation, measure, group, outcome, at=thresholds.outcomes_above(evaluation, score))
        total, first = thresholds.first_cases(project, evaluation, measure, group, outcome, score, 4)

        assert total == len(whole) and first == whole[:4]


def test_a_validation_point_is_the_step_that_decides_alike(ended: Experiment) -> None:
    run = Run.objects.order_by("pk")[0]
    images = thresholds.images_of(run, "validation")
    scores = [max((f.score for f in image.findings if f.is_malignant), default=0.0) for image in images]

    points = thresholds.operating_points(run)

    assert [point["rule"] for point in points] == ["Youden", "specificity above 0.9", "sensitivity of at least 0.9"]
    for point in points:
        if point["step"] is not None:
            threshold, step = point["threshold"], point["step"] / 1000
            assert step < threshold <= step + 0.001 + 1e-12
            assert [score >= threshold for score in scores] == [score > step for score in scores]


def test_a_view_of_unknown_malignancy_chooses_no_threshold(ended: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run.objects.all()[0]
    images = thresholds.images_of(run, "validation")
    known = thresholds._choose(run)
    lesion = next(target for image in images for target in image.targets)
    called = Finding(lesion.box, 1.0, 0.9, "mass")
    unknown = EvaluatedImage("view-0", "p", (replace(lesion, malignancy="unknown"),), (called,))

    monkeypatch.setattr(thresholds, "images_of", lambda *asked: [*images, unknown])

    assert thresholds._choose(run) == known


@pytest.mark.parametrize(("threshold", "step"), [(None, None), (0.0, None), (0.5, 499), (0.4996, 499), (1.0, 999)])
def test_at_or_above_a_threshold_is_above_the_step_below(threshold: float | None, step: int | None) -> None:
    assert thresholds.step_below(threshold) == step


# curves


def test_curves_are_those_of_the_evaluation_package(ended: Experiment, project: Project) -> None:
    panels = curves.panels(ended, "malignant", cases_address(project, 1))

    assert [panel["label"] for panel in panels] == ["internal", "external"]
    for panel in panels:
        roc, recall, free = (figure["figure"]["data"] for figure in panel["figures"])
        assert len(recall) == len(free) == 3 and len(roc) <= 3
        for trace, run in zip(free, Run.objects.order_by("arm__position"), strict=True):
            evaluation = Evaluation.objects.get(run=run, test_set=panel["test_set"])
            same = froc.froc_curve(
                thresholds.evaluated_images(evaluation), Protocol.from_json(evaluation.protocol), resamples=100
            )
            assert trace["x"] == same.false_positives_per_image.tolist()
            assert trace["y"] == same.sensitivity.tolist()
            assert curves.curve(evaluation, "malignant")["merits"]["CPM"]["value"] == pytest.approx(same.cpm.value)
            precise = average_precision(
                thresholds.evaluated_images(evaluation), Protocol.from_json(evaluation.protocol), resamples=100
            )
            assert curves.curve(evaluation, "malignant")["merits"]["AP"]["value"] == precise.interval.value


def test_the_roc_that_is_drawn_has_the_area_that_is_printed(experiment: Experiment, project: Project) -> None:
    def coarse(sample: Sample) -> list[Finding]:
        number = int(sample.sample_id.removeprefix("view-"))
        return [
            Finding(lesion.box, 0.9, (1 + (number + place) % 3) / 4, "mass")
            for place, lesion in enumerate(sample.lesions)
        ]

    finish_all(experiment, lambda run: coarse)

    for panel in curves.panels(experiment, "malignant", cases_address(project, 1)):
        for trace, run in zip(panel["figures"][0]["figure"]["data"], Run.objects.order_by("pk"), strict=False):
            x, y = np.array(trace["x"]), np.array(trace["y"])
            height = y[:-1] if trace["line"]["shape"] == "hv" else (y[:-1] + y[1:]) / 2
            stored = Evaluation.objects.get(run=run, test_set=panel["test_set"]).result
            assert np.diff(x) @ height == pytest.approx(stored["auc"]["malignant"]["value"])
            assert len(x) < stored["auc"]["malignant"]["n"], "scores tie"


def test_a_point_of_a_curve_opens_the_lesions_it_misses(ended: Experiment, project: Project, client: Client) -> None:
    panel = curves.panels(ended, "malignant", cases_address(project, 1))[0]
    trace = panel["figures"][2]["figure"]["data"][0]
    evaluation = Evaluation.objects.get(run=Run.objects.order_by("pk")[0], test_set="internal_test")
    lesions = evaluation.result["sensitivity"]["malignant"]["denominator"]
    place = len(trace["x"]) // 2

    url = trace["customdata"][place]["url"]

    assert len(listed(client, url)) == lesions - round(trace["y"][place] * lesions)
    page = client.get(url.removesuffix("&open=first")).content.decode()
    assert "A threshold chosen on a test set is not evidence" in page


def test_seeds_are_lines_of_their_own_and_their_spread_stands_apart(
    project: Project, researcher: User, version: DatasetVersion, client: Client
) -> None:
    experiment = experiment_records.launch(project, researcher, version, ratios=(0.0, 1.0), seeds=(0, 1))
    finish_all(experiment, lambda run: graded(5 * run.seed + run.arm.position))

    panel = curves.panels(experiment, "malignant", cases_address(project, 1))[0]

    assert len(panel["figures"][2]["figure"]["data"]) == 4
    assert {trace["line"]["color"] for trace in panel["figures"][2]["figure"]["data"]} == {"role:s1", "role:s2"}
    for one in panel["arms"]:
        values = sorted(entry["merits"][0]["value"] for entry in one["runs"])
        assert one["spread"]["cpm"] == f"{values[0]:.2f} to {values[1]:.2f} over 2 seeds"
    assert "The spread between seeds is another thing" in client.get(CURVES).content.decode()


def test_without_findings_the_page_gives_reasons_in_place_of_curves(experiment: Experiment, client: Client) -> None:
    finish_all(experiment, lambda run: lambda sample: [])

    page = client.get(CURVES)

    assert page.status_code == 200 and "no matched findings" in page.content.decode()


# lock and looks


def test_while_runs_are_open_curves_and_thresholds_are_closed(experiment: Experiment, client: Client) -> None:
    run = Run.objects.order_by("pk")[0]
    finish(run, graded())

    for address, query in ((CURVES, {}), (THRESHOLD, asked(run))):
        page = client.get(address, query).content.decode()
        assert "Open when 3 of 3 runs end; 1 done" in page and "threshold-counts" not in page
    assert not models.TestSetLook.objects.exists()


def test_moving_the_threshold_is_no_further_look_but_is_written_down(ended: Experiment, client: Client) -> None:
    run = Run.objects.order_by("pk")[0]
    client.get("/study/results/1/")
    client.get(CURVES)
    for step in (100, 200, 300):
        assert client.get(THRESHOLD, asked(run, step=step)).status_code == 200

    assert selectors.looks(ended) == {"internal_test": 1, "external_test": 1}
    assert AuditEvent.objects.filter(action="results.part").count() == 4


def test_who_comes_to_the_curves_first_is_counted_there(ended: Experiment, client: Client, project: Project) -> None:
    client.get(CURVES)
    other = Client()
    other.force_login(records.make_member(project, "observer"))
    other.get(THRESHOLD, asked(Run.objects.order_by("pk")[0]))

    assert selectors.looks(ended) == {"internal_test": 2, "external_test": 2}


@pytest.mark.parametrize(
    "change", [{"step": 1000}, {"step": "x"}, {"run": 999999}, {"test_set": "train"}, {"outcome": "lucky"}]
)
def test_an_address_that_names_no_threshold_is_not_found(
    ended: Experiment, client: Client, change: dict[str, Any]
) -> None:
    assert client.get(THRESHOLD, asked(Run.objects.order_by("pk")[0]) | change).status_code == 404


def test_the_page_carries_counts_by_run_and_test_set(ended: Experiment, client: Client) -> None:
    page = client.get(CURVES, {"group": "malignant_cluster"})

    slider = page.context["slider"]
    assert len(slider["runs"]) == 3
    assert all(set(run["sets"]) == {"internal_test", "external_test"} for run in slider["runs"])
    assert all(len(one["found"]) == 1000 for run in slider["runs"] for one in run["sets"].values())
    assert "A threshold chosen on a test set is not evidence" in page.content.decode()
    assert client.get(CURVES, {"group": "benign"}).status_code == 404
