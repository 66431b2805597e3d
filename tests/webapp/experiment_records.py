"""Experiments for tests: launched through the service, ended with findings of the test's choice, really evaluated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from detection.evaluation.protocol import Protocol
from detection.finding import Finding
from detection.sample_set import Sample, SampleSet
from tests.webapp import records
from webapp.accounts.models import Project, User
from webapp.cases.models import Exam
from webapp.datasets.models import DatasetVersion
from webapp.experiments import running, sample_sets, services
from webapp.experiments.design import ArmDesign, ExperimentDesign
from webapp.experiments.models import Experiment, Prediction, Run
from webapp.jobs.models import Job
from webapp.results.services import evaluate_run

TINY = {"epochs": 1, "input_min_size": 64, "input_max_size": 96}
"""Changes to `cpu-quick` that train within seconds."""
SHAPE = (320, 240)
BOX = (150.0, 140.0, 200.0, 190.0)
"""On the right breast of a picture of `SHAPE`."""

Findings = Callable[[Sample], list[Finding]]


def make_exams(project: Project, count: int = 8, *, with_files: bool = True, site: str = "A") -> list[Exam]:
    """Exams of two lesion-free and two diseased views, benign and malignant in turn."""
    return [
        records.make_exam(
            project,
            site=site,
            with_files=with_files,
            shape=SHAPE,
            box=BOX,
            lesions=(("cluster" if number % 4 < 2 else "mass", "malignant" if number % 2 else "benign"),),
            views=(("R", "CC"), ("L", "CC")),
        )
        for number in range(count)
    ]


def make_version(project: Project, count: int = 24, *, external: int = 8, with_files: bool = False) -> DatasetVersion:
    """A frozen version with a second site as external test."""
    curator = records.make_member(project, "curator")
    exams = make_exams(project, count, with_files=with_files)
    sites: tuple[str, ...] = ()
    if external:
        exams += make_exams(project, external, with_files=with_files, site="B")
        sites = ("B",)
    return records.make_frozen_version(project, curator, exams, test_share=0.5, external_sites=sites)


def freeze(
    project: Project,
    actor: User,
    version: DatasetVersion,
    *,
    ratios: tuple[float, ...] = (0.0, 1.0),
    seeds: tuple[int, ...] = (0,),
    endpoint: str = "sensitivity:malignant:internal_test",
    arms: tuple[ArmDesign, ...] = (),
    changes: dict[str, Any] | None = None,
    comparison: tuple[int, int] | None = None,
    margin: float | None = None,
    protocol: Protocol | None = None,
) -> Experiment:
    """A frozen design with one arm a ratio, or with the arms given; nothing is started."""
    arms = arms or tuple(
        ArmDesign(f"Real + {100 * ratio:g} %", "cpu-quick", ratio, ratio, TINY | (changes or {})) for ratio in ratios
    )
    design = ExperimentDesign(
        "Ratios",
        "Synthetic clusters raise sensitivity.",
        endpoint,
        arms,
        seeds,
        comparison=comparison,
        margin=margin,
        protocol=protocol or Protocol(),
    )
    return services.freeze(actor=actor, project=project, version=version, design=design)


def launch(project: Project, actor: User, version: DatasetVersion, **design: Any) -> Experiment:
    """An experiment of what `freeze` takes, its jobs in the queue."""
    return services.launch(actor=actor, experiment=freeze(project, actor, version, **design))


def finish(run: Run, findings: Findings) -> Run:
    """End a run as `running.perform` does, with predictions of the test's choice in place of a trained detector."""
    version = run.arm.experiment.version
    sets = {
        split: SampleSet(split, tuple(sample_sets.acquired_samples(version, split)))
        for split in running.PREDICTED_SPLITS
    }
    found = {
        split: {sample.sample_id: findings(sample) for sample in samples.samples} for split, samples in sets.items()
    }
    Prediction.objects.bulk_create(
        running._prediction(run, split, sample, rank, finding)
        for split, by_sample in found.items()
        for sample, listed in by_sample.items()
        for rank, finding in enumerate(listed)
    )
    evaluate_run(run, sets, found)()
    Job.objects.filter(pk=run.job_id).update(state="done", fraction=1.0)
    services.set_run_state(run=run, state="done")
    return run


def finish_all(experiment: Experiment, findings: Callable[[Run], Findings]) -> Experiment:
    """End every run."""
    for run in Run.objects.filter(arm__experiment=experiment).select_related("arm__experiment__version"):
        finish(run, findings(run))
    return experiment


def seen(share: float, *, score: float = 0.8, also_wrong: bool = False) -> Findings:
    """A detector that finds the lesions of about `share` of the patients, and calls them by their class."""

    def find(sample: Sample) -> list[Finding]:
        listed = []
        for lesion in sample.lesions:
            if (int(sample.patient_id) * 7 % 10) / 10 < share:
                malignancy = 0.9 if lesion.malignancy == "malignant" else 0.2
                listed.append(
                    Finding(lesion.box, score, malignancy, "mass" if lesion.lesion_type == "mass" else "cluster")
                )
        if also_wrong and int(sample.patient_id) % 3 == 0:
            listed.append(Finding((5.0, 5.0, 15.0, 15.0), score / 2, 0.7, "cluster"))
        return listed

    return find


def graded(shift: int = 0) -> Findings:
    """A detector with a score of its own for every view, false findings and a wrong class among them."""

    def find(sample: Sample) -> list[Finding]:
        number = 37 * int(sample.patient_id) + 11 * int(sample.sample_id.removeprefix("view-")) + shift
        listed = []
        for lesion in sample.lesions:
            score = (number % 100) / 100
            right = number % 7 > 0
            malignancy = 0.5 + (0.4 if (lesion.malignancy == "malignant") == right else -0.4) * (0.3 + score / 2)
            if number % 5:
                listed.append(
                    Finding(lesion.box, score, malignancy, "mass" if lesion.lesion_type == "mass" else "cluster")
                )
            if number % 4 == 0:
                x1, y1, x2, y2 = lesion.box
                listed.append(Finding((x1 + 4, y1 + 4, x2 + 4, y2 + 4), score / 2, 0.8, "cluster"))
        if number % 3 == 0:
            listed.append(Finding((5.0, 5.0, 15.0, 15.0), (number % 89) / 100, 0.7, "cluster"))
        return sorted(listed, key=lambda finding: -finding.score)

    return find


def outlined(findings: Findings) -> Findings:
    """The same with an outline around each finding."""

    def find(sample: Sample) -> list[Finding]:
        return [
            replace(one, contour=((x1, y1), (x2, y1), (x2, y2), (x1, y2)))
            for one in findings(sample)
            for x1, y1, x2, y2 in [one.box]
        ]

    return find
