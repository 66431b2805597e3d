"""Calibration: numbers of other libraries, bins that open their rows, recalibration from validation alone."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
import statsmodels.api as sm
from django.test import Client
from scipy.stats import binned_statistic
from sklearn.metrics import brier_score_loss

from detection.evaluation.images import EvaluatedImage
from detection.finding import Finding
from detection.sample_set import Sample
from tests.webapp.experiment_records import finish_all, graded
from tests.webapp.results.conftest import listed
from webapp.accounts.models import Project
from webapp.experiments.models import Experiment, Prediction, Run
from webapp.results import calibration, calibration_figures, models, thresholds
from webapp.results.cases import cases_address
from webapp.results.models import Evaluation
from webapp.results.stored import result_of

pytestmark = pytest.mark.django_db
PAGE = "/study/results/1/calibration/"


def believed(sample: Sample) -> list[Finding]:
    """Finds every lesion; the probability is right more often than not, on both classes."""
    found = []
    for lesion in sample.lesions:
        number = 37 * int(sample.patient_id) + int(sample.sample_id.removeprefix("view-"))
        malignant = (lesion.malignancy == "malignant") == (number % 4 > 0)
        probability = 0.5 + (0.05 + (number % 20) / 100) * (1 if malignant else -1)
        found.append(Finding(lesion.box, (number % 90 + 10) / 100, probability, "cluster"))
    return found


@pytest.fixture
def ended(experiment: Experiment) -> Experiment:
    return finish_all(experiment, lambda run: believed)


def test_brier_bins_error_and_line_are_those_of_other_libraries(ended: Experiment, client: Client) -> None:
    lines = list(csv.DictReader(io.StringIO(client.get("/study/results/1/export/findings.csv").getvalue().decode())))
    for evaluation in Evaluation.objects.filter(test_set="external_test"):
        rows = calibration.rows_of(result_of(evaluation), "finding")
        assert rows is not None and len(rows.labels) >= 30
        labels, scores = np.array(rows.labels), np.array(rows.scores)
        exported = [
            float(line["malignancy_probability"])
            for line in lines
            if (line["arm"], line["test_set"]) == (evaluation.run.arm.name, "external_test")
            and line["located_malignancy"] in {"benign", "malignant"}
        ]
        assert sorted(exported) == pytest.approx(sorted(rows.scores))

        found = calibration.numbers(evaluation, "finding")

        assert found["equal_width"]["brier"]["value"] == pytest.approx(brier_score_loss(labels, scores))
        edges = np.linspace(0, 1, 11)
        for rule, ends in (("equal_width", edges), ("equal_mass", np.unique(np.quantile(scores, edges)))):
            # SciPy counts a score on an edge to the bin above it, as is documented here; scikit-learn to the one below
            observed, said = (binned_statistic(scores, values, "mean", ends).statistic for values in (labels, scores))
            observed, said = observed[~np.isnan(observed)], said[~np.isnan(said)]
            assert [one["observed"]["value"] for one in found[rule]["bins"]] == pytest.approx(observed.tolist())
            assert [one["mean_score"] for one in found[rule]["bins"]] == pytest.approx(said.tolist())
            weights = [one["observed"]["n"] for one in found[rule]["bins"]]
            error = np.average(np.abs(observed - said), weights=weights)
            assert found[rule]["expected_error"] == pytest.approx(error)
        fit = sm.GLM(labels, sm.add_constant(np.log(scores / (1 - scores))), family=sm.families.Binomial()).fit()
        assert [found["equal_width"]["intercept"], found["equal_width"]["slope"]] == pytest.approx(
            fit.params.tolist(), abs=1e-4
        )


def test_a_bar_is_over_patients_and_one_of_a_single_patient_is_not_drawn(ended: Experiment) -> None:
    evaluation = Evaluation.objects.filter(test_set="external_test")[0]
    body = calibration.numbers(evaluation, "finding")
    bins = body["equal_width"]["bins"]
    assert {one["observed"]["method"].split()[-1] for one in bins if one["observed"]["low"] is not None} == {"patients"}

    bins[0]["observed"] |= {"n": 40, "low": None, "high": None}

    assert calibration_figures.drawn_bins(body) == [one for one in bins[1:] if one["observed"]["n"] >= 10]


def test_net_benefit_is_counted_by_hand(ended: Experiment) -> None:
    evaluation = Evaluation.objects.filter(test_set="external_test")[0]
    rows = calibration.rows_of(result_of(evaluation), "image")
    assert rows is not None
    curve = calibration.numbers(evaluation, "image")["decision"]

    for place in (9, 39, 74):
        threshold = curve["thresholds"][place]
        called = [score >= threshold for score in rows.scores]
        true = sum(label and one for label, one in zip(rows.labels, called, strict=True))
        false = sum(one and not label for label, one in zip(rows.labels, called, strict=True))
        expected = (true - false * threshold / (1 - threshold)) / len(called)
        assert curve["model"][place] == pytest.approx(expected)


@pytest.mark.parametrize("what", ["finding", "image"])
def test_every_point_opens_the_rows_it_is_made_of(
    ended: Experiment, project: Project, client: Client, what: str
) -> None:
    panel = calibration_figures.panels(ended, what, cases_address(project, 1))[1]
    checked = 0
    for trace, row in zip(panel["reliability"]["data"], panel["rows"], strict=True):
        bins = [one for one in row["body"]["equal_width"]["bins"] if one["observed"]["n"] >= 10]
        for one, data in zip(bins, trace["customdata"], strict=True):
            assert len(listed(client, data["url"])) == one["observed"]["n"]
            checked += 1
    assert checked >= 3
    data = panel["decision"]["data"][0]["customdata"][49]
    rows = calibration.rows_of(
        result_of(Evaluation.objects.get(run=panel["rows"][0]["run"], test_set="external_test")), what
    )
    assert rows is not None
    assert len(listed(client, data["url"])) == sum(score >= 0.5 for score in rows.scores)


def test_recalibration_is_fitted_on_validation_alone(ended: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    internal, external = (
        Evaluation.objects.filter(test_set=f"{name}_test").order_by("pk")[0] for name in ("internal", "external")
    )
    read = thresholds.images_of

    def images_of(run: Run, split: str) -> list[EvaluatedImage]:
        assert split == "validation"
        return read(run, "external_test")  # validation of these records is small

    monkeypatch.setattr(thresholds, "images_of", images_of)

    fitted, applied = (calibration.numbers(one, "finding") for one in (external, internal))

    # on the rows the line was fitted on, it is their own line, and what it gives is calibrated
    assert fitted["line"] == pytest.approx((fitted["equal_width"]["intercept"], fitted["equal_width"]["slope"]))
    assert fitted["recalibrated"]["slope"] == pytest.approx(1, abs=1e-3)
    assert fitted["recalibrated"]["intercept"] == pytest.approx(0, abs=1e-3)
    rows = calibration.rows_of(result_of(internal), "finding")
    assert rows is not None and applied["line"] == fitted["line"]
    said = np.array(rows.scores)
    mapped = 1 / (1 + np.exp(-(applied["line"][0] + applied["line"][1] * np.log(said / (1 - said)))))
    assert applied["recalibrated"]["brier"]["value"] == pytest.approx(brier_score_loss(rows.labels, mapped))


def test_without_validation_predictions_nothing_is_recalibrated(ended: Experiment) -> None:
    evaluation = Evaluation.objects.filter(test_set="external_test")[0]
    Prediction.objects.filter(run=evaluation.run, split="validation").delete()

    found = calibration.numbers(evaluation, "finding")

    assert found["recalibrated"] is None and found["not_recalibrated"] == calibration.NO_VALIDATION


def test_nothing_found_is_undefined_with_a_reason_and_open_runs_keep_the_page_closed(
    experiment: Experiment, client: Client
) -> None:
    assert "Open when 3 of 3 runs end" in client.get(PAGE).content.decode()
    assert not models.TestSetLook.objects.exists()
    finish_all(experiment, lambda run: lambda sample: [] if run.arm.position else graded()(sample))

    page = client.get(PAGE).content.decode()

    assert "Real + 200 %, seed 0: undefined: no rows" in page
    assert client.get(PAGE, {"what": "image"}).status_code == 200
    assert client.get(PAGE, {"what": "tea leaves"}).status_code == 404
