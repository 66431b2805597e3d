"""Judging synthetic cases: accepted, rejected with a reason, taken back. Every verdict is kept."""

from __future__ import annotations

from typing import Any

from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction
from django.db.models import QuerySet

from webapp.accounts import permissions
from webapp.accounts.models import User
from webapp.core import audit
from webapp.core.errors import UserError
from webapp.simulations import amounts
from webapp.simulations.models import SyntheticVerdict, SyntheticView
from webapp.simulations.selectors import usable_cases

Verdict = SyntheticVerdict.Verdict
Reason = SyntheticVerdict.Reason
QUALITY = {
    Verdict.ACCEPTED: SyntheticView.Quality.ACCEPTED,
    Verdict.REJECTED: SyntheticView.Quality.REJECTED,
    Verdict.REOPENED: SyntheticView.Quality.UNREVIEWED,
}
LONGEST_NOTE = 500
SESSION_KEY = "synthetic_exams_seen"
REMEMBERED = 500


def case_of(synthetic_view: SyntheticView) -> QuerySet[SyntheticView]:
    """All views of the case."""
    return SyntheticView.objects.filter(
        batch_id=synthetic_view.batch_id,
        malignancy=synthetic_view.malignancy,
        case_number=synthetic_view.case_number,
    )


def verdicts_on(synthetic_view: SyntheticView) -> QuerySet[SyntheticVerdict]:
    """What was decided about the case, the latest first."""
    return SyntheticVerdict.objects.filter(
        batch_id=synthetic_view.batch_id,
        malignancy=synthetic_view.malignancy,
        case_number=synthetic_view.case_number,
    ).order_by("-pk")


def may_judge(user: User, synthetic_view: SyntheticView) -> bool:
    """Whether the person's role includes verdicts: those who launch and those who review."""
    project = synthetic_view.batch.project
    return permissions.may(user, project, permissions.LAUNCH) or permissions.may(user, project, permissions.REVIEW)


@transaction.atomic
def judge(
    *, actor: User, synthetic_view: SyntheticView, verdict: str, reason: str = "", note: str = ""
) -> SyntheticView:
    """Give a verdict on a case: all its views get it, and the verdict is kept with who, when and why.

    Parameters
    ----------
    verdict : {"accepted", "rejected", "reopened"}
    reason : str
        One of `Reason`, for a rejection only.
    note : str
        In the person's words; needed with the reason "other".

    Raises
    ------
    UserError
        If a rejection has no reason, or an arm trains on the case already: an arm never changes once fixed.
    """
    if not may_judge(actor, synthetic_view):
        permissions.require(actor, synthetic_view.batch.project, permissions.REVIEW)
    if verdict not in Verdict.values:
        raise UserError("Choose accept or reject.", field="verdict")
    note = note.strip()
    if len(note) > LONGEST_NOTE:
        raise UserError(f"The note is longer than {LONGEST_NOTE} characters: shorten it.", field="note")
    if synthetic_view.batch.control_of is not None:
        raise UserError(
            f"A control follows the cluster it controls: judge the case in {synthetic_view.batch.control_of}."
        )
    rejected = verdict == Verdict.REJECTED
    if rejected and reason not in Reason.values:
        raise UserError("Choose why the case is rejected.", field="reason")
    if rejected and reason == Reason.OTHER and not note:
        raise UserError("Say in the note why the case is rejected.", field="note")
    case = case_of(synthetic_view).select_for_update()
    if rejected and case.filter(arms__isnull=False).exists():
        raise UserError("An experiment arm trains on this case already, so it can no longer be rejected.")
    SyntheticVerdict.objects.create(
        batch=synthetic_view.batch,
        malignancy=synthetic_view.malignancy,
        case_number=synthetic_view.case_number,
        verdict=verdict,
        reason=reason if rejected else "",
        note=note,
        actor_id=actor.pk,
        actor_name=actor.username,
    )
    case.update(quality=QUALITY[Verdict(verdict)])
    audit.record(
        actor=actor,
        action="simulations.judge",
        project=synthetic_view.batch.project,
        target=synthetic_view,
        verdict=verdict,
        reason=reason if rejected else "",
    )
    synthetic_view.refresh_from_db()
    return synthetic_view


def shortfalls(synthetic_view: SyntheticView) -> list[str]:
    """Arms that do not train yet and will have fewer cases of the class than they asked for, in words."""
    batch, malignancy = synthetic_view.batch, synthetic_view.malignancy
    usable = usable_cases(batch)[malignancy]
    found = []
    for experiment in batch.experiments.order_by("number"):
        patients = amounts.cluster_patients(experiment.version)
        for arm in experiment.arms.filter(synthetic_views__isnull=True).order_by("position"):
            asked = amounts.wanted_cases(patients, arm.ratio_benign, arm.ratio_malignant)[malignancy]
            if usable < asked:
                found.append(f"{arm.name} of experiment {experiment.number} trains on {usable} of {asked}")
    return found


def record_image_read(*, actor: Any, synthetic_view: SyntheticView, session: SessionBase) -> None:
    """Write down that pictures of a case were looked at, once in a session."""
    exam = synthetic_view.view.exam
    seen = session.get(SESSION_KEY, [])
    if exam.pk in seen:
        return
    audit.record(
        actor=actor,
        action="simulations.read_image",
        project=synthetic_view.batch.project,
        target=exam,
        synthetic_view=synthetic_view.pk,
    )
    session[SESSION_KEY] = [*seen, exam.pk][-REMEMBERED:]
