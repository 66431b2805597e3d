"""Models on cases: what they may be applied to, what is marked, what stays locked, and the layer of the viewer."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse

from tests.webapp import experiment_records, records, registry_records
from tests.webapp.experiment_records import finish, graded
from tests.webapp.registry.conftest import client_of
from webapp.accounts.models import User
from webapp.cases.models import Image, View
from webapp.core.errors import UserError
from webapp.datasets.models import SplitAssignment
from webapp.experiments import services as experiments
from webapp.experiments.models import ArmSyntheticView, Experiment, Run
from webapp.jobs import lease
from webapp.jobs import services as jobs
from webapp.jobs.models import Job
from webapp.registry import services, standing
from webapp.registry.models import AppliedFinding, AppliedView, ModelApplication, RegisteredModel
from webapp.results import models as results
from webapp.simulations.models import SyntheticView

pytestmark = pytest.mark.django_db
TESTED = ("internal_test", "external_test")


@pytest.fixture
def model(ended: Experiment) -> RegisteredModel:
    return registry_records.register(Run.objects.get(arm__experiment=ended, seed=0))


@pytest.fixture
def complete(model: RegisteredModel, researcher: User) -> ModelApplication:
    return registry_records.finish(registry_records.start(model, researcher), registry_records.by_place)


def of_split(complete: ModelApplication, *splits: str) -> AppliedView:
    """The view with the highest score among those of patients of these splits."""
    found = complete.views.filter(split__in=splits, highest_score__isnull=False).order_by("-highest_score").first()
    assert found is not None
    return found


def add_synthetic(model: RegisteredModel, researcher: User, *, trains: bool) -> View:
    """A synthetic view of a training patient, which the model trained on or not."""
    from webapp.simulations import services as simulations

    member = model.version.version_views.filter(split="train").order_by("pk").first()
    assert member is not None
    batch = simulations.create_batch(
        actor=researcher,
        project=model.project,
        version=model.version,
        wanted={"benign": 0, "malignant": 1},
        seed=1,
    )
    view = View.objects.create(
        exam=member.view.exam,
        laterality=member.view.laterality,
        position=member.view.position,
        origin="synthetic",
        variant=1,
    )
    for kind in ("low_energy", "recombined"):
        records.make_image(view, kind, shape=experiment_records.SHAPE, with_file=False, seed=1)
    made = SyntheticView.objects.create(
        view=view,
        host=member.view,
        batch=batch,
        patient=member.patient,
        malignancy="malignant",
        case_number=1,
        seed=1,
        mask="m.png",
        record={},
    )
    if trains:
        ArmSyntheticView.objects.create(arm=model.run.arm, synthetic_view=made)
    return view


def test_while_runs_are_open_the_models_own_test_sets_are_left_out(experiment: Experiment, researcher: User) -> None:
    done, other = Run.objects.filter(arm__experiment=experiment).order_by("seed")
    model = registry_records.register(finish(done, graded()))
    tested = View.objects.filter(exam__patient__assignments__split__in=TESTED)

    planned = standing.plan(model, View.objects.all())

    assert {one.split for one in planned.views} == {"train", "validation"}
    assert planned.left_out == {
        f"in a locked test set: runs of experiment {experiment.number} have not ended": tested.count()
    }
    with pytest.raises(UserError, match=r"No view is left: .* in a locked test set"):
        services.apply_model(
            actor=researcher, project=model.project, model=model, plan=standing.plan(model, tested), words="test sets"
        )
    finish(other, graded(1))
    assert {one.split for one in standing.plan(model, tested).views} == set(TESTED)


def test_views_are_marked_by_what_they_are_to_the_model(model: RegisteredModel, researcher: User) -> None:
    trained, untouched = add_synthetic(model, researcher, trains=True), records.make_exam(model.project)
    Image.objects.filter(view=untouched.views.first(), kind="recombined").delete()

    planned = standing.plan(model, View.objects.all(), synthetic=True)

    by_view = {one.view_id: one for one in planned.views}
    for member in model.version.version_views.all():
        assert (by_view[member.view_id].split, by_view[member.view_id].trained_on) == (
            member.split,
            member.split == "train",
        )
    assert by_view[trained.pk].trained_on and by_view[trained.pk].origin == "synthetic"
    assert [by_view[view.pk].split for view in untouched.views.all()[1:]] == ["", "", ""]
    assert planned.left_out == {"incomplete: an image is missing, or the two differ in size": 1}
    assert any("training data" in words for words in planned.warnings)
    without = standing.plan(model, View.objects.all())
    assert without.left_out["synthetic, not asked for"] == 1


def test_a_synthetic_view_the_model_did_not_train_on_is_of_a_training_patient(
    model: RegisteredModel, researcher: User
) -> None:
    view = add_synthetic(model, researcher, trains=False)

    (planned,) = standing.plan(model, View.objects.filter(pk=view.pk), synthetic=True).views

    assert (planned.split, planned.trained_on) == ("train", False)


def test_test_sets_of_another_experiment_under_way_are_warned_about(model: RegisteredModel, researcher: User) -> None:
    later = experiment_records.launch(model.project, researcher, model.version, ratios=(0.0,))
    tested = SplitAssignment.objects.filter(version=model.version, split__in=TESTED).count()

    words = standing.plan(model, View.objects.all()).warnings

    assert any(f"{tested} of the patients are in the test sets of experiment {later.number}" in one for one in words)


def test_a_retired_model_is_not_applied(model: RegisteredModel, researcher: User) -> None:
    services.set_stage(actor=researcher, model=model, stage="retired", reason="Superseded.")

    with pytest.raises(UserError, match="is retired"):
        registry_records.start(model, researcher)
    page = client_of(researcher).get(reverse("registry:apply", args=["study"]))
    assert "No model can be applied" in page.content.decode()


def test_an_application_behind_a_training_says_what_it_waits_for_and_how_long(
    model: RegisteredModel, researcher: User
) -> None:
    training = jobs.submit(
        kind="experiments.run", project=model.project, name="Training 9", payload={"run": 0}, created_by=None
    )
    assert lease.claim(training.pk, lease.new_token())
    Job.objects.filter(pk=training.pk).update(seconds_left=1500)
    made = registry_records.start(model, researcher)

    for name in ("registry:application", "registry:status"):
        page = client_of(researcher).get(reverse(name, args=["study", made.number])).content.decode()
        assert "Waits for cpu, which is used by “Training 9”. It may start in about 25 min." in page


def test_a_complete_application_never_changes(complete: ModelApplication) -> None:
    some = AppliedFinding.objects.filter(applied_view__application=complete).first()
    assert some is not None
    for change in (
        lambda: AppliedFinding.objects.filter(pk=some.pk).update(score=0.99),
        lambda: AppliedFinding.objects.filter(pk=some.pk).delete(),
        lambda: AppliedFinding.objects.create(
            applied_view=some.applied_view,
            rank=90,
            x1=0,
            y1=0,
            x2=1,
            y2=1,
            score=0.5,
            malignancy=0.5,
            lesion_type="mass",
        ),
        lambda: AppliedView.objects.filter(application=complete).update(trained_on=False),
        lambda: AppliedView.objects.filter(application=complete).delete(),
        lambda: ModelApplication.objects.filter(pk=complete.pk).update(summary={}),
        lambda: ModelApplication.objects.filter(pk=complete.pk).update(finished=None),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            change()
    Job.objects.filter(pk=complete.job_id).delete()
    assert ModelApplication.objects.get(pk=complete.pk).job is None


@pytest.mark.parametrize("wrong", [{"score": 1.2}, {"malignancy": -0.1}, {"x1": 9.0, "x2": 3.0}])
def test_findings_that_cannot_be_are_refused(model: RegisteredModel, researcher: User, wrong: dict[str, float]) -> None:
    applied = registry_records.start(model, researcher).views.first()
    values = {"x1": 0, "y1": 0, "x2": 1, "y2": 1, "score": 0.5, "malignancy": 0.5, "lesion_type": "mass"} | wrong
    with pytest.raises(IntegrityError), transaction.atomic():
        AppliedFinding.objects.create(applied_view=applied, rank=0, **values)


def test_the_page_lists_views_by_score_and_counts_the_look(complete: ModelApplication) -> None:
    reader = records.make_member(complete.project, "observer", "reader")

    answer = client_of(reader).get(reverse("registry:application", args=["study", 1]))

    rows = answer.context["rows"]
    scores = [row["applied"].highest_score for row in rows]
    assert scores[0] == complete.views.order_by("-highest_score").exclude(highest_score=None)[0].highest_score
    assert [one for one in scores if one is not None] == sorted(
        (one for one in scores if one is not None), reverse=True
    )
    assert sum(answer.context["figure"]["data"][0]["y"]) == complete.summary["findings"]
    page = answer.content.decode()
    assert "In its training data" in page and "no evidence" in page
    assert set(results.TestSetLook.objects.filter(person=reader).values_list("test_set", flat=True)) == set(TESTED)
    client_of(reader).get(reverse("registry:application", args=["study", 1]))
    assert results.TestSetLook.objects.filter(person=reader).count() == 2


def test_findings_are_a_layer_of_the_viewer_above_the_score(complete: ModelApplication) -> None:
    reader = records.make_member(complete.project, "observer")
    applied = of_split(complete, "train")
    exam = applied.view.exam
    client = client_of(reader)

    page = client.get(reverse("viewer:case", args=["study", exam.number]), {"application": 1}).content.decode()
    layers = client.get(reverse("viewer:layers", args=["study", exam.number]), {"application": 1, "score": 0.0}).json()

    assert '<option value="application-1" selected>' in page
    kept = list(AppliedFinding.objects.filter(applied_view__view__exam=exam, score__gt=0).order_by("-score"))
    assert [one["score"] for one in layers["findings"]] == [one.score for one in kept]
    first = layers["views"][str(applied.view_id)]["prediction"][0]
    assert first["box"] == [150.0, 140.0, 200.0, 190.0] and len(first["contour"]) == 3
    assert layers["run"]["label"].startswith("Model 1") and "no evidence" in layers["run"]["no_evidence"]
    above = client.get(
        reverse("viewer:layers", args=["study", exam.number]), {"application": 1, "score": applied.highest_score}
    ).json()
    assert len(above["findings"]) < len(kept)
    assert not results.TestSetLook.objects.exists()


def test_opening_the_layer_on_a_test_patient_is_a_look(complete: ModelApplication) -> None:
    reader = records.make_member(complete.project, "observer")
    exam = of_split(complete, "internal_test").view.exam
    client = client_of(reader)
    for _ in range(2):
        layers = client.get(reverse("viewer:layers", args=["study", exam.number]), {"application": 1}).json()

    assert layers["findings"] and layers["run"]["no_evidence"] is None
    assert list(results.TestSetLook.objects.values_list("person", "test_set")) == [(reader.pk, "internal_test")]


def test_test_patients_are_hidden_again_when_a_run_is_taken_up_again(complete: ModelApplication) -> None:
    reader = records.make_member(complete.project, "observer")
    client = client_of(reader)
    tested, trained = of_split(complete, "internal_test").view.exam, of_split(complete, "train").view.exam
    other = Run.objects.get(arm__experiment=complete.model.run.arm.experiment, seed=3)
    experiments.set_run_state(run=other, state="queued")

    answer = client.get(reverse("registry:application", args=["study", 1]))

    assert not any(row["tested"] for row in answer.context["rows"]) and not results.TestSetLook.objects.exists()
    assert "are hidden" in answer.content.decode()
    assert answer.context["counts"]["hidden"] == complete.views.filter(split__in=TESTED).count()
    assert client.get(reverse("api:application", args=["study", 1])).json()["findings"] is None
    layers = reverse("viewer:layers", args=["study", tested.number])
    assert client.get(layers, {"application": 1}).status_code == 404
    assert "application-1" not in client.get(reverse("viewer:case", args=["study", tested.number])).content.decode()
    shown = client.get(reverse("viewer:layers", args=["study", trained.number]), {"application": 1})
    assert shown.status_code == 200


def test_an_address_names_a_run_or_an_application_of_this_case(complete: ModelApplication) -> None:
    client = client_of(records.make_member(complete.project, "observer"))
    later = records.make_exam(complete.project)
    run = complete.model.run_id
    seen = of_split(complete, "train").view.exam
    page = client.get(reverse("viewer:case", args=["study", later.number]), {"application": 1, "score": 0.3})
    assert page.context["absent"].words == "The model was not applied to this case, or could not read it."
    assert page.context["previous_url"].endswith("?application=1&score=0.3")
    assert "Model 1" in page.context["absent"].label
    for exam, query in (
        (later, {"application": 1}),
        (seen, {"application": 9}),
        (seen, {"application": 1, "run": run}),
    ):
        assert client.get(reverse("viewer:layers", args=["study", exam.number]), query).status_code == 404


def test_cases_chosen_on_the_cases_page_are_planned_then_applied(model: RegisteredModel, researcher: User) -> None:
    client = client_of(researcher)
    cases = client.get(reverse("cases:list", args=["study"])).content.decode()
    address = reverse("registry:apply", args=["study"])
    assert f'name="all" value="1" formaction="{address}"' in cases
    exams = list(model.project.exams.filter(patient__site__code="B"))

    asked = client.post(address, {"all": "1", "query": "site=B"})
    assert asked.context["count"] == len(exams) > 0 and '<input type="hidden" name="query" value="site=B">' in (
        asked.content.decode()
    )
    form = {"all": "1", "query": "site=B", "model": model.pk, "device": "cpu"}
    looked = client.post(address, form)
    assert len(looked.context["plan"].views) == 2 * len(exams) and not ModelApplication.objects.exists()
    started = client.post(address, form | {"start": "1"})

    made = ModelApplication.objects.get()
    assert started.headers["Location"] == reverse("registry:application", args=["study", made.number])
    assert set(made.views.values_list("view__exam", flat=True)) == {exam.pk for exam in exams}
    assert made.job is not None and made.job.state == "queued" and "site=B" in made.selection["words"]


def test_a_split_of_a_dataset_version_is_applied(model: RegisteredModel, researcher: User) -> None:
    client_of(researcher).post(
        reverse("registry:apply", args=["study"]),
        {"source": f"{model.version_id}:validation", "model": model.pk, "device": "cpu", "start": "1"},
    )

    made = ModelApplication.objects.get()
    members = model.version.version_views.filter(split="validation").values_list("view", flat=True)
    assert set(made.views.values_list("view", flat=True)) == set(members)
    assert set(made.views.values_list("split", flat=True)) == {"validation"}


@pytest.mark.parametrize(
    "wrong", [{"model": 10**6}, {"source": "7:train"}, {"device": "cuda:7"}, {"case": ["one"]}, {"case": ["999999"]}]
)
def test_what_cannot_be_applied_is_refused_on_the_form(
    model: RegisteredModel, researcher: User, wrong: dict[str, Any]
) -> None:
    form = {"source": "all", "model": model.pk, "device": "cpu", "start": "1"} | wrong

    answer = client_of(researcher).post(reverse("registry:apply", args=["study"]), form)

    assert answer.status_code == 422 and not ModelApplication.objects.exists()
