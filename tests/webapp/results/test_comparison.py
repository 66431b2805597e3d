"""Differences against the arm without synthetic data: paired, corrected by family, each change open to its cases."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.test import Client

from detection.evaluation import result as stored
from detection.evaluation.comparisons import paired_differences
from detection.evaluation.hypothesis_tests import benjamini_hochberg, holm
from tests.webapp import experiment_records
from tests.webapp.experiment_records import finish_all, seen
from webapp.accounts.models import Project, User
from webapp.core.templatetags.cemlab import FEWEST_SHOWN
from webapp.datasets.models import DatasetVersion
from webapp.experiments.models import Experiment
from webapp.results import comparison_figure
from webapp.results.cases import cases_address
from webapp.results.comparison import changes_table, compare
from webapp.results.models import Evaluation

pytestmark = pytest.mark.django_db
PAGE = "/study/results/1/"


def result(evaluation: Evaluation) -> stored.TestSetResult:
    return stored.TestSetResult.from_json(evaluation.result)


def test_every_difference_is_that_of_the_paired_bootstrap(ended: Experiment) -> None:
    comparison = compare(ended)

    assert comparison.reference is not None and comparison.reference.name == "Real + 0 %"
    assert len(comparison.rows) == 2 * 2 * 9
    for row in comparison.rows:
        arm = result(Evaluation.objects.get(run=row.run, test_set=row.test_set))
        reference = result(Evaluation.objects.get(run=row.reference, test_set=row.test_set))
        (same,) = [
            one for one in paired_differences(arm, reference) if (one.metric, one.group) == (row.measure, row.group)
        ]
        assert row.interval == same.interval.to_json() and row.test == same.test.to_json()


def test_the_primary_endpoint_is_corrected_after_holm_and_the_rest_is_exploratory(ended: Experiment) -> None:
    comparison = compare(ended)

    assert {(row.measure, row.group, row.test_set) for row in comparison.primary} == {
        ("sensitivity", "malignant", "internal_test")
    }
    # the design declares the last arm against the first
    assert [row.arm.name for row in comparison.primary] == ["Real + 200 %"]
    assert [row.adjusted for row in comparison.primary] == holm([row.p_value for row in comparison.primary])
    others = comparison.exploratory
    assert [row.adjusted for row in others] == pytest.approx(benjamini_hochberg([row.p_value for row in others]))
    assert any(row.p_value is not None for row in others)


def test_a_difference_on_too_few_has_no_p_value_and_enters_no_family(ended: Experiment) -> None:
    few = [row for row in compare(ended).rows if row.interval["n"] < FEWEST_SHOWN]

    assert few and all(row.p_value is None and row.adjusted is None for row in few)


def test_the_forest_draws_value_and_interval_and_lists_what_it_leaves_out(ended: Experiment, project: Project) -> None:
    comparison = compare(ended)

    drawn = comparison_figure.forests(comparison, cases_address(project, 1))

    assert [one["measure"] for one in drawn] == ["sensitivity", "precision", "auc"]
    points = 0
    for one in drawn:
        for trace in one["figure"]["data"]:
            points += len(trace["x"])
            for value, above, below in zip(
                trace["x"], trace["error_x"]["array"], trace["error_x"]["arrayminus"], strict=True
            ):
                assert above >= 0 and below >= 0 and -1 <= value <= 1
    assert points + sum(len(one["left_out"]) for one in drawn) == len(comparison.rows) and points > 0


def test_lesions_gained_and_lost_open_exactly_those_cases(ended: Experiment, project: Project, client: Client) -> None:
    changes = changes_table(compare(ended), cases_address(project, 1))

    assert sum(one["gained"] for one in changes) > 0
    for one in changes:
        evaluation = Evaluation.objects.get(run=one["row"].run, test_set=one["row"].test_set)
        number = evaluation.result["sensitivity"][one["row"].group]
        assert one["lesions"] == number["denominator"] and one["gained"] + one["both"] == number["numerator"]
    for one in changes[:3]:
        for change in ("gained", "lost"):
            answer = client.get(one[f"{change}_url"])
            assert answer.context["page"].paginator.count == one[change]
    gained = client.get(changes[0]["gained_url"]).context["page"].object_list
    assert all(case.outcome == "Found" and "score=0.100" in case.viewer_url for case in gained)


def test_gained_without_a_run_to_compare_with_is_not_found(ended: Experiment, client: Client) -> None:
    run = Evaluation.objects.all()[0].run
    query = f"run={run.pk}&test_set=internal_test&group=malignant&outcome=gained"

    assert client.get(f"{PAGE}lesions/?{query}").status_code == 404
    assert client.get(f"{PAGE}lesions/?{query}&against=999999").status_code == 404


def test_each_seed_is_compared_with_the_same_seed(project: Project, researcher: User, version: DatasetVersion) -> None:
    experiment = experiment_records.launch(project, researcher, version, ratios=(0.0, 1.0), seeds=(3, 4))
    finish_all(experiment, lambda run: seen(0.3 + 0.2 * (run.seed - 3) + 0.2 * run.arm.position))

    rows = compare(experiment).rows

    assert {row.run.seed for row in rows} == {3, 4}
    assert all(row.reference.seed == row.run.seed and row.reference.arm.position == 0 for row in rows)


def test_a_design_from_before_comparisons_were_declared_asks_for_an_arm_without_synthetic_data(
    project: Project, researcher: User, version: DatasetVersion
) -> None:
    experiment = experiment_records.launch(project, researcher, version, ratios=(1.0, 2.0))
    experiment.comparison = None

    assert "No arm of this experiment is without synthetic data" in compare(experiment).reason


def test_one_arm_has_nothing_to_be_compared_with(
    project: Project, researcher: User, version: DatasetVersion, client: Client
) -> None:
    experiment = experiment_records.launch(project, researcher, version, ratios=(0.0,))
    finish_all(experiment, lambda run: seen(1.0))

    assert "nothing to compare it with" in client.get(PAGE).content.decode()


def test_the_caption_tells_the_resamples_where_the_first_difference_has_none(ended: Experiment) -> None:
    comparison = compare(ended)
    first = replace(comparison.rows[0], interval=comparison.rows[0].interval | {"value": None, "resamples": 0})

    assert "2,000 resamples" in replace(comparison, rows=[first, *comparison.rows[1:]]).method


def test_a_run_that_failed_is_named_as_not_compared(experiment: Experiment, client: Client) -> None:
    from webapp.experiments import services

    runs = [run for arm in experiment.arms.all() for run in arm.runs.all()]
    for run in runs[:2]:
        experiment_records.finish(run, seen(0.8))
    services.set_run_state(run=runs[2], state="failed", error="Graphics memory was full.")

    page = client.get(PAGE).content.decode()

    assert "Not compared: Real + 200 %, seed 0, internal" in page


def test_the_page_names_the_method_beside_the_differences(ended: Experiment, client: Client) -> None:
    page = client.get(PAGE).content.decode()

    assert "Paired bootstrap of patients" in page and "2,000 resamples that both arms share" in page
    assert "Holm within the 1 of the primary endpoint" in page and "35, which are exploratory" in page
