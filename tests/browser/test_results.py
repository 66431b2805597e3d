"""The results pages in a browser: figures drawn, accessible in both themes, keys and links work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from tests.webapp import experiment_records, records
from tests.webapp.experiment_records import finish_all, graded, outlined
from webapp.accounts.models import User
from webapp.core.templatetags.cemlab import decimal
from webapp.experiments.models import Experiment
from webapp.results import thresholds
from webapp.results.models import Evaluation

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
SignIn = Callable[..., Page]


@pytest.fixture
def researcher() -> User:
    return records.make_member(records.make_project(), "researcher")


@pytest.fixture
def ended(researcher: User) -> Experiment:
    project = researcher.memberships.get().project
    version = experiment_records.make_version(project, 64, external=48, with_files=True)
    experiment = experiment_records.launch(project, researcher, version, ratios=(0.0, 1.0, 2.0))
    return finish_all(experiment, lambda run: graded(run.arm.position))


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_differences_are_drawn_and_accessible(
    live_server: LiveServer,
    sign_in: SignIn,
    ended: Experiment,
    researcher: User,
    accessible: Any,
    until: Any,
    in_theme: Any,
    picture: Any,
    theme: str,
) -> None:
    page = sign_in(researcher)
    in_theme(theme)
    page.goto(f"{live_server.url}/study/results/1/")
    until("document.querySelectorAll('#forest-sensitivity .scatterlayer .trace').length >= 2")
    accessible()
    picture(f"results-{theme}")
    page.focus("#forest-sensitivity [data-chart-area]")
    page.keyboard.press("ArrowRight")
    until("document.querySelector('#forest-sensitivity [data-chart-reading]').textContent.includes('n=')")
    page.click("#changes a.number-link >> nth=0")
    until("window.location.pathname.endsWith('/results/1/lesions/')")
    assert "gained" in page.url


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_slider_recomputes_every_test_set_and_the_list_below(
    live_server: LiveServer,
    sign_in: SignIn,
    ended: Experiment,
    researcher: User,
    accessible: Any,
    until: Any,
    in_theme: Any,
    picture: Any,
    theme: str,
) -> None:
    page = sign_in(researcher)
    in_theme(theme)
    page.goto(f"{live_server.url}/study/results/1/curves/")
    until("document.querySelectorAll('#froc-internal_test .scatterlayer .trace').length === 3")
    until("document.querySelector('#threshold-cases table') !== null")
    accessible()
    picture(f"curves-{theme}")

    cells = "[...document.querySelectorAll('[data-threshold-cell=sensitivity]')].map((cell) => cell.textContent)"
    before, listed = page.evaluate(cells), page.inner_text("#threshold-cases p")
    assert all("n=" in text for text in before) and len(before) == 6
    page.focus("#threshold-step")
    page.keyboard.press("End")
    until(f"{cells}.every((text) => text.startsWith('0.00'))")
    until("document.querySelector('#threshold-cases p').textContent.includes('0.999')")
    assert page.inner_text("#threshold-cases p") != listed
    page.click("[data-threshold-set] >> nth=0")
    until(f"JSON.stringify({cells}) === JSON.stringify({before!r})")
    until("document.querySelector('#threshold-cases p').textContent.includes('0.100')")
    page.select_option("#threshold-outcome", "found")
    until("document.querySelector('#threshold-cases p').textContent.startsWith('Found lesions')")
    page.goto(f"{live_server.url}/study/results/1/curves/?step=420")
    page.click("[data-threshold-keep] >> text=Patient")
    until("window.location.search.includes('level=patient') && window.location.search.includes('step=420')")
    assert page.inner_text("[data-threshold-value]") == "0.420"
    until("document.querySelector('#threshold-cases p')?.textContent.includes('0.420')")
    accessible()
    page.click("#threshold-cases tbody a >> nth=0")
    until("window.location.search.includes('score=0.420') && window.location.search.includes('level%3Dpatient')")


EVERY_STEP = """
() => {
  const slider = document.getElementById("threshold-step");
  const cells = [...document.querySelectorAll("[data-threshold-cell=sensitivity]")];
  return [...Array(1000).keys()].map((step) => {
    slider.value = step;
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    return cells.map((cell) => [Number(cell.dataset.run), cell.dataset.testSet, cell.textContent]);
  });
}
"""


def test_the_slider_writes_numbers_as_the_server_does(
    live_server: LiveServer, sign_in: SignIn, ended: Experiment, researcher: User, until: Any
) -> None:
    counted = {(one.run_id, one.test_set): thresholds.counts(one, "malignant") for one in Evaluation.objects.all()}
    page = sign_in(researcher)
    page.goto(f"{live_server.url}/study/results/1/curves/")
    until("document.querySelector('[data-threshold-cell] a') !== null")

    values = set()
    for step, cells in enumerate(page.evaluate(EVERY_STEP)):
        for run, test_set, text in cells:
            counts = counted[run, test_set]
            values.add(counts["found"][step] / counts["lesions"])
            assert text.startswith(f"{decimal(counts['found'][step] / counts['lesions'])} ["), (step, text)
    # ties, which the browser and the server would round to different sides
    assert values & {0.125, 0.625}


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_bars_of_misses_open_their_cases_from_the_keyboard(
    live_server: LiveServer,
    sign_in: SignIn,
    ended: Experiment,
    researcher: User,
    accessible: Any,
    until: Any,
    in_theme: Any,
    picture: Any,
    theme: str,
) -> None:
    page = sign_in(researcher)
    in_theme(theme)
    page.goto(f"{live_server.url}/study/results/1/failures/")
    until("document.querySelectorAll('#failures-internal_test .barlayer .trace').length === 6")
    accessible()
    picture(f"failures-{theme}")
    page.focus("#failures-internal_test [data-chart-area]")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    until("window.location.pathname.includes('/cases/') && window.location.search.includes('outcome%3Dfound')")


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_every_further_panel_is_drawn_accessible_and_opens_its_cases(
    live_server: LiveServer,
    sign_in: SignIn,
    researcher: User,
    accessible: Any,
    until: Any,
    in_theme: Any,
    picture: Any,
    theme: str,
) -> None:
    project = researcher.memberships.get().project
    version = experiment_records.make_version(project, 64, external=48, with_files=True)
    experiment = experiment_records.launch(project, researcher, version, ratios=(0.0, 2.0), seeds=(0, 1))
    finish_all(experiment, lambda run: outlined(graded(run.arm.position + run.seed)))
    page = sign_in(researcher)
    in_theme(theme)
    base = f"{live_server.url}/study/results/1"

    page.goto(f"{base}/")
    until("document.querySelector('#verdict dd strong').textContent.includes('difference')")
    until("document.querySelector('#panel-sensitivity .x2y') !== null")
    page.goto(f"{base}/calibration/?what=image")
    until("document.querySelectorAll('#decision-external_test .scatterlayer .trace').length >= 4")
    accessible()
    picture(f"calibration-{theme}")
    page.focus("#reliability-external_test [data-chart-area]")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    until("window.location.search.includes('at_least%3D') && window.location.search.includes('level%3Dimage')")
    page.click("#behind-title + p a")
    until("document.querySelectorAll('#cases-table tbody tr').length >= 10")

    page.goto(f"{base}/outlines/")
    until("document.querySelectorAll('#dice-external_test .violinlayer .trace').length === 4")
    accessible()
    picture(f"outlines-{theme}")
    page.focus("#dice-external_test [data-chart-area]")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    until("window.location.pathname.includes('/cases/') && window.location.search.includes('focus=')")

    page.goto(f"{base}/levels/")
    accessible()
    picture(f"levels-{theme}")
    page.locator("#external_test-patient tr:not(.group-row) a >> nth=0").focus()
    page.keyboard.press("Enter")
    until("window.location.search.includes('level=patient') && window.location.search.includes('outcome=fn')")

    page.goto(f"{live_server.url}/study/results/")
    until("document.querySelectorAll('#experiments-forest .scatterlayer .trace').length === 1")
    accessible()
    picture(f"results-list-{theme}")
    page.focus("#experiments-forest [data-chart-area]")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    until("window.location.pathname.includes('/cases/') && window.location.search.includes('against%3D')")


@pytest.mark.parametrize("width", [360, 2560])
def test_panels_fit_narrow_and_wide_windows(
    live_server: LiveServer, sign_in: SignIn, ended: Experiment, researcher: User, width: int
) -> None:
    page = sign_in(researcher)
    page.set_viewport_size({"width": width, "height": 900})
    for part in ("", "1/", "1/levels/", "1/calibration/", "1/outlines/", "1/failures/", "1/curves/"):
        page.goto(f"{live_server.url}/study/results/{part}")
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, part


def test_names_stand_above_their_lines_where_a_figure_is_narrow(
    live_server: LiveServer, sign_in: SignIn, ended: Experiment, researcher: User, until: Any
) -> None:
    page = sign_in(researcher)
    page.set_viewport_size({"width": 360, "height": 900})
    page.goto(f"{live_server.url}/study/results/1/")
    until("document.querySelectorAll('#forest-sensitivity .annotation').length === 6")
    figure = "document.querySelector('#forest-sensitivity [data-chart-area]')"
    lines = f"{figure}.querySelector('.nsewdrag').getBoundingClientRect().width / {figure}.clientWidth"
    assert page.evaluate(lines) > 0.9
    names = f"[...{figure}.querySelectorAll('.annotation-text')].map((one) => one.textContent)"
    assert page.evaluate(names)[0] == "Clusters, 100 %"
    # the numbers below stay, and so does the line of no difference
    assert "0" in page.evaluate(f"[...{figure}.querySelectorAll('.xtick')].map((one) => one.textContent)")
    assert page.evaluate(f"{figure}.querySelector('.zerolinelayer path') !== null")

    page.set_viewport_size({"width": 1440, "height": 900})
    until("document.querySelectorAll('#forest-sensitivity .ytick').length === 6")
    assert page.evaluate(f"{figure}.querySelectorAll('.annotation').length") == 0
