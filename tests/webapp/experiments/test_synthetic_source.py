"""Where the synthetic views of an arm come from: a new simulation, one that was looked through, its control."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.webapp import experiment_records
from tests.webapp.simulations.conftest import Study, study
from webapp.core.errors import UserError
from webapp.experiments import sample_sets, services
from webapp.experiments.design import ArmDesign, ExperimentDesign
from webapp.experiments.models import Arm, Experiment
from webapp.jobs.execution import run_here
from webapp.jobs.models import Job
from webapp.simulations import verdicts
from webapp.simulations.models import SimulationBatch

__all__ = ["study"]
pytestmark = pytest.mark.django_db(transaction=True)


def launch(study: Study, *arms: ArmDesign, simulation: SimulationBatch | None = None) -> Experiment:
    design = ExperimentDesign("Control", "It is the clusters.", "sensitivity:malignant:internal_test", arms)
    frozen = services.freeze(
        actor=study.researcher, project=study.project, version=study.version, design=design, simulation=simulation
    )
    return services.launch(actor=study.researcher, experiment=frozen)


def arm(name: str, ratio: float, source: str = "clusters") -> ArmDesign:
    return ArmDesign(name, "cpu-quick", ratio, ratio, experiment_records.TINY, source)


def simulate_all() -> None:
    for job in Job.objects.filter(kind="simulations.batch", state="queued"):
        run_here(job)
    for job in Job.objects.filter(kind="simulations.batch", state__in=["queued", "waiting"]):
        job.refresh_from_db()
        run_here(job)


def test_the_control_arm_trains_on_the_hosts_and_outlines_of_the_cluster_arm(study: Study) -> None:
    experiment = launch(study, arm("Real", 0), arm("Clusters", 2), arm("Control", 2, "control"))
    assert experiment.batch is not None and experiment.control_batch is not None
    assert experiment.control_batch.control_of == experiment.batch
    simulate_all()
    clusters, control = Arm.objects.filter(experiment=experiment).order_by("position")[1:]

    with_clusters = services.choose_synthetic_views(arm=clusters)
    with_nothing = services.choose_synthetic_views(arm=control)

    assert {one.batch_id for one in with_nothing} == {experiment.control_batch_id}
    assert [(one.malignancy, one.case_number, one.host_id) for one in with_nothing] == [
        (one.malignancy, one.case_number, one.host_id) for one in with_clusters
    ]
    labels = [
        [(lesion.lesion_type, lesion.malignancy, lesion.polygons) for lesion in sample.lesions]
        for sample in sample_sets.synthetic_samples(with_clusters)
    ]
    assert labels == [
        [(lesion.lesion_type, lesion.malignancy, lesion.polygons) for lesion in sample.lesions]
        for sample in sample_sets.synthetic_samples(with_nothing)
    ]


def test_runs_of_a_control_wait_for_the_control(study: Study) -> None:
    experiment = launch(study, arm("Clusters", 1), arm("Control", 1, "control"))
    assert experiment.batch is not None and experiment.control_batch is not None

    waits = {
        run.arm.name: run.job.after_id for one in experiment.arms.all() for run in one.runs.all() if run.job is not None
    }

    assert waits == {"Clusters": experiment.batch.job_id, "Control": experiment.control_batch.job_id}


def test_a_control_without_synthetic_cases_is_refused(study: Study) -> None:
    with pytest.raises(UserError, match="repeats synthetic cases") as refused:
        launch(study, arm("Control", 0, "control"))

    assert refused.value.field == "arms"


def test_arms_take_a_simulation_that_was_looked_through_without_its_rejected_cases(study: Study) -> None:
    batch = study.simulate(benign=3, malignant=3)
    first = batch.synthetic_views.filter(malignancy="malignant").order_by("case_number").first()
    assert first is not None
    verdicts.judge(actor=study.researcher, synthetic_view=first, verdict="rejected", reason="shape")

    experiment = launch(study, arm("Clusters", 2), simulation=batch)
    chosen = services.choose_synthetic_views(arm=experiment.arms.get())

    assert experiment.batch == batch and SimulationBatch.objects.count() == 1
    numbers = [one.case_number for one in chosen if one.malignancy == "malignant"]
    assert first.case_number not in numbers and numbers == [2, 3]


def test_a_simulation_with_too_few_cases_left_is_refused_at_the_start(study: Study) -> None:
    batch = study.simulate(benign=2, malignant=1)

    with pytest.raises(UserError, match="has 1 that") as refused:
        launch(study, arm("Clusters", 2), simulation=batch)

    assert refused.value.field == "simulation"
    with pytest.raises(UserError, match="not a finished simulation"):
        launch(study, arm("Clusters", 1), simulation=study.simulate(run=False))


def test_a_case_rejected_before_training_leaves_the_arm_and_the_arm_says_so(study: Study) -> None:
    experiment = launch(study, arm("Clusters", 2))
    simulate_all()
    assert experiment.batch is not None
    one = experiment.batch.synthetic_views.filter(malignancy="malignant").first()
    assert one is not None
    verdicts.judge(actor=study.radiologist, synthetic_view=one, verdict="rejected", reason="contrast")
    assert verdicts.shortfalls(one) == ["Clusters of experiment 1 trains on 1 of 2"]

    chosen = services.choose_synthetic_views(arm=experiment.arms.get())

    assert one not in chosen
    record = experiment.arms.get().synthetic_record
    assert record["malignant"] == {"asked": 2, "used": 1, "rejected": 1, "unmade": 0}
    browser = Client()
    browser.force_login(study.observer)
    assert "1 of 2 malignant, 1 rejected" in browser.get("/study/experiments/1/").content.decode()


def test_a_case_that_an_arm_trains_on_cannot_be_rejected(study: Study) -> None:
    experiment = launch(study, arm("Clusters", 1))
    simulate_all()
    chosen = services.choose_synthetic_views(arm=experiment.arms.get())

    with pytest.raises(UserError, match="trains on this case already"):
        verdicts.judge(actor=study.researcher, synthetic_view=chosen[0], verdict="rejected", reason="shape")


def test_a_control_follows_its_clusters_and_is_not_judged_alone(study: Study) -> None:
    experiment = launch(study, arm("Control", 1, "control"))
    simulate_all()
    assert experiment.control_batch is not None
    one = experiment.control_batch.synthetic_views.first()
    assert one is not None

    with pytest.raises(UserError, match=f"judge the case in {experiment.batch}"):
        verdicts.judge(actor=study.researcher, synthetic_view=one, verdict="accepted")


def test_results_name_the_control_and_say_what_it_is_for(study: Study) -> None:
    experiment = launch(study, arm("Clusters", 1), arm("Control", 1, "control"))
    experiment_records.finish_all(experiment, lambda run: experiment_records.seen(0.5))
    browser = Client()
    browser.force_login(study.observer)

    page = browser.get(f"/study/results/{experiment.number}/").content.decode()

    assert "100 % control" in page and "the gain does not come from the clusters" in page
    assert (
        "synthetic_source"
        in browser.get(f"/study/results/{experiment.number}/export/numbers.csv").getvalue().decode()[:200]
    )
