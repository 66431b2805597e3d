"""Dice of found lesions: those of squares laid over each other by hand, points open their cases, two means."""

from __future__ import annotations

from urllib.parse import parse_qs

import numpy as np
import pytest
from django.test import Client

from detection.finding import Finding
from detection.sample_set import Sample
from tests.webapp.experiment_records import Findings, finish_all, graded
from webapp.accounts.models import Project
from webapp.experiments.models import Experiment
from webapp.results import models, outlines
from webapp.results.models import Evaluation

pytestmark = pytest.mark.django_db
PAGE = "/study/results/1/outlines/"


def shifted(by: int) -> Findings:
    """Finds two lesions of three, outlined as squares of 50 pixels moved to the right."""

    def find(sample: Sample) -> list[Finding]:
        if int(sample.patient_id) % 3 == 0:
            return []
        found = []
        for lesion in sample.lesions:
            x1, y1, x2, y2 = lesion.box
            x1, x2 = x1 + by, x2 + by
            outline = ((x1, y1), (x2, y1), (x2, y2), (x1, y2))
            malignancy = 0.9 if lesion.malignancy == "malignant" else 0.1
            found.append(Finding((x1, y1, x2, y2), 0.8, malignancy, "cluster", outline))
        return found

    return find


@pytest.fixture
def ended(experiment: Experiment) -> Experiment:
    return finish_all(experiment, lambda run: shifted(10 * run.arm.position))


def test_dice_is_that_of_the_squares_and_a_missed_lesion_counts_as_nothing_in_the_second_mean(
    ended: Experiment, project: Project
) -> None:
    for panel in outlines.panels(ended, "malignant", project):
        for place, row in enumerate(panel["rows"]):
            stored = Evaluation.objects.get(run=row["run"], test_set=panel["test_set"]).result
            lesions = [one for one in stored["lesions"] if one["malignancy"] == "malignant"]
            hits = sum(one["outcome"] == "TP" for one in lesions)
            dice = 2 * (50 - 10 * place) / 100

            assert row["found"]["value"] == pytest.approx(dice) and row["found"]["n"] == hits
            assert row["every"]["value"] == pytest.approx(dice * hits / len(lesions))
            assert row["every"]["n"] == len(lesions) and row["without"] == 0


def test_every_point_opens_its_lesion_in_the_viewer_which_goes_through_the_found_ones(
    ended: Experiment, project: Project, client: Client
) -> None:
    panel = outlines.panels(ended, "malignant", project)[1]
    violins = [trace for trace in panel["figure"]["data"] if trace.get("type") == "violin"]
    points = [trace for trace in panel["figure"]["data"] if trace.get("type") != "violin"]

    assert len(violins) == len(points) == 3 and panel["points"] == sum(len(one["y"]) for one in points)
    for violin, marks, row in zip(violins, points, panel["rows"], strict=True):
        assert violin["y"] == marks["y"] and np.mean(marks["y"]) == pytest.approx(row["found"]["value"])
        first = parse_qs(marks["customdata"][0]["url"].partition("?")[2])
        assert first["run"] == [str(row["run"].pk)] and first["score"] == ["0.100"] and first["focus"]
        page = client.get(marks["customdata"][0]["url"])
        assert page.status_code == 200
        assert page.context["behind"].query == row["found_url"].partition("?")[2]
        assert page.context["neighbours"].total == len({(one["text"], one["url"]) for one in marks["customdata"]})
        following = parse_qs(page.context["next_url"].partition("?")[2])
        assert following["score"] == first["score"] and following["behind"] == first["behind"]


def test_findings_without_outlines_have_no_dice_and_say_so(experiment: Experiment, client: Client) -> None:
    assert "Open when 3 of 3 runs end" in client.get(PAGE).content.decode()
    assert not models.TestSetLook.objects.exists()
    finish_all(experiment, lambda run: graded())

    page = client.get(PAGE).content.decode()

    assert "detector or truth came without outlines" in page and "data-chart-area" not in page
