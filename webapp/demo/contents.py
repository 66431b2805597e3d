"""What the demonstration shows: people, phantoms of two sites, a frozen dataset, an experiment of three arms.

Everything is made by the ordinary services, so the demonstration is also a rehearsal of the main job.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from django.conf import settings

from simulation.phantom.phantom_set import write_phantom_set
from webapp.accounts import services as accounts
from webapp.accounts.models import Project, Role, User
from webapp.cases.importing.phantoms import import_phantom_set
from webapp.cases.selectors import exams_of
from webapp.datasets import services as datasets
from webapp.datasets.models import DatasetVersion
from webapp.datasets.splitting import SplitSettings
from webapp.experiments import services as experiments
from webapp.experiments.design import ArmDesign, ExperimentDesign
from webapp.experiments.models import Experiment

SLUG = "demo"
QUESTION = "Does adding synthetic clusters raise the sensitivity for malignant clusters?"
PASSWORD = "cemlab-demo"
PATIENTS: dict[Literal["A", "B"], int] = {"A": 24, "B": 12}
"""Phantom patients of the internal and of the external site."""
SIZE: Literal["full", "small", "test"] = "test"
PHANTOM_SEED = 2024
EPOCHS = 8
RATIOS = (0.0, 1.0, 2.0)
TEST_SHARE = 1 / 3
"""More than the paper's 20 %, so that so few phantoms leave more than ten lesions to test on."""

Say = Callable[[str], None]


def people() -> dict[str, User]:
    """One sign-in per role, named after it. For demonstrations on one machine only."""
    found = {}
    for role in Role.values:
        user, created = User.objects.get_or_create(username=role)
        if created:
            user.set_password(PASSWORD)
            user.save(update_fields=["password"])
        found[role] = user
    return found


def project(members: dict[str, User]) -> Project:
    """The project with every role in it."""
    found = Project.objects.filter(slug=SLUG).first()
    if found is None:
        found = accounts.create_project(
            actor=members[Role.ADMIN], slug=SLUG, name="Phantom demonstration", question=QUESTION
        )
    for role, user in members.items():
        if not found.memberships.filter(user=user).exists():
            accounts.set_role(actor=members[Role.ADMIN], project=found, user=user, role=role)
    return found


def phantoms(say: Say) -> Path:
    """The phantom set on disk; made once."""
    folder = Path(settings.DATA_ROOT) / "demo" / f"phantoms-{SIZE}-{PHANTOM_SEED}"
    manifest = folder / "manifest.json"
    if not manifest.exists():
        say(f"Making {sum(PATIENTS.values())} phantom patients at two sites")
        write_phantom_set(folder, sites=PATIENTS, size=SIZE, seed=PHANTOM_SEED)
    return manifest


def dataset(found: Project, members: dict[str, User], say: Say) -> DatasetVersion:
    """The frozen dataset version: site A internal, site B external."""
    curator = members[Role.CURATOR]
    frozen = DatasetVersion.objects.filter(dataset__project=found, state=DatasetVersion.State.FROZEN).first()
    if frozen is not None:
        return frozen
    manifest = phantoms(say)
    say("Importing the phantoms")
    import_phantom_set(project=found, manifest=manifest, actor=curator)
    version = DatasetVersion.objects.filter(dataset__project=found).first() or datasets.create_dataset(
        actor=curator, project=found, name="Phantoms of two sites"
    )
    datasets.add_exams(actor=curator, version=version, exams=list(exams_of(curator, found)))
    datasets.draw(
        actor=curator, version=version, settings=SplitSettings(test_share=TEST_SHARE, external_sites=("B",), seed=1)
    )
    return datasets.freeze(actor=curator, version=version)


def experiment(found: Project, members: dict[str, User], say: Say) -> Experiment:
    """The experiment of three arms; designed and launched once."""
    designed = Experiment.objects.filter(project=found).order_by("number").first() or _design(found, members, say)
    if designed.launched_at is not None:
        return designed
    say("Starting the experiment: arms with 0, 100 and 200 % synthetic clusters")
    return experiments.launch(actor=members[Role.RESEARCHER], experiment=designed)


def _design(found: Project, members: dict[str, User], say: Say) -> Experiment:
    return experiments.freeze(
        actor=members[Role.RESEARCHER],
        project=found,
        version=dataset(found, members, say),
        design=ExperimentDesign(
            name="Synthetic ratio 0 / 100 / 200 %",
            hypothesis="More synthetic clusters in training raise the sensitivity for malignant lesions. "
            "With this little phantom data and training the demonstration shows the way, not an answer.",
            primary_endpoint="sensitivity:malignant:internal_test",
            arms=tuple(
                ArmDesign(
                    name=f"{ratio:.0%} synthetic".replace("%", " %"),
                    preset="cpu-quick",
                    ratio_benign=ratio,
                    ratio_malignant=ratio,
                    changes={"epochs": EPOCHS},
                )
                for ratio in RATIOS
            ),
        ),
    )
