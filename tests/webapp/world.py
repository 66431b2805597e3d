"""One object of every kind in one project, with a person in every role: what tests of access walk through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from PIL import Image as PillowImage

from tests.webapp import experiment_records, records, registry_records
from tests.webapp.experiment_records import SHAPE, finish_all, seen
from webapp.accounts.models import Project, User
from webapp.annotations.models import Lesion
from webapp.cases.importing import uploads
from webapp.cases.models import Exam, Image, ImageKind, ImportBatch, ImportFile, Site, View
from webapp.core import files
from webapp.datasets import services as datasets
from webapp.datasets.models import DatasetVersion
from webapp.datasets.splitting import SplitSettings
from webapp.experiments.models import Experiment, Run, RunArtifact
from webapp.jobs.models import Job
from webapp.registry.models import ModelApplication, RegisteredModel
from webapp.results.models import Report
from webapp.reviews import services as reviews
from webapp.reviews.models import ReviewQueue
from webapp.simulations.models import SimulationBatch, SyntheticView


@dataclass(frozen=True)
class World:
    """Rows by what they are; `people` by role, with "outsider"."""

    project: Project
    people: dict[str, User]
    exam: Exam
    image: Image
    lesion: Lesion
    frozen: DatasetVersion
    draft: DatasetVersion
    experiment: Experiment
    unlaunched: Experiment
    run: Run
    artifact: RunArtifact
    batch: SimulationBatch
    synthetic: SyntheticView
    queued: Job
    failed: Job
    imported: ImportBatch
    waiting: ImportFile
    review: ReviewQueue
    report: Report
    model: RegisteredModel
    application: ModelApplication


def make_world() -> World:
    """Build it. Images have files; the experiment has ended and is evaluated."""
    project = records.make_project()
    people = {role: records.make_member(project, role, role) for role in records.ROLES}
    people["outsider"] = records.make_member(records.make_project("elsewhere"), "admin", "outsider")
    frozen = experiment_records.make_version(project, 16, external=4)
    exam = experiment_records.make_exams(project, 1)[0]
    image = Image.objects.filter(view__exam=exam).first()
    assert image is not None
    thumbnail = files.new_name("thumbnails", ".png")
    files.write_with(thumbnail, lambda draft: PillowImage.new("L", (8, 8), 90).save(draft))
    Image.objects.filter(pk=image.pk).update(thumbnail=thumbnail)
    draft = datasets.create_dataset(actor=people["curator"], project=project, name="Draft")
    datasets.add_exams(actor=people["curator"], version=draft, exams=list(project.exams.all()))
    datasets.draw(actor=people["curator"], version=draft, settings=SplitSettings())
    experiment = experiment_records.launch(project, people["researcher"], frozen, ratios=(1.0,))
    queued = Job.objects.filter(project=project, run__isnull=False).first()
    assert queued is not None and experiment.batch is not None and experiment.batch.job is not None
    Job.objects.filter(pk=experiment.batch.job_id).update(state="done")
    finish_all(experiment, lambda run: seen(0.5))
    run = Run.objects.get(arm__experiment=experiment)
    open_experiment = experiment_records.launch(project, people["researcher"], frozen, ratios=(0.0,))
    queued = Run.objects.get(arm__experiment=open_experiment).job
    assert queued is not None
    unlaunched = experiment_records.freeze(project, people["researcher"], frozen, ratios=(0.0,))
    failed = _failed_job(project, people["curator"])
    name = files.new_name("runs", ".json")
    files.write(name, b"{}")
    artifact = RunArtifact.objects.create(run=run, name="log.json", file=name, size=2, sha256="0" * 64)
    imported, waiting = _import(project, people["curator"])
    model = registry_records.register(run)
    return World(
        project=project,
        people=people,
        exam=exam,
        image=Image.objects.get(pk=image.pk),
        lesion=Lesion.objects.get(exam=exam),
        frozen=frozen,
        draft=draft,
        experiment=experiment,
        unlaunched=unlaunched,
        run=run,
        artifact=artifact,
        batch=experiment.batch,
        synthetic=_synthetic(frozen, experiment.batch),
        queued=queued,
        failed=failed,
        imported=imported,
        waiting=waiting,
        review=_review(project, people, run),
        report=_report(experiment, people["researcher"]),
        model=model,
        application=registry_records.start(model, people["researcher"]),
    )


def _review(project: Project, people: dict[str, User], run: Run) -> ReviewQueue:
    """A queue whose first item the admin and the radiologist have answered."""
    queue = reviews.create_queue(
        actor=people["radiologist"], project=project, run=run, test_set="internal_test", kind="missed"
    )
    item = queue.items.get(position=1)
    for role in ("admin", "radiologist"):
        reviews.reveal(actor=people[role], item=item, seconds=2.0)
        reviews.answer(actor=people[role], item=item, state="answered", reason="dense", seconds=4.0)
    return queue


def _report(experiment: Experiment, researcher: User) -> Report:
    """A report with a file, of records that have changed since."""
    name = files.new_name("reports", ".pdf")
    files.write(name, b"%PDF-1.4")
    return Report.objects.create(
        experiment=experiment,
        inputs_hash="0" * 64,
        snapshot={"looks": {}},
        requested_by=researcher,
        requested_name=researcher.username,
        created=timezone.now(),
        file=name,
        size=8,
        pages=1,
        sha256="0" * 64,
    )


def _failed_job(project: Project, owner: User) -> Job:
    """A failed job of a kind that may be retried."""
    return Job.objects.create(
        project=project,
        kind="import",
        name="Broken import",
        state="failed",
        created_by=owner,
        payload={"batch": 0},
        error="File 3 is not an image: remove it.",
    )


def _synthetic(version: DatasetVersion, batch: SimulationBatch) -> SyntheticView:
    """A synthetic view of a training patient."""
    member = version.version_views.filter(split="train").select_related("view__exam", "patient").first()
    assert member is not None
    view = View.objects.create(
        exam=member.view.exam,
        laterality=member.view.laterality,
        position=member.view.position,
        origin="synthetic",
        variant=1,
    )
    for kind in ImageKind.values:
        records.make_image(view, kind, shape=SHAPE, with_file=True, seed=1)
    picture = records.breast_picture(SHAPE, view.laterality, seed=2)
    for host in member.view.images.all():
        files.write_with(host.file, picture.save)
    return SyntheticView.objects.create(
        view=view,
        host=member.view,
        batch=batch,
        patient=member.patient,
        malignancy="malignant",
        case_number=1,
        seed=1,
        mask=files.new_name("masks", ".png"),
        record={},
    )


def _import(project: Project, curator: User) -> tuple[ImportBatch, ImportFile]:
    """An upload that has not begun, with a file that waits for a person's word."""
    site = Site.objects.get(project=project, code="A")
    batch = ImportBatch.objects.create(
        project=project, site=site, number=1, source="upload", folder=uploads.new_folder(), created_by=curator
    )
    name = f"{'0' * 32}.dcm"
    path = uploads.waiting_file(batch.folder, f"{name}.png")
    assert path is not None
    path.parent.mkdir(parents=True, exist_ok=True)
    PillowImage.new("L", (8, 8), 90).save(path)
    waiting = ImportFile.objects.create(batch=batch, name="1.dcm", index=1, verdict="ask", waiting=name)
    return batch, waiting


def address_values(world: World) -> dict[str, Any]:
    """The values that addresses carry, by name."""
    run = world.run
    return {
        "project": world.project.slug,
        "case": world.exam.number,
        "image": world.image.pk,
        "lesion": world.lesion.pk,
        "dataset": world.frozen.dataset.slug,
        "draft": world.draft.dataset.slug,
        "experiment": world.experiment.number,
        "unlaunched": world.unlaunched.number,
        "table": "differences",
        "panel": "levels",
        "arm": run.arm.position,
        "seed": run.seed,
        "compared": f"{world.experiment.number}-{run.arm.position}-{run.seed}",
        "artifact": world.artifact.pk,
        "batch": world.batch.number,
        "synthetic": world.synthetic.pk,
        "synthetic_word": "synthetic",
        "low_energy": "low_energy",
        "synthetic_image": world.synthetic.view.images.get(kind=ImageKind.LOW_ENERGY).pk,
        "job": world.queued.pk,
        "failed": world.failed.pk,
        "import": world.imported.number,
        "file": world.waiting.pk,
        "observer": world.people["observer"].pk,
        "review": world.review.number,
        "report": world.report.pk,
        "model": world.model.number,
        "model_key": world.model.pk,
        "application": world.application.number,
        "radiologist": world.people["radiologist"].pk,
    }
