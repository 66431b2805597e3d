"""What the authors write, kept as revisions."""

from __future__ import annotations

from django.db import transaction

from webapp.accounts import permissions
from webapp.accounts.models import User
from webapp.core import audit
from webapp.core.errors import UserError
from webapp.experiments.models import Experiment
from webapp.results.checklists.topics import TOPICS
from webapp.results.models import ChecklistAnswer

LONGEST = 4000


@transaction.atomic
def answer(*, actor: User, experiment: Experiment, topic: str, text: str, revision: int) -> ChecklistAnswer | None:
    """Store a new revision; None where the text is the one in force, or the one the person saw.

    A form sends every topic: what a person left as it was says nothing about what another wrote there meanwhile.

    Parameters
    ----------
    revision : int
        The revision the person saw, 0 for none.

    Raises
    ------
    NotAllowed
        If the person may not launch work here.
    UserError
        If the topic is unknown, the text is too long, or another person has written since.
    """
    permissions.require(actor, experiment.project, permissions.LAUNCH)
    if topic not in TOPICS:
        raise UserError("No such topic of the checklists.", field="topic")
    text = text.replace("\r\n", "\n").strip()
    if len(text) > LONGEST:
        raise UserError(f"Write at most {LONGEST} characters; this has {len(text)}.", field=topic)
    # the experiment stands for its answers: two people who save at once are put in a row
    Experiment.objects.select_for_update().get(pk=experiment.pk)
    written = ChecklistAnswer.objects.filter(experiment=experiment, topic=topic)
    before = written.filter(current=True).first()
    seen = written.filter(revision=revision).first()
    if text in (before.text if before else "", seen.text if seen else ""):
        return None
    if before is not None and before != seen:
        raise UserError(
            f"{before.author_name} wrote here since you opened the page. Both texts stand here: write what shall "
            "remain, and save again.",
            field=topic,
        )
    if before is not None:
        ChecklistAnswer.objects.filter(pk=before.pk).update(current=False)
    made = ChecklistAnswer.objects.create(
        experiment=experiment,
        topic=topic,
        revision=before.revision + 1 if before else 1,
        text=text,
        author=actor,
        author_name=actor.username,
    )
    audit.record(
        actor=actor,
        action="results.checklist",
        project=experiment.project,
        target=made,
        name=f"{experiment}, {TOPICS[topic].words}",
        revision=made.revision,
    )
    return made
