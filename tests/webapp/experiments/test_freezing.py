"""A frozen design stays as it is, a launch happens once, and without its record nothing starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from tests.webapp import experiment_records, records
from webapp.accounts.models import Project, User
from webapp.core.errors import NotAllowed, UserError
from webapp.core.models import AuditEvent
from webapp.datasets.models import DatasetVersion
from webapp.experiments import devices, reproducibility, selectors, services
from webapp.experiments.design import ArmDesign, ExperimentDesign
from webapp.experiments.detectable import smallest_difference
from webapp.experiments.models import Arm, Experiment, Run
from webapp.jobs import services as jobs
from webapp.jobs.models import Job
from webapp.simulations.models import SimulationBatch

pytestmark = pytest.mark.django_db
ENDPOINT = "sensitivity:malignant:internal_test"
ARMS = tuple(
    ArmDesign(name, "cpu-quick", ratio, ratio, experiment_records.TINY) for name, ratio in (("A", 0.0), ("B", 1.0))
)


def freeze(project: Project, actor: User, version: DatasetVersion, **changes: Any) -> Experiment:
    design = ExperimentDesign(
        **{
            "name": "Frozen",
            "hypothesis": "It helps.",
            "primary_endpoint": ENDPOINT,
            "arms": ARMS,
            **changes,
        }
    )
    return services.freeze(actor=actor, project=project, version=version, design=design)


@pytest.fixture
def frozen(project: Project, researcher: User, version: DatasetVersion) -> Experiment:
    return freeze(project, researcher, version)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Another"},
        {"hypothesis": "It harms."},
        {"primary_endpoint": "auc:malignant:internal_test"},
        {"comparison": {"arm": 0, "reference": 1}},
        {"comparison": None},
        {"margin": 0.2},
        {"protocol": {}},
        {"seeds": [0, 1]},
        {"device": "cuda:0"},
        {"simulation_seed": 9},
        {"state": "draft"},
        {"frozen_at": timezone.now()},
        {"number": 7},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_database_refuses_to_change_a_frozen_design(frozen: Experiment, change: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError, match="a frozen design cannot change"), transaction.atomic():
        Experiment.objects.filter(pk=frozen.pk).update(**change)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Another"},
        {"configuration": {}},
        {"preset": "modern"},
        {"ratio_malignant": 2},
        {"synthetic_source": "control"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_database_refuses_to_change_an_arm_of_a_frozen_design(frozen: Experiment, change: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError, match="a frozen design cannot change"), transaction.atomic():
        frozen.arms.filter(position=1).update(**change)


def test_arms_are_neither_added_to_a_frozen_design_nor_taken_away(frozen: Experiment) -> None:
    with pytest.raises(IntegrityError, match="a frozen design cannot change"), transaction.atomic():
        Arm.objects.create(experiment=frozen, position=2, name="C", preset="cpu-quick", configuration={})
    with pytest.raises(IntegrityError, match="a frozen design cannot change"), transaction.atomic():
        frozen.arms.filter(position=1).delete()


def test_what_training_writes_about_an_arm_is_no_part_of_the_design(frozen: Experiment) -> None:
    frozen.arms.filter(position=1).update(synthetic_record={"malignant": {"asked": 1}})

    assert frozen.arms.get(position=1).synthetic_record


@pytest.mark.parametrize("margin", [0, 1, -0.1])
def test_the_database_refuses_a_margin_outside_0_and_1(
    project: Project, version: DatasetVersion, margin: float
) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Experiment.objects.create(
            project=project, number=1, name="N", hypothesis="H", version=version, protocol={}, margin=margin
        )


def test_names_of_arms_that_differ_in_blanks_alone_are_the_same(
    project: Project, researcher: User, version: DatasetVersion
) -> None:
    twins = (ARMS[0], ArmDesign(" A ", "cpu-quick", 1.0, 1.0, experiment_records.TINY))
    with pytest.raises(UserError, match="same name"):
        freeze(project, researcher, version, arms=twins)


def test_freezing_starts_nothing_and_opens_no_test_set(frozen: Experiment) -> None:
    assert not Run.objects.exists() and not SimulationBatch.objects.exists()
    assert not selectors.all_runs_ended(frozen)
    found = selectors.with_arms(Experiment.objects.all()).get()
    assert not selectors.run_counts(found).open
    assert AuditEvent.objects.filter(action="experiments.freeze").count() == 1


def test_the_launch_records_what_makes_it_reproducible_and_happens_once(frozen: Experiment, researcher: User) -> None:
    started = services.launch(actor=researcher, experiment=frozen)

    kept = Experiment.objects.get().reproducibility
    assert kept["data_hash"] == frozen.version.content_hash and len(kept["source_hash"]) == 64
    assert kept["seeds"] == [0] and {"python", "torch", "numpy"} <= kept["environment"].keys()
    assert started.batch is not None and Run.objects.count() == 2
    with pytest.raises(UserError, match="launched already"):
        services.launch(actor=researcher, experiment=frozen)
    for change in ({"reproducibility": {}}, {"launched_at": None}, {"batch": None}):
        with pytest.raises(IntegrityError, match="launched once"), transaction.atomic():
            Experiment.objects.filter(pk=frozen.pk).update(**change)


def test_an_observer_launches_nothing(frozen: Experiment, project: Project) -> None:
    with pytest.raises(NotAllowed):
        services.launch(actor=records.make_member(project, "observer"), experiment=frozen)


def test_the_comparison_is_the_last_arm_against_the_first_unless_told(
    project: Project, researcher: User, version: DatasetVersion
) -> None:
    assert freeze(project, researcher, version).comparison == {"arm": 1, "reference": 0}
    assert freeze(project, researcher, version, comparison=(0, 1)).comparison == {"arm": 0, "reference": 1}
    assert freeze(project, researcher, version, arms=ARMS[:1]).comparison is None


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"comparison": (2, 0)}, "comparison_arm", "does not have"),
        ({"comparison": (1, 1)}, "comparison_reference", "two different arms"),
        ({"margin": 0.0}, "margin", "above 0"),
        ({"margin": 1.0}, "margin", "below 1"),
        ({"margin": 0.1, "arms": ARMS[:1]}, "margin", "two arms"),
        ({"seeds": (2**31,)}, "seeds", "from 0 to 2147483647"),
    ],
)
def test_an_impossible_question_is_refused(
    project: Project, researcher: User, version: DatasetVersion, changes: dict[str, Any], field: str, words: str
) -> None:
    with pytest.raises(UserError, match=words) as refused:
        freeze(project, researcher, version, **changes)
    assert refused.value.field == field


def test_a_design_that_is_not_frozen_is_not_launched(
    project: Project, researcher: User, version: DatasetVersion
) -> None:
    draft = Experiment.objects.create(
        project=project, number=1, name="N", hypothesis="H", version=version, protocol={}, seeds=[0]
    )
    with pytest.raises(UserError, match="freeze its design before it is launched"):
        services.launch(actor=researcher, experiment=draft)
    assert not Run.objects.exists()


def test_what_is_cancelled_while_a_launch_simulates_starts_no_run_and_comes_back_with_it(
    frozen: Experiment, researcher: User
) -> None:
    batch = services.launch(actor=researcher, experiment=frozen).batch
    assert batch is not None and batch.job is not None
    assert set(Run.objects.values_list("state", "job__state")) == {("queued", "waiting")}

    jobs.cancel(actor=researcher, job=batch.job)
    assert set(Run.objects.values_list("state", "job__state")) == {("cancelled", "cancelled")}
    assert all("needs its result" in run.error for run in Run.objects.all())
    with pytest.raises(UserError, match="retry that one first"):
        jobs.retry(actor=researcher, job=Job.objects.filter(run__isnull=False)[0])

    batch.job.refresh_from_db()
    jobs.retry(actor=researcher, job=batch.job)
    assert set(Run.objects.values_list("state", "job__state")) == {("queued", "waiting")}


# what must be recorded


def refused(frozen: Experiment, actor: User) -> str:
    with pytest.raises(UserError) as error:
        services.launch(actor=actor, experiment=frozen)
    assert Experiment.objects.get(pk=frozen.pk).launched_at is None and not Run.objects.exists()
    return str(error.value)


def test_without_the_sources_the_launch_is_refused(
    frozen: Experiment, researcher: User, settings: Any, tmp_path: Path
) -> None:
    settings.ROOT = tmp_path

    assert "code version cannot be recorded: the sources of imaging" in refused(frozen, researcher)


def test_outside_a_checkout_the_digest_of_the_sources_is_the_code_version(tmp_path: Path) -> None:
    for package in reproducibility.SOURCES:
        (tmp_path / package).mkdir()
        (tmp_path / package / "module.py").write_text("x = 1")
    before = reproducibility.source_hash(tmp_path)
    reproducibility.source_hash.cache_clear()
    (tmp_path / "imaging" / "module.py").write_text("x = 2")

    assert reproducibility.git_commit(tmp_path) == ""
    assert reproducibility.source_hash(tmp_path) != before and len(before) == 64


def test_without_its_device_the_launch_is_refused(
    project: Project, researcher: User, version: DatasetVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "graphics_cards", lambda: ("GPU",))
    frozen = freeze(project, researcher, version, device="cuda:0")
    monkeypatch.setattr(devices, "graphics_cards", lambda: ())

    assert "cuda:0 is not on this machine" in refused(frozen, researcher)


def test_without_a_package_of_the_environment_the_launch_is_refused(
    frozen: Experiment, researcher: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reproducibility, "PACKAGES", ("torch", "a-package-nobody-has"))

    assert "environment cannot be recorded: package a-package-nobody-has" in refused(frozen, researcher)


def test_data_that_does_not_give_its_hash_any_more_is_refused(frozen: Experiment, researcher: User) -> None:
    from webapp.cases.models import Image

    member = frozen.version.version_views.first()
    assert member is not None
    Image.objects.filter(view=member.view).update(sha256="f" * 64)

    assert "does not give the hash it was frozen with" in refused(frozen, researcher)


def test_data_that_leaks_is_refused(frozen: Experiment, researcher: User, monkeypatch: pytest.MonkeyPatch) -> None:
    from webapp.datasets.selectors import LeakageCheck

    found = [LeakageCheck("patients in two splits", 3)]
    monkeypatch.setattr(reproducibility.datasets, "leakage_checks", lambda version: found)

    assert "3 patients in two splits" in refused(frozen, researcher)


@pytest.mark.parametrize("seeds", [[], [1, 1], [-1], ["1"], [True]])
def test_seeds_that_cannot_be_recorded_are_refused(version: DatasetVersion, seeds: list[Any]) -> None:
    with pytest.raises(UserError, match="seeds cannot be recorded"):
        reproducibility.record(version, seeds)


def test_a_draft_has_no_data_hash_to_record(project: Project) -> None:
    from webapp.datasets import services as datasets

    draft = datasets.create_dataset(actor=records.make_member(project, "curator"), project=project, name="Draft")

    with pytest.raises(UserError, match="data cannot be recorded"):
        reproducibility.record(draft, [0])


def test_the_smallest_difference_is_one_that_so_many_lesions_show() -> None:
    from detection.evaluation.sample_size import paired_proportions

    found = smallest_difference(200, 0.3, design_effect=1.5)

    assert found is not None
    assert paired_proportions(found, 0.3, design_effect=1.5).clustered <= 200
    assert paired_proportions(found - 0.001, 0.3, design_effect=1.5).clustered > 200
    assert smallest_difference(5, 0.1, design_effect=1.0) is None
