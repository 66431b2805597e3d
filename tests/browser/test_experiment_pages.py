"""From the design to the launch, a run that improves, and runs side by side, in a browser."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from detection.detector import Measure
from detection.errors import NonFiniteLoss
from detection.finding import Finding
from tests.webapp import experiment_records, records
from webapp.accounts.models import Project, User
from webapp.experiments import services
from webapp.experiments.models import Experiment, Run
from webapp.jobs.models import Job

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
SignIn = Callable[..., Page]
PICTURES = os.environ.get("CEMLAB_SCREENSHOTS")
"""A folder to leave pictures in, for a person to look at."""


def pictures(page: Page, name: str) -> None:
    if not PICTURES:
        return
    for width, height in ((1600, 1600), (390, 2600)):
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_timeout(300)
        page.screenshot(path=str(Path(PICTURES) / f"{name}-{width}.png"))
    page.set_viewport_size({"width": 1280, "height": 800})


@pytest.fixture
def project() -> Project:
    return records.make_project()


@pytest.fixture
def researcher(project: Project) -> User:
    return records.make_member(project, "researcher")


def test_a_design_with_different_arms_is_frozen_and_then_launched(
    live_server: LiveServer,
    sign_in: SignIn,
    project: Project,
    researcher: User,
    accessible: Any,
    until: Any,
) -> None:
    version = experiment_records.make_version(project)
    experiment_records.launch(project, researcher, version, ratios=(0.0, 1.0))
    page = sign_in(researcher)
    page.goto(f"{live_server.url}/study/experiments/new/?copy=1")
    page.fill("#id_name", "Larger batch")
    page.fill("#id_margin", "0.05")
    expect(page.locator("#consequences table").first).to_contain_text("Margin")

    page.click("text=Let arm 2 differ in a setting")
    page.select_option("#arm-1-adding", "batch_size")
    page.click("button[value=add-setting-1]")
    until("document.querySelector('[name=\"arms-1-set-batch_size\"]') !== null")
    page.fill('[name="arms-1-set-batch_size"]', "6")
    rows = page.locator("#consequences table").first
    expect(rows).to_contain_text("Batch size")
    expect(rows).to_contain_text("Margin")
    expect(rows).not_to_contain_text("Epochs")
    expect(page.locator("#consequences")).to_contain_text("What the test set can show")
    accessible()
    pictures(page, "design-arms")

    page.select_option("#compared-with", "")
    expect(page.locator("#consequences")).not_to_contain_text("settings are the same")
    assert page.input_value('[name="arms-1-set-batch_size"]') == "6"

    page.click("#consequences button[type=submit]")
    page.wait_for_url("**/experiments/2/")
    expect(page.locator("main")).to_contain_text("Frozen, not launched")
    expect(page.locator("main")).to_contain_text("0.05, non-inferiority")
    assert not Run.objects.filter(arm__experiment__number=2).exists()
    accessible()
    pictures(page, "frozen")

    page.click("button:has-text('Launch')")
    page.wait_for_selector("#runs-table")
    assert Run.objects.filter(arm__experiment__number=2).count() == 2
    changed = Experiment.objects.get(number=2).arms.get(position=1).configuration["values"]
    assert changed["batch_size"] == 6
    pictures(page, "launched")


def measures(epoch: int) -> dict[str, Measure]:
    """Numbers on validation that rise; at first nothing is above the threshold."""
    nothing = Measure(None, 0, "undefined: no findings above the threshold")
    return {
        "validation_sensitivity": Measure((epoch - 1) / 8, 8),
        "validation_precision": nothing if epoch == 1 else Measure(1 - 1 / epoch, 2 * epoch),
        "validation_false_positives_per_image": Measure(0.0 if epoch == 1 else 2 / epoch, 16),
        "validation_average_precision": Measure((epoch - 1) / 9, 8),
    }


def training_run(project: Project, researcher: User) -> Run:
    version = experiment_records.make_version(project, 40, external=0, with_files=True)
    changes = {"epochs": 12, "sample_every": 1, "measure_every": 1}
    experiment = experiment_records.launch(project, researcher, version, ratios=(0.0, 1.0), changes=changes)
    run = Run.objects.get(arm__experiment=experiment, arm__position=0)
    views = version.version_views.filter(split="validation", version_annotations__isnull=False)
    for epoch in range(1, 7):
        losses = {"training_loss": 1 / epoch, "validation_loss": 0.4 + 0.6 / epoch, "learning_rate": 5e-4}
        pace = {"images_per_second": 3.2, "loading_share": 0.02, "memory_bytes": 1.4e9}
        services.record_metrics(run=run, epoch=epoch, metrics=losses | pace, attempt=1)
        services.record_measures(run=run, epoch=epoch, measures=measures(epoch), attempt=1)
        x1, y1, x2, y2 = experiment_records.BOX
        off = 8.0 * (6 - epoch)
        moved = Finding((x1 + off, y1 + off, x2 + off, y2 + off), 0.1 + 0.13 * epoch, 0.9, "cluster")
        chosen = list(views.order_by("view_id").values_list("view_id", flat=True)[:4])
        services.record_samples(run=run, epoch=epoch, findings={view: [moved] for view in chosen})
    return run


def test_sample_predictions_are_walked_by_epoch_from_the_keyboard(
    live_server: LiveServer, sign_in: SignIn, project: Project, researcher: User, accessible: Any, until: Any
) -> None:
    run = training_run(project, researcher)
    page = sign_in(researcher)
    page.goto(f"{live_server.url}/study/experiments/1/runs/0-0/")
    expect(page.locator("#sample-words p:visible")).to_contain_text("epoch 6")
    expect(page.locator(".sample-view")).to_have_count(4)
    visible = page.locator(".sample-view").first.locator("g:visible text")
    expect(visible).to_have_text("0.88")
    until("document.querySelectorAll('#loss .scatterlayer .trace').length === 2")
    until("document.querySelectorAll('#found .scatterlayer .trace').length === 3")
    until("document.querySelectorAll('#false .scatterlayer .point').length === 6")
    expect(page.locator("#run-measured")).to_contain_text("malignant lesions in")
    page.focus("#found [data-chart-area]")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#found [data-chart-reading]")).to_contain_text("precision undefined: no findings")
    accessible()
    pictures(page, "run-samples")

    page.focus("#sample-epoch")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#sample-words p:visible")).to_contain_text("epoch 4")
    expect(visible).to_have_text("0.62")

    # a further epoch comes in, and who looks at the fourth keeps looking at it
    services.record_measures(run=run, epoch=7, measures=measures(7), attempt=1)
    view = run.samples.order_by("view_id").values_list("view_id", flat=True)[0]
    services.record_samples(run=run, epoch=7, findings={view: []})
    page.evaluate("document.querySelector('#run-samples').dispatchEvent(new CustomEvent('cemlab:epoch'))")
    until("document.querySelector('#sample-epoch').max === '6'")
    expect(page.locator("#sample-words p:visible")).to_contain_text("epoch 4")
    until("document.querySelectorAll('#false .scatterlayer .point').length === 7")


def test_a_failure_of_the_design_leads_to_a_new_one(
    live_server: LiveServer, sign_in: SignIn, project: Project, researcher: User, accessible: Any
) -> None:
    run = training_run(project, researcher)
    error = NonFiniteLoss("The loss became infinite in epoch 7.", "Lower the learning rate, and start a new run.")
    services.record_failure(run=run, error=error)
    Job.objects.filter(pk=run.job_id).update(state="failed", error=str(error))
    services.set_run_state(run=run, state="failed", error=str(error))
    page = sign_in(researcher)
    page.goto(f"{live_server.url}/study/experiments/1/runs/0-0/")
    expect(page.locator("#run-status .alert-bad")).to_contain_text("Lower the learning rate")
    assert page.locator("#run-status >> text=Resume").count() == 0
    accessible()
    pictures(page, "run-failed")
    page.click("#run-status >> text=Start from this experiment")
    page.wait_for_url("**/experiments/new/?copy=1")


def test_runs_chosen_on_the_experiment_are_set_side_by_side(
    live_server: LiveServer, sign_in: SignIn, project: Project, researcher: User, accessible: Any, until: Any
) -> None:
    training_run(project, researcher)
    page = sign_in(researcher)
    page.goto(f"{live_server.url}/study/experiments/1/")
    pictures(page, "experiment")
    for box in page.locator("#runs-table input[type=checkbox]").all():
        box.check()
    page.click("text=Compare chosen")
    page.wait_for_url("**/experiments/compare/?run=1-0-0&run=1-1-0")
    until("document.querySelectorAll('#losses .scatterlayer .trace').length >= 2")
    until("document.querySelectorAll('#measured .scatterlayer .point').length === 23")
    expect(page.locator(".compare-table")).to_contain_text("Malignant synthetic ratio")
    expect(page.locator(".compare-table")).not_to_contain_text("Seed")
    accessible()
    pictures(page, "compare")
    page.click("[aria-label^='Leave out']")
    expect(page.locator("main")).to_contain_text("Choose a second run")
    page.goto(f"{live_server.url}/study/experiments/")
    pictures(page, "list")
