"""The API: who reads what, what an answer holds and does not, launching, results behind lock and count."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.webapp import experiment_records, records
from tests.webapp.experiment_records import finish_all, seen
from webapp.accounts.models import Membership, Project, User
from webapp.annotations.models import Annotation, Lesion
from webapp.api import services
from webapp.api.models import PersonalToken
from webapp.cases.models import Exam
from webapp.core.errors import UserError
from webapp.core.models import AuditEvent
from webapp.datasets import services as datasets
from webapp.datasets.models import DatasetVersion
from webapp.experiments.models import Experiment, MetricPoint, Run
from webapp.jobs.models import Job
from webapp.results import models as results

pytestmark = pytest.mark.django_db
ROOT = "/api/v1/projects/study/"
Get = Callable[..., Any]


@pytest.fixture
def project() -> Project:
    return records.make_project()


@pytest.fixture
def researcher(project: Project) -> User:
    return records.make_member(project, "researcher", "ruth")


@pytest.fixture
def get(researcher: User) -> Get:
    """Read an address as the researcher."""
    client = Client()
    client.force_login(researcher)

    def read(address: str, status: int = 200) -> Any:
        response = client.get(ROOT + address)
        assert response.status_code == status, response.content
        return response.json()

    return read


@pytest.fixture
def version(project: Project) -> DatasetVersion:
    return experiment_records.make_version(project, 16, external=0)


@pytest.fixture
def experiment(project: Project, researcher: User, version: DatasetVersion) -> Experiment:
    return experiment_records.launch(project, researcher, version, ratios=(0.0,), seeds=(0, 1))


def design(version: DatasetVersion, changes: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "version": version.pk,
        "name": "Ratios",
        "hypothesis": "Synthetic clusters raise sensitivity.",
        "primary_endpoint": "sensitivity:malignant:internal_test",
        "arms": [{"name": "Real", "preset": "cpu-quick", "changes": {"epochs": 2}}],
        "seeds": [3],
    } | (changes or {})


def launch(client: Client, body: Any) -> Any:
    return client.post(f"{ROOT}experiments/", json.dumps(body), content_type="application/json")


# reading


def test_a_person_lists_own_projects_with_role(researcher: User) -> None:
    records.make_member(records.make_project("secret"), "admin")
    Membership.objects.create(project=records.make_project("beta"), user=researcher, role="observer")
    client = Client()
    client.force_login(researcher)
    listed = client.get("/api/v1/projects/").json()
    assert [(row["slug"], row["role"]) for row in listed["results"]] == [("beta", "observer"), ("study", "researcher")]


def test_a_case_tells_its_views_and_the_geometry_of_its_images(project: Project, get: Get) -> None:
    exam = records.make_exam(project)
    case = get(f"cases/{exam.number}/")
    assert case["patient"] == exam.patient.pseudonym and case["site"] == "A"
    assert [(view["laterality"], view["position"]) for view in case["views"]] == [
        ("R", "CC"), ("R", "MLO"), ("L", "CC"), ("L", "MLO"),
    ]  # fmt: skip
    assert {image["kind"] for image in case["views"][0]["images"]} == {"low_energy", "recombined"}
    assert (case["views"][0]["images"][0]["rows"], case["views"][0]["images"][0]["columns"]) == (96, 64)


def test_cases_are_filtered(project: Project, get: Get) -> None:
    cluster = records.make_exam(project, lesions=(("cluster", "malignant"), ("mass", "benign")))
    mass = records.make_exam(project, site="B", lesions=(("mass", "malignant"),))
    plain = records.make_exam(project, lesions=())
    Exam.objects.filter(pk=plain.pk).update(complete=False)

    def found(query: str) -> list[int]:
        return [row["number"] for row in get(f"cases/?{query}")["results"]]

    assert found("site=B") == [mass.number]
    assert found("complete=false") == [plain.number]
    assert found("lesion_type=mass") == [cluster.number, mass.number]
    assert found("lesion_type=mass&malignancy=malignant") == [mass.number], "type and malignancy of one lesion"
    assert found(f"q={plain.number}") == [plain.number]
    assert found(f"q={mass.patient.pseudonym}") == [mass.number]
    assert get("cases/?lesion_type=nonsense", 400)["field"] == "lesion_type"


def test_lesions_carry_the_outline_in_force(project: Project, get: Get) -> None:
    exam = records.make_exam(project)
    lesion = Lesion.objects.get(exam=exam)
    old, withdrawn = Annotation.objects.filter(lesion=lesion).order_by("pk")
    Annotation.objects.filter(pk=old.pk).update(current=False)
    polygon = [[1.0, 2.0], [5.5, 2.0], [5.5, 6.0]]
    Annotation.objects.create(
        lesion=lesion, view=old.view, revision=2, polygons=[polygon], x1=1, y1=2, x2=5.5, y2=6, source="reader"
    )
    Annotation.objects.filter(pk=withdrawn.pk).update(withdrawn=True)

    [found] = get(f"lesions/?case={exam.number}")["results"]

    assert (found["case"], found["lesion_type"], found["malignancy"]) == (exam.number, "cluster", "malignant")
    [outline] = found["outlines"]
    assert (outline["view"], outline["revision"], outline["polygons"]) == (old.view_id, 2, [polygon])


def test_a_version_tells_its_split_and_checks(version: DatasetVersion, get: Get) -> None:
    address = f"datasets/{version.dataset.slug}/versions/1/"
    detail = get(address)
    assert detail["state"] == "frozen" and detail["content_hash"] == version.content_hash
    assert sum(detail["patients"].values()) == 16 and detail["patients"]["unassigned"] == 0
    assert len(detail["leakage_checks"]) == 5 and all(check["passed"] for check in detail["leakage_checks"])
    train = get(f"{address}splits/?split=train")
    assert train["count"] == detail["patients"]["train"]
    assert get(f"{address}splits/")["count"] == 16


def test_a_run_tells_its_epochs(experiment: Experiment, get: Get) -> None:
    run = Run.objects.get(arm__experiment=experiment, seed=1)
    for epoch, loss in ((2, 0.5), (1, 0.9)):
        MetricPoint.objects.create(run=run, name="training_loss", epoch=epoch, value=loss)
    found = get(f"experiments/{experiment.number}/runs/0-1/")
    assert [(point["epoch"], point["value"]) for point in found["metric_points"]] == [(1, 0.9), (2, 0.5)]
    assert [row["seed"] for row in get(f"experiments/{experiment.number}/runs/")["results"]] == [0, 1]
    assert [arm["preset"] for arm in get(f"experiments/{experiment.number}/arms/")["results"]] == ["cpu-quick"]
    get(f"experiments/{experiment.number}/runs/1-0/", 404)


def test_a_job_tells_what_happened_to_it(experiment: Experiment, get: Get) -> None:
    job = Job.objects.latest("pk")
    found = get(f"jobs/{job.pk}/")
    assert found["kind"] == "experiments.run" and found["owner"] == "ruth"
    assert [event["text"] for event in found["events"]] == ["Queued."]
    assert get("jobs/?state=done")["count"] == 0
    assert get("jobs/?state=queued")["count"] == 2


def test_no_answer_gives_away_files_hashes_of_sources_or_keys(
    project: Project, experiment: Experiment, get: Get
) -> None:
    exam = records.make_exam(project)
    finish_all(experiment, lambda run: seen(0.5))
    answers = json.dumps(
        [
            get(address)
            for address in (
                "cases/?limit=200",
                f"cases/{exam.number}/",
                "lesions/",
                "datasets/",
                "datasets/set/versions/1/",
                "datasets/set/versions/1/splits/",
                f"experiments/{experiment.number}/",
                f"experiments/{experiment.number}/runs/0-0/",
                f"experiments/{experiment.number}/runs/0-0/predictions/?split=internal_test",
                f"experiments/{experiment.number}/results/",
                "jobs/",
                f"jobs/{Job.objects.latest('pk').pk}/",
            )
        ]
    )
    for row in Exam.objects.filter(project=project).select_related("patient"):
        assert row.source_key not in answers and row.patient.source_key not in answers
        for view in row.views.all():
            for image in view.images.all():
                for hidden in (image.file, image.sha256, image.source_hash):
                    assert hidden not in answers
    for job in Job.objects.all():
        assert job.folder not in answers
    for word in ('"file"', '"payload"', '"sha256"', '"source_key"', '"thumbnail"', '"token"', '"worker"'):
        assert word not in answers


def test_lists_come_in_pages_of_at_most_200(project: Project, get: Get) -> None:
    Job.objects.bulk_create(Job(project=project, kind="import", name=f"Job {number}") for number in range(210))
    assert len(get("jobs/")["results"]) == 50
    most = get("jobs/?limit=1000")
    assert most["count"] == 210 and len(most["results"]) == 200
    assert len(get("jobs/?limit=200&offset=200")["results"]) == 10


@pytest.mark.parametrize(
    "address", ["cases/", "lesions/", "datasets/", "experiments/", "jobs/", "splits", "predictions"]
)
def test_the_number_of_queries_does_not_grow_with_the_rows(
    project: Project, researcher: User, version: DatasetVersion, get: Get, address: str
) -> None:
    def grow() -> None:
        records.make_exam(project)
        experiment = experiment_records.launch(project, researcher, version, ratios=(0.0,))
        finish_all(experiment, lambda run: seen(0.9))
        datasets.create_dataset(
            actor=records.make_member(project, "curator"), project=project, name=f"Set {experiment.number}"
        )

    grow()
    first = Experiment.objects.order_by("number").first()
    assert first is not None
    full = {
        "splits": f"datasets/{version.dataset.slug}/versions/1/splits/?",
        "predictions": f"experiments/{first.number}/runs/0-0/predictions/?split=internal_test&",
    }.get(address, f"{address}?")

    def queries(limit: int) -> tuple[int, int]:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            rows = get(f"{full}limit={limit}")["results"]
        return len(captured), len(rows)

    if address not in ("splits", "predictions"):
        grow()
    few, one = queries(1)
    many, several = queries(100)
    assert one == 1 and several > 1
    assert few == many


# launching


@pytest.fixture
def browser_of(project: Project) -> Callable[[str], Client]:
    def make(role: str) -> Client:
        client = Client()
        client.force_login(records.make_member(project, role))
        return client

    return make


def test_a_launch_freezes_the_design_and_queues_its_runs(
    version: DatasetVersion, browser_of: Callable[[str], Client]
) -> None:
    response = launch(browser_of("researcher"), design(version, {"seeds": [3, 4]}))
    assert response.status_code == 201, response.content
    made = response.json()
    assert made["state"] == "frozen" and made["run_counts"]["total"] == 2
    assert made["arms"][0]["configuration"]["values"]["epochs"] == 2
    assert [run["seed"] for run in made["arms"][0]["runs"]] == [3, 4]
    assert response["Location"] == f"{ROOT}experiments/{made['number']}/"
    assert Job.objects.filter(kind="experiments.run", state="queued").count() == 2
    assert AuditEvent.objects.filter(action="experiments.launch").exists()


@pytest.mark.parametrize("role", ["observer", "radiologist", "curator"])
def test_who_may_not_launch_is_told_whom_to_ask(
    version: DatasetVersion, browser_of: Callable[[str], Client], role: str
) -> None:
    response = launch(browser_of(role), design(version))
    assert response.status_code == 403 and "ask a researcher" in response.json()["detail"]
    assert not Experiment.objects.exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"hypothesis": "   "}, "hypothesis"),
        ({"primary_endpoint": "luck"}, "primary_endpoint"),
        ({"arms": []}, "arms"),
        ({"arms": [{"name": "Real", "preset": "none"}]}, "preset"),
        ({"arms": [{"name": "Real", "preset": "cpu-quick", "ratio_benign": 11}]}, "arms.0.ratio_benign"),
        ({"arms": [{"preset": "cpu-quick"}]}, "arms.0.name"),
        ({"arms": [{"name": "Real", "preset": "cpu-quick", "changes": {"epochs": -1}}]}, "preset"),
        ({"arms": [{"name": "A", "preset": "cpu-quick"}] * 2}, "arms"),
        ({"seeds": [1, 1]}, "seeds"),
        ({"seeds": []}, "seeds"),
        ({"device": "cuda:7"}, "device"),
        ({"device": "abacus"}, "device"),
        ({"version": 10**6}, "version"),
        ({"primary_endpoint": "auc:malignant:external_test"}, "primary_endpoint"),
    ],
)
def test_a_design_that_cannot_be_is_refused_with_its_field(
    version: DatasetVersion, browser_of: Callable[[str], Client], changes: dict[str, Any], field: str
) -> None:
    response = launch(browser_of("researcher"), design(version, changes))
    assert response.status_code == 400
    assert response.json()["field"] == field and response.json()["detail"]
    assert not Experiment.objects.exists() and not Job.objects.exists()


@pytest.mark.parametrize("body", ["[]", "null", "3", "{", '"x"'])
def test_a_body_that_is_no_object_is_refused(browser_of: Callable[[str], Client], body: str) -> None:
    response = browser_of("researcher").post(f"{ROOT}experiments/", body, content_type="application/json")
    assert response.status_code == 400 and response.json()["detail"]


def test_the_version_of_another_project_cannot_be_used(browser_of: Callable[[str], Client]) -> None:
    foreign = experiment_records.make_version(records.make_project("elsewhere"), 16, external=0)
    response = launch(browser_of("researcher"), design(foreign))
    assert response.status_code == 400 and response.json()["field"] == "version"


# results


def test_results_are_locked_while_runs_are_open_and_nothing_is_counted(experiment: Experiment, get: Get) -> None:
    assert "locked" in get(f"experiments/{experiment.number}/results/", 409)["detail"]
    for split in ("internal_test", "external_test"):
        get(f"experiments/{experiment.number}/runs/0-0/predictions/?split={split}", 409)
    assert get(f"experiments/{experiment.number}/runs/0-0/predictions/?split=validation")["count"] == 0
    assert get(f"experiments/{experiment.number}/runs/0-0/predictions/", 400)["field"] == "split"
    assert not results.TestSetLook.objects.exists()


def test_every_opening_of_results_is_counted(experiment: Experiment, researcher: User, get: Get) -> None:
    finish_all(experiment, lambda run: seen(0.6))

    first = get(f"experiments/{experiment.number}/results/")
    second = get(f"experiments/{experiment.number}/results/")

    assert (first["looks"], second["looks"]) == ({"internal_test": 1}, {"internal_test": 2})
    assert set(results.TestSetLook.objects.values_list("person", "test_set")) == {(researcher.pk, "internal_test")}
    assert AuditEvent.objects.filter(action="results.look").count() == 2
    assert first["protocol_sentence"] and len(first["rows"]) == 2 * 3
    stored = Run.objects.get(arm__experiment=experiment, seed=0).evaluations.get().result
    [row] = [row for row in first["rows"] if row["seed"] == 0 and row["group"] == "malignant"]
    for measure in ("sensitivity", "precision", "auc"):
        assert row[measure] == stored[measure]["malignant"], "the number as it was evaluated, with interval and n"
    assert first["summary"]["arms"][0]["runs"][0]["test_sets"]["external"]["auc"]["reason"].startswith("undefined")


def test_findings_on_a_test_set_count_as_one_look_over_their_pages(experiment: Experiment, get: Get) -> None:
    finish_all(experiment, lambda run: seen(1.0))
    address = f"experiments/{experiment.number}/runs/0-0/predictions/"

    get(f"{address}?split=internal_test&limit=1&offset=1")
    assert results.TestSetLook.objects.count() == 1, "whoever begins on a later page has looked as well"
    page = get(f"{address}?split=internal_test&limit=1&offset=2")
    assert results.TestSetLook.objects.count() == 1
    get(f"{address}?split=internal_test")
    assert results.TestSetLook.objects.count() == 2
    get(f"{address}?split=validation")
    assert results.TestSetLook.objects.count() == 2
    assert page["results"][0]["rank"] == 0 and 0 <= page["results"][0]["score"] <= 1


# who calls


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def test_a_token_signs_in_and_only_its_hash_is_kept(project: Project, researcher: User) -> None:
    token = services.create_token(actor=None, user=researcher, name="laptop")
    response = Client().get(ROOT, headers=bearer(token))
    assert response.status_code == 200 and response.json()["role"] == "researcher"
    row = PersonalToken.objects.get()
    assert token not in json.dumps([row.digest, row.name]) and len(row.digest) == 64
    assert row.last_used is not None
    assert token not in json.dumps(list(AuditEvent.objects.values("object_name", "details")))


def test_a_token_needs_no_csrf_key_but_a_session_does(version: DatasetVersion, researcher: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(researcher)
    refused = launch(strict, design(version))
    assert refused.status_code == 403 and "CSRF" in refused.json()["detail"]
    token = services.create_token(actor=None, user=researcher, name="laptop")
    strict.logout()
    made = strict.post(
        f"{ROOT}experiments/", json.dumps(design(version)), content_type="application/json", headers=bearer(token)
    )
    assert made.status_code == 201


@pytest.mark.parametrize("how", ["unknown", "expired", "revoked", "closed account"])
def test_a_token_that_does_not_work_is_401_even_beside_a_session(project: Project, researcher: User, how: str) -> None:
    token = services.create_token(actor=None, user=researcher, name="laptop")
    client = Client()
    if how == "unknown":
        token += "x"
    elif how == "expired":
        PersonalToken.objects.update(expires=timezone.now() - timedelta(seconds=1))
    elif how == "revoked":
        services.revoke_token(actor=None, user=researcher, name="laptop")
    else:
        User.objects.filter(pk=researcher.pk).update(is_active=False)
    if how != "closed account":
        client.force_login(researcher)
    response = client.get(ROOT, headers=bearer(token))
    assert response.status_code == 401 and response["WWW-Authenticate"] == "Bearer"


def test_who_left_the_project_reads_no_more_with_the_token(project: Project, researcher: User) -> None:
    token = services.create_token(actor=None, user=researcher, name="laptop")
    Membership.objects.filter(user=researcher).delete()
    assert Client().get(ROOT, headers=bearer(token)).status_code == 404


@pytest.mark.parametrize(("name", "days"), [("", 90), ("x" * 61, 90), ("laptop", 0), ("laptop", 367)])
def test_impossible_tokens_are_refused(researcher: User, name: str, days: int) -> None:
    with pytest.raises(UserError):
        services.create_token(actor=None, user=researcher, name=name, days=days)
    assert not PersonalToken.objects.exists()


def test_tokens_from_the_command_line(project: Project, researcher: User, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("create_token", "Ruth", name="laptop")
    token = capsys.readouterr().out.strip()
    assert Client().get(ROOT, headers=bearer(token)).status_code == 200
    with pytest.raises(CommandError, match="already"):
        call_command("create_token", "ruth", name="laptop")
    call_command("create_token", "ruth", name="laptop", revoke=True)
    assert Client().get(ROOT, headers=bearer(token)).status_code == 401
    with pytest.raises(CommandError, match="No account"):
        call_command("create_token", "nobody")
