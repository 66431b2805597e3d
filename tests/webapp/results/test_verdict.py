"""The declared comparison on the primary endpoint: what was asked, what came out, what it cannot say."""

from __future__ import annotations

import csv
import io
from collections import defaultdict

import numpy as np
import pytest
from django.test import Client

from tests.webapp import experiment_records
from tests.webapp.experiment_records import finish, finish_all, seen
from webapp.accounts.models import Project, User
from webapp.datasets.models import DatasetVersion
from webapp.experiments import services
from webapp.experiments.models import Experiment
from webapp.results import selectors
from webapp.results.models import Evaluation
from webapp.results.verdict import verdict

pytestmark = pytest.mark.django_db
PAGE = "/study/results/1/"


def test_the_difference_is_that_of_the_lesions_in_the_export(ended: Experiment, client: Client) -> None:
    found = verdict(ended)

    assert found.arm is not None and found.arm.name == "Real + 200 %"
    assert found.reference is not None and found.reference.name == "Real + 0 %"
    lines = list(csv.DictReader(io.StringIO(client.get(f"{PAGE}export/lesions.csv").getvalue().decode())))
    hits: dict[str, list[int]] = defaultdict(list)
    for line in lines:
        if (line["test_set"], line["malignancy"]) == ("internal_test", "malignant"):
            hits[line["arm"]].append(int(line["outcome"] == "TP"))
    expected = np.mean(hits["Real + 200 %"]) - np.mean(hits["Real + 0 %"])
    assert found.interval["value"] == pytest.approx(expected) and found.interval["n"] == len(hits["Real + 0 %"])
    assert found.interval["low"] <= expected <= found.interval["high"]


def test_the_page_begins_with_question_answer_and_limits(ended: Experiment, client: Client) -> None:
    page = client.get(PAGE).content.decode()

    assert page.index('id="verdict"') < page.index('id="panel-sensitivity"')
    assert (
        "Is the sensitivity for all malignant lesions on the internal test set higher with Real + 200 % than with "
        "Real + 0 %?" in page
    )
    assert verdict(ended).came_out in page
    assert "One seed: what another training" in page and "answers for this endpoint alone" in page
    assert "was opened 2 times" not in page
    assert "was opened 2 times" in client.get(PAGE).content.decode()


@pytest.mark.parametrize(
    ("low", "high", "margin", "answer", "words"),
    [
        (0.01, 0.2, None, "shown", "Yes"),
        (0.0, 0.2, None, "not shown", "Not shown"),
        (-0.04, 0.2, 0.05, "shown", "Yes"),
        (-0.05, 0.2, 0.05, "not shown", "Not shown"),
        (-0.2, -0.01, None, "worse", "No"),
        (-0.2, -0.06, 0.05, "worse", "No"),
        # lower, but perhaps by less than the margin: the question is not answered with no
        (-0.2, -0.01, 0.05, "worse", "Not shown"),
        (-0.04, -0.01, 0.05, "shown", "Yes"),
    ],
)
def test_the_answer_follows_from_the_interval_and_the_margin(
    ended: Experiment,
    monkeypatch: pytest.MonkeyPatch,
    low: float,
    high: float,
    margin: float | None,
    answer: str,
    words: str,
) -> None:
    interval = verdict(ended).interval | {"value": (low + high) / 2, "low": low, "high": high}
    body = {"interval": interval, "p_value": 0.5, "seeds": [0.1]}
    monkeypatch.setattr("webapp.results.verdict._differences", lambda *asked: body)
    ended.margin = margin

    found = verdict(ended)

    assert found.answer == answer
    assert found.came_out.split(":")[0] == words
    assert ("below 0" in found.came_out) == (high < 0 and (margin is None or high >= -margin))
    assert ("less than 0.05 below" in found.asked) == (margin is not None)
    assert any("not the same as no difference" in text for text in found.cannot) == (answer == "not shown")


def test_several_seeds_give_one_interval_and_their_spread_apart(
    project: Project, researcher: User, version: DatasetVersion
) -> None:
    experiment = experiment_records.launch(project, researcher, version, ratios=(0.0, 1.0), seeds=(0, 1, 2))
    finish_all(experiment, lambda run: seen(0.2 + 0.1 * run.seed + (0.3 + 0.1 * run.seed) * run.arm.position))

    found = verdict(experiment)

    values = [value for _, value in found.seeds]
    assert [seed for seed, _ in found.seeds] == [0, 1, 2] and None not in values
    assert found.interval["value"] == pytest.approx(np.mean([value for value in values if value is not None]))
    assert any("the 3 seeds range from" in text for text in found.cannot)


def test_without_the_runs_there_is_no_answer_but_a_reason(experiment: Experiment, client: Client) -> None:
    runs = [run for arm in experiment.arms.all() for run in arm.runs.all()]
    finish(runs[0], seen(0.8))
    for run in runs[1:]:
        services.set_run_state(run=run, state="failed", error="Graphics memory was full.")

    found = verdict(experiment)

    assert found.answer == "undefined" and "the run failed" in found.came_out
    assert "No answer" in client.get(PAGE).content.decode()


def test_a_run_under_another_protocol_or_on_other_views_is_refused_in_words(ended: Experiment, client: Client) -> None:
    runs = [run for arm in ended.arms.order_by("position") for run in arm.runs.all()]
    for run, change in zip(runs[1:], ("protocol", "digest"), strict=True):
        kept = Evaluation.objects.get(run=run, test_set="internal_test")
        kept.delete()
        kept.pk = None
        if change == "protocol":
            kept.protocol = kept.protocol | {"iou_above": 0.5}
        else:
            kept.result = kept.result | {"test_set_digest": "0" * 64}
        kept.save()

    reasons = selectors.refused(ended)

    assert "iou_above (0.1 and 0.5)" in reasons[runs[1].pk, "internal_test"]
    assert "other images, patients or lesions" in reasons[runs[2].pk, "internal_test"]
    page = client.get(PAGE).content.decode()
    assert "Not shown beside the others: " in page and "iou_above (0.1 and 0.5)" in page
    assert "No answer" in page
    assert all(row.numbers["sensitivity"]["value"] is None for row in selectors.rows(ended)
               if row.run.pk in {runs[1].pk, runs[2].pk} and row.test_set == "internal_test")  # fmt: skip
