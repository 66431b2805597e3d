"""Results: closed until every run has ended, every opening counted, figures and exports equal to the evaluations."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client, RequestFactory
from django.urls import reverse

from detection.evaluation import result as results
from detection.sample_set import SampleSet
from tests.webapp import experiment_records, records
from tests.webapp.experiment_records import finish, finish_all, seen
from webapp.accounts.models import Project, User
from webapp.cases.models import View
from webapp.core import audit
from webapp.core.errors import UserError
from webapp.core.models import AuditEvent
from webapp.core.registry import home_panels, navigation
from webapp.datasets.models import DatasetVersion
from webapp.experiments import sample_sets
from webapp.experiments.design import ArmDesign
from webapp.experiments.models import Experiment, Run
from webapp.results import figures, models, selectors, services
from webapp.results.cases import cases, cases_address
from webapp.results.models import Evaluation

pytestmark = pytest.mark.django_db


def address(name: str, **query: Any) -> str:
    return reverse(f"results:{name}", args=["study", 1, *(["numbers"] if name == "csv" else [])], query=query or None)


def names_of_cases(run: Run, **changes: str) -> dict[str, Any]:
    return {"run": run.pk, "test_set": "internal_test", "group": "malignant", **changes}


# closed until the end


def test_while_runs_are_open_the_page_says_how_many_are_done_and_shows_no_number(
    client: Client, experiment: Experiment
) -> None:
    first = Run.objects.order_by("pk").first()
    assert first is not None
    finish(first, seen(1.0))

    page = client.get(address("experiment"))

    assert "Open when 3 of 3 runs end; 1 done" in page.content.decode()
    assert "data-chart" not in page.content.decode() and not models.TestSetLook.objects.exists()


@pytest.mark.parametrize("name", ["csv", "json"])
def test_while_runs_are_open_nothing_can_be_exported(client: Client, experiment: Experiment, name: str) -> None:
    answer = client.get(address(name))

    assert answer.status_code == 409 and "locked" in answer.content.decode()


def test_while_runs_are_open_the_cases_are_closed_too(client: Client, experiment: Experiment) -> None:
    first = Run.objects.order_by("pk").first()
    assert first is not None
    finish(first, seen(1.0))

    page = client.get(address("cases", **names_of_cases(first))).content.decode()

    assert "Open when 3 of 3 runs end" in page and "viewer" not in page


def test_while_runs_are_open_the_summary_gives_reasons_in_place_of_numbers(experiment: Experiment) -> None:
    first = Run.objects.order_by("pk").first()
    assert first is not None
    finish(first, seen(1.0))

    numbers = selectors.summary(experiment)["arms"][0]["runs"][0]["test_sets"]["internal"]

    assert numbers["sensitivity"] == {"value": None, "low": None, "high": None, "n": 0, "reason": selectors.LOCKED}


def test_a_look_at_closed_test_sets_is_refused(experiment: Experiment, researcher: User) -> None:
    with pytest.raises(UserError, match="locked"):
        services.record_look(actor=researcher, experiment=experiment, test_sets=["internal_test"])


def test_the_home_page_shows_no_number_before_someone_has_opened_the_results(
    project: Project, researcher: User, ended: Experiment, client: Client
) -> None:
    request = RequestFactory().get("/")
    request.user = researcher
    panel = home_panels.providers["results"]

    before = panel.context(request, project, None)
    client.get(address("experiment"))
    after = panel.context(request, project, None)

    assert before == {"experiment": ended, "opened": False}
    assert after is not None and after["opened"] and len(after["rows"]) == 3
    assert models.TestSetLook.objects.count() == 2


# looks


def test_each_opening_counts_once_on_each_test_set_and_is_shown(
    client: Client, ended: Experiment, project: Project
) -> None:
    client.get(address("experiment"))
    other = Client()
    other.force_login(records.make_member(project, "observer"))

    page = other.get(address("experiment"))

    assert page.context["looks"] == {"internal": 2, "external": 2}
    assert "Looks: internal 2, external 2" in page.content.decode()
    assert AuditEvent.objects.filter(action="results.look").count() == 2


def test_a_look_is_not_counted_where_its_line_of_the_audit_cannot_be_written(
    ended: Experiment, researcher: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = audit.record

    def refuse(*, action: str, **event: Any) -> AuditEvent:
        if action in {"results.part", "results.cases"}:
            raise OSError("no space left")
        return write(action=action, **event)

    monkeypatch.setattr(audit, "record", refuse)
    names = {"group": "malignant", "measure": "sensitivity", "outcome": "missed"}

    with pytest.raises(OSError, match="no space left"):
        services.record_part(actor=researcher, experiment=ended, part="levels")
    with pytest.raises(OSError, match="no space left"):
        services.record_cases(actor=researcher, experiment=ended, evaluation=Evaluation.objects.all()[0], asked=names)

    assert not models.TestSetLook.objects.exists()
    assert not AuditEvent.objects.filter(action__startswith="results.").exists()


def test_an_export_counts_as_a_look_and_a_list_of_cases_is_written_down(client: Client, ended: Experiment) -> None:
    assert client.get(address("csv")).getvalue()
    run = Run.objects.order_by("pk").first()
    assert run is not None
    client.get(address("cases", **names_of_cases(run)))

    assert selectors.looks(ended) == {"internal_test": 1, "external_test": 1}
    assert AuditEvent.objects.get(action="results.cases").details["run"] == run.pk


# who


@pytest.mark.parametrize("name", ["experiment", "csv", "json", "cases"])
def test_members_read_outsiders_find_nothing_and_strangers_sign_in(
    project: Project, ended: Experiment, name: str
) -> None:
    run = Run.objects.order_by("pk").first()
    assert run is not None
    wanted = address(name, **(names_of_cases(run) if name == "cases" else {}))
    status = {}
    for role in ("observer", "outsider"):
        client = Client()
        client.force_login(records.make_member(project if role == "observer" else None, role))
        answer = client.get(wanted)
        status[role] = answer.status_code
        # a file that is sent is closed when all of it is read
        assert b"".join(answer)

    assert status == {"observer": 200, "outsider": 404}
    assert Client().get(wanted).status_code == 302


def test_the_list_of_results_is_open_to_members_only(project: Project, ended: Experiment, client: Client) -> None:
    outsider = Client()
    outsider.force_login(records.make_member(None, "outsider"))

    assert "Ratios" in client.get("/study/results/").content.decode()
    assert outsider.get("/study/results/").status_code == 404
    assert not models.TestSetLook.objects.exists()


def test_rail_entries_have_their_keys() -> None:
    assert navigation.providers["experiments"].key == "e" and navigation.providers["results"].key == "r"


# numbers


def stored(row: selectors.Row, measure: str) -> dict[str, Any]:
    result = Evaluation.objects.get(run=row.run, test_set=row.test_set).result
    number: dict[str, Any] = result[measure][row.group]
    return number


def test_points_intervals_dashes_and_markers_are_those_of_the_evaluation(ended: Experiment, project: Project) -> None:
    rows = selectors.rows(ended)
    drawn = figures.panels(ended, rows, cases_address(project, 1))

    assert [panel["measure"] for panel in drawn] == ["sensitivity", "precision", "auc"]
    assert len({tuple(panel["figure"]["layout"]["yaxis"]["range"]) for panel in drawn}) == 1
    for panel in drawn:
        for trace in panel["figure"]["data"]:
            external = "external" in trace["name"]
            group = trace["legendgroup"]
            assert trace["line"]["dash"] == ("dot" if external else "solid")
            symbol = {"malignant_cluster": "circle", "malignant_mass": "square", "malignant": "diamond"}[group]
            assert trace["marker"]["symbol"] == symbol + ("-open" if external else "")
            colour = {"malignant_cluster": "role:s1", "malignant_mass": "role:s2", "malignant": "role:s3"}[group]
            assert trace["line"]["color"] == trace["marker"]["color"] == colour
            test_set = "external_test" if external else "internal_test"
            same = [row for row in rows if (row.group, row.test_set) == (group, test_set)]
            assert len(same) == len(trace["y"]) == 3
            for place, row in enumerate(same):
                number = stored(row, panel["measure"])
                if number["value"] is None or number["n"] < 10:
                    assert trace["y"][place] is None and trace["error_y"]["array"][place] is None
                    continue
                assert trace["y"][place] == number["value"]
                if number["low"] is not None:
                    assert trace["y"][place] + trace["error_y"]["array"][place] == pytest.approx(number["high"])
                    assert trace["y"][place] - trace["error_y"]["arrayminus"][place] == pytest.approx(number["low"])
    assert drawn[0]["figure"]["layout"]["xaxis"]["ticktext"] == ["0 %", "100 %", "200 %"]
    assert any(value is not None for trace in drawn[0]["figure"]["data"] for value in trace["y"])


def test_a_value_that_is_undefined_is_not_drawn_and_the_note_gives_the_reason(
    experiment: Experiment, project: Project, client: Client
) -> None:
    finish_all(experiment, lambda run: lambda sample: [])

    precision = figures.panels(experiment, selectors.rows(experiment), cases_address(project, 1))[1]

    assert all(value is None for trace in precision["figure"]["data"] for value in trace["y"])
    assert any("no findings above the threshold" in text for text in precision["left_out"])
    page = client.get(address("experiment")).content.decode()
    assert "Not drawn: undefined: no findings above the threshold" in page


def test_several_seeds_give_a_marker_each_and_a_line_through_their_median(
    project: Project, researcher: User, version: DatasetVersion, client: Client
) -> None:
    experiment = experiment_records.launch(project, researcher, version, ratios=(0.0, 1.0), seeds=(0, 1, 2))
    finish_all(experiment, lambda run: seen(0.3 + 0.2 * run.seed + 0.1 * run.arm.position))
    rows = selectors.rows(experiment)
    traces = figures.panels(experiment, rows, cases_address(project, 1))[0]["figure"]["data"]

    line = next(trace for trace in traces if trace["name"] == "All malignant, internal, median of seeds")
    markers = next(trace for trace in traces if trace["name"] == "All malignant, internal")
    assert markers["mode"] == "markers" and len(markers["y"]) == 6 and len(set(markers["x"])) == 6
    for arm in range(2):
        assert line["y"][arm] == sorted(markers["y"][3 * arm : 3 * arm + 3])[1]
    page = client.get(address("experiment")).content.decode()
    assert "3 seeds an arm, lines join their medians" in page and "One seed:" not in page


def test_a_single_seed_is_warned_about(client: Client, ended: Experiment) -> None:
    assert (
        "One seed: how much chance in training decides is not known"
        in client.get(address("experiment")).content.decode()
    )


def test_every_number_of_the_table_opens_its_cases(client: Client, ended: Experiment) -> None:
    page = client.get(address("experiment"))

    links = [
        (number, url) for block in page.context["tables"] for entry in block["rows"] for number, url in entry["numbers"]
    ]
    assert len(links) == 3 * 3 * 2 * 3
    for number, url in links[::7]:
        answer = client.get(url)
        assert answer.status_code == 200
        assert answer.context["page"].paginator.count == (number["denominator"] or number["n"])
    rows = [entry for block in page.context["tables"] for entry in block["rows"]]
    assert sum(entry["missed"] for entry in rows) > 0
    for entry in rows[::7]:
        assert client.get(entry["missed_url"]).context["page"].paginator.count == entry["missed"]


def test_the_cases_of_sensitivity_are_the_lesion_views_it_counts(ended: Experiment, project: Project) -> None:
    for evaluation in Evaluation.objects.all():
        for group in selectors.GROUPS:
            number = evaluation.result["sensitivity"][group]
            found = cases(project, evaluation, "sensitivity", group, "found")
            missed = cases(project, evaluation, "sensitivity", group, "missed")

            assert len(found) == number["numerator"] and len(found) + len(missed) == number["denominator"]
            assert all(case.reason for case in missed)


def test_a_case_opens_the_viewer_with_run_and_score_so_that_the_finding_shows(
    client: Client, ended: Experiment, project: Project
) -> None:
    run = Run.objects.order_by("pk").last()
    assert run is not None
    page = client.get(address("cases", **names_of_cases(run, outcome="found")))
    case = page.context["page"].object_list[0]

    assert f"run={run.pk}" in case.viewer_url and "score=0.100" in case.viewer_url
    layers = client.get(case.viewer_url.replace("/?", "/layers.json?"))
    assert layers.status_code == 200
    assert any(shapes["prediction"] for shapes in layers.json()["views"].values())


@pytest.mark.parametrize(
    "query", [{"run": "x"}, {"test_set": "train"}, {"group": "benign"}, {"outcome": "lucky"}, {"measure": "beauty"}]
)
def test_an_address_that_names_no_number_is_not_found(client: Client, ended: Experiment, query: dict[str, str]) -> None:
    run = Run.objects.order_by("pk").first()
    assert run is not None

    assert client.get(address("cases", **(names_of_cases(run) | query))).status_code == 404


def test_the_run_of_another_project_has_no_cases_here(client: Client, ended: Experiment) -> None:
    elsewhere = records.make_project("elsewhere")
    foreign = experiment_records.launch(
        elsewhere,
        records.make_member(elsewhere, "researcher"),
        experiment_records.make_version(elsewhere),
        ratios=(0.0,),
    )
    finish_all(foreign, lambda run: seen(1.0))
    run = Run.objects.get(arm__experiment=foreign)

    assert client.get(address("cases", **names_of_cases(run))).status_code == 404


# summary


def test_the_summary_has_the_agreed_shape(ended: Experiment) -> None:
    found = selectors.summary(ended)

    assert json.loads(json.dumps(found)) == found
    assert set(found) == {"experiment", "arms"} and found["experiment"] == "Ratios"
    assert [arm["synthetic_ratio"] for arm in found["arms"]] == [0.0, 1.0, 2.0]
    for arm in found["arms"]:
        assert set(arm) == {"name", "synthetic_ratio", "runs"}
        for run in arm["runs"]:
            assert set(run) == {"seed", "state", "test_sets"} and run["state"] == "done"
            assert set(run["test_sets"]) == {"internal", "external"}
            for numbers in run["test_sets"].values():
                assert set(numbers) == {"sensitivity", "precision", "auc"}
                for number in numbers.values():
                    assert {"value", "low", "high", "n"} <= set(number) <= {"value", "low", "high", "n", "reason"}
                    assert (number["value"] is not None) or number["reason"].startswith("undefined")


def test_unequal_ratios_are_given_by_class_and_an_absent_test_set_has_its_reason(
    project: Project, researcher: User
) -> None:
    experiment = experiment_records.launch(
        project,
        researcher,
        experiment_records.make_version(project, external=0),
        arms=(ArmDesign("Half benign", "cpu-quick", 0.5, 1.0, experiment_records.TINY),),
    )
    finish_all(experiment, lambda run: seen(1.0))

    (arm,) = selectors.summary(experiment)["arms"]

    assert arm["synthetic_ratio"] == {"benign": 0.5, "malignant": 1.0}
    assert "no such test set" in arm["runs"][0]["test_sets"]["external"]["auc"]["reason"]


def test_a_failed_run_has_no_number_but_a_reason(experiment: Experiment) -> None:
    from webapp.experiments import services as experiments

    for run in Run.objects.filter(arm__experiment=experiment):
        experiments.set_run_state(run=run, state="failed", error="Graphics memory was full.")

    number = selectors.summary(experiment)["arms"][0]["runs"][0]["test_sets"]["internal"]["auc"]

    assert number["value"] is None and number["reason"] == "undefined: the run failed"


def test_findings_for_views_of_no_test_set_are_refused_and_nothing_is_stored(experiment: Experiment) -> None:
    run = Run.objects.filter(arm__experiment=experiment)[0]
    samples = sample_sets.acquired_samples(experiment.version, "internal_test")
    sets = {"internal_test": SampleSet("internal_test", tuple(samples)), "external_test": SampleSet("", ())}
    found = {sample.sample_id: seen(1.0)(sample) for sample in samples}

    with pytest.raises(UserError, match=r"on the internal test\. There are findings for image view-0"):
        services.evaluate_run(run, sets, {"internal_test": found | {"view-0": []}})

    assert not Evaluation.objects.exists()


def test_every_view_of_an_evaluation_knows_its_breast(ended: Experiment) -> None:
    result = results.TestSetResult.from_json(Evaluation.objects.filter(test_set="internal_test")[0].result)

    views = View.objects.in_bulk([sample_sets.view_id(view.sample_id) for view in result.views])
    assert len(views) == result.images
    for view in result.views:
        there = views[sample_sets.view_id(view.sample_id)]
        assert view.breast_id == f"exam-{there.exam_id}-{there.laterality}"


def test_an_evaluation_never_changes(ended: Experiment) -> None:
    from django.db import DatabaseError, transaction

    with pytest.raises(DatabaseError, match="never changes"), transaction.atomic():
        Evaluation.objects.update(protocol_hash="0" * 64)
