"""Making queues, revealing, answering."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any
from uuid import UUID, uuid4

from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction
from django.db.models import Max, Sum

from webapp.accounts import permissions
from webapp.accounts.models import Project, User
from webapp.cases.models import View
from webapp.core import audit
from webapp.core.errors import NotAllowed, NotNow, UserError
from webapp.experiments import selectors as experiments
from webapp.experiments.models import Experiment, Run
from webapp.results import selectors as results
from webapp.results.models import TestSetLook
from webapp.results.services import record_look
from webapp.reviews import selection
from webapp.reviews.models import LONGEST_SECONDS, Answer, Reveal, ReviewItem, ReviewQueue, Visit
from webapp.viewer.services import record_opening, record_predictions


class LockedTestSets(NotNow):
    """Runs of the experiment are open, so nothing of its test sets may be shown."""

    def __init__(self, experiment: Experiment) -> None:
        super().__init__("The test sets are locked until every run of the experiment has ended.")
        self.experiment = experiment


class QueueExists(NotNow):
    """A queue with these items was made before: `queue`."""

    def __init__(self, queue: ReviewQueue) -> None:
        super().__init__(
            f"{queue} was made before from the same run, test set, lesions and score: no second one is made."
        )
        self.queue = queue


def require_creator(user: User, project: Project) -> None:
    """Whoever reviews or launches makes queues.

    Raises
    ------
    NotAllowed
    """
    role = permissions.role_of(user, project)
    if not any(permissions.role_may(role, one) for one in (permissions.REVIEW, permissions.LAUNCH)):
        raise NotAllowed(
            "Your role in this project does not let you make review queues: ask a radiologist or a researcher."
        )


def create_queue(
    *,
    actor: User,
    project: Project,
    run: Run,
    test_set: str,
    kind: str,
    group: str = "malignant",
    score_above: float | None = None,
    against: Run | None = None,
) -> ReviewQueue:
    """Fix a queue; counts as a look at the test set for a person who has not opened the results yet.

    Parameters
    ----------
    run, against : Run
        Of `project`; `against` for gained and lost.
    score_above : float, optional
        The protocol's where None.

    Raises
    ------
    LockedTestSets
        While runs are open.
    QueueExists
        Where one of the same definition was made before, also in this moment by another person.
    UserError
        Where the run was not evaluated on the test set, or where nothing is to be reviewed.
    """
    require_creator(actor, project)
    experiment = run.arm.experiment
    if not experiments.all_runs_ended(experiment):
        raise LockedTestSets(experiment)
    found = results.evaluations(experiment)
    evaluation = found.get((run.pk, test_set))
    reference = found.get((against.pk, test_set)) if against else None
    if evaluation is None or (against is not None and reference is None):
        raise UserError("The run was not evaluated on this test set: choose another.", field="run")
    above = float(evaluation.protocol["score_above"]) if score_above is None else score_above
    chosen = selection.rows(evaluation, kind, group, above, reference)
    # a look also where it turns out that there is nothing to review: outside of the transaction below
    count_look(actor=actor, experiment=experiment, test_set=test_set)
    views = View.objects.filter(exam__project=project).select_related("exam").in_bulk({row.view for row in chosen})
    known = sorted(
        (row for row in chosen if row.view in views),
        key=lambda row: (
            views[row.view].exam.number,
            views[row.view].laterality,
            views[row.view].position,
            row.lesion or 0,
            row.finding or 0,
        ),
    )
    if not known:
        words = ReviewQueue.Kind(kind).label.lower()
        raise UserError(f"There are no {words} at score > {above:.3f}: choose another run, threshold or test set.")
    definition: dict[str, Any] = {
        "run": run,
        "against": against if kind in {ReviewQueue.Kind.GAINED, ReviewQueue.Kind.LOST} else None,
        "test_set": test_set,
        "kind": kind,
        "group": group,
        "score_above": above,
        "protocol_hash": evaluation.protocol_hash,
        "test_set_digest": evaluation.result["test_set_digest"],
    }
    with transaction.atomic():
        # one queue at a time takes the next number, and sees those made before
        Project.objects.select_for_update().get(pk=project.pk)
        before = ReviewQueue.objects.filter(project=project, **definition).order_by("number").first()
        if before is not None:
            raise QueueExists(before)
        last = ReviewQueue.objects.filter(project=project).aggregate(last=Max("number"))["last"] or 0
        queue = ReviewQueue.objects.create(
            project=project, number=last + 1, size=len(known), created_by=actor, **definition
        )
        ReviewItem.objects.bulk_create(
            ReviewItem(
                queue=queue,
                position=position,
                view_id=row.view,
                lesion_id=row.lesion,
                finding=row.finding,
                outcome=row.outcome,
                score=row.score,
                iou=row.iou,
            )
            for position, row in enumerate(known, start=1)
        )
        audit.record(
            actor=actor,
            action="reviews.create_queue",
            project=project,
            target=queue,
            run=run.pk,
            against=queue.against_id,
            test_set=test_set,
            kind=kind,
            group=group,
            score_above=above,
            items=len(known),
        )
    return queue


def count_look(*, actor: User, experiment: Experiment, test_set: str) -> None:
    """Count a look at a test set for a person who has not opened it yet.

    Raises
    ------
    LockedTestSets
        While runs of the experiment are open.
    """
    if not experiments.all_runs_ended(experiment):
        raise LockedTestSets(experiment)
    if not TestSetLook.objects.filter(experiment=experiment, person=actor, test_set=test_set).exists():
        record_look(actor=actor, experiment=experiment, test_sets=[test_set])


def count_looks(*, actor: User, queues: Iterable[ReviewQueue]) -> None:
    """Count a look at each test set of queues that the person has not opened yet.

    Raises
    ------
    LockedTestSets
        While runs of an experiment are open.
    """
    met = {(queue.run.arm.experiment_id, queue.test_set): queue.run.arm.experiment for queue in queues}
    for (_, test_set), experiment in met.items():
        count_look(actor=actor, experiment=experiment, test_set=test_set)


def open_item(*, actor: User, item: ReviewItem, session: SessionBase) -> None:
    """Write down that the person opened the images of an item."""
    count_look(actor=actor, experiment=item.queue.run.arm.experiment, test_set=item.queue.test_set)
    record_opening(actor=actor, exam=item.view.exam, session=session)


def open_layers(*, actor: User, item: ReviewItem, session: SessionBase) -> None:
    """Count the look that findings on a test set are, once for each run in a session."""
    record_predictions(actor=actor, run=item.queue.finder, test_set=item.queue.test_set, session=session)


@transaction.atomic
def record_visit(*, actor: User, item: ReviewItem, seconds: float, key: UUID | None = None) -> None:
    """Keep a stretch of time on an item; one that the page sends again under the same key counts once."""
    permissions.require(actor, item.queue.project, permissions.REVIEW)
    _add_visit(actor, item, seconds, key)


def _add_visit(actor: User, item: ReviewItem, seconds: float, key: UUID | None) -> float:
    """Add the stretch and give the reader's time on the item over all visits, in seconds."""
    lasted = min(max(seconds, 0.0), LONGEST_SECONDS) if math.isfinite(seconds) else 0.0
    if lasted > 0:
        shown = Reveal.objects.filter(item=item, reader=actor).exists()
        Visit.objects.get_or_create(
            item=item, reader=actor, key=key or uuid4(), defaults={"seconds": lasted, "revealed": shown}
        )
    total = Visit.objects.filter(item=item, reader=actor).aggregate(total=Sum("seconds"))["total"]
    return float(total or 0.0)


@transaction.atomic
def reveal(*, actor: User, item: ReviewItem, seconds: float = 0.0, visit: UUID | None = None) -> Reveal:
    """Show truth and findings of an item to the actor from here on; the first time is what is kept.

    Parameters
    ----------
    seconds, visit
        The stretch of time on the item that ends here, and its key.
    """
    permissions.require(actor, item.queue.project, permissions.REVIEW)
    spent = _add_visit(actor, item, seconds, visit)
    made, new = Reveal.objects.get_or_create(item=item, reader=actor, defaults={"seconds": spent})
    if new:
        audit.record(actor=actor, action="reviews.reveal", project=item.queue.project, target=item)
    return made


@transaction.atomic
def answer(
    *,
    actor: User,
    item: ReviewItem,
    state: str,
    reason: str = "",
    note: str = "",
    seconds: float = 0.0,
    visit: UUID | None = None,
) -> Answer:
    """Add a revision of the actor's answer; the one before is kept.

    Parameters
    ----------
    seconds, visit
        The stretch of time on the item that ends here, and its key. The answer carries the time over all visits.

    Raises
    ------
    UserError
        For an answer before the reveal or without a reason, and for taking back what was not answered.
    """
    permissions.require(actor, item.queue.project, permissions.REVIEW)
    # one writer at a time for an item, so that revisions follow each other
    ReviewItem.objects.select_for_update().get(pk=item.pk)
    given = Answer.objects.filter(item=item, reader=actor)
    before = given.filter(current=True).first()
    if state == Answer.State.ANSWERED:
        if not Reveal.objects.filter(item=item, reader=actor).exists():
            raise UserError("Look first, then reveal, then give the reason.")
        if reason not in item.reasons:
            raise UserError(
                f"Choose a reason: {', '.join(one.value for one in item.reasons)}. The note is kept with it.",
                field="reason",
            )
    elif state == Answer.State.WITHDRAWN and (before is None or before.state == Answer.State.WITHDRAWN):
        raise UserError("There is no answer to take back.")
    spent = _add_visit(actor, item, seconds, visit)
    answered = state == Answer.State.ANSWERED
    kept = {"state": state, "reason": reason if answered else "", "note": note.strip() if answered else ""}
    if before is not None and {name: getattr(before, name) for name in kept} == kept:
        return before
    if before is not None:
        before.current = False
        before.save(update_fields=["current"])
    made = Answer.objects.create(item=item, reader=actor, revision=given.count() + 1, seconds=spent, **kept)
    # the trail names no reason: other readers may read it before they have answered
    audit.record(
        actor=actor,
        action="reviews.answer",
        project=item.queue.project,
        target=item,
        state=state,
        revision=made.revision,
    )
    return made


def record_export(*, actor: User, queue: ReviewQueue) -> None:
    """Write down that a person took the answers of a queue as a file."""
    count_look(actor=actor, experiment=queue.run.arm.experiment, test_set=queue.test_set)
    audit.record(actor=actor, action="reviews.export", project=queue.project, target=queue)
