"""What an answer holds and does not, filters, pages, number of queries."""

from __future__ import annotations

import json

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.webapp import experiment_records, records
from tests.webapp.api.conftest import Get
from tests.webapp.experiment_records import finish_all, seen
from webapp.accounts.models import Membership, Project, User
from webapp.annotations.models import Annotation, Lesion
from webapp.cases.models import Exam
from webapp.datasets import services as datasets
from webapp.datasets.models import DatasetVersion
from webapp.experiments.models import Experiment, MetricPoint, Run
from webapp.jobs.models import Job

pytestmark = pytest.mark.django_db


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
