"""The trail that reading images and opening predictions leaves."""

from __future__ import annotations

from django.contrib.sessions.backends.base import SessionBase

from webapp.accounts.models import User
from webapp.cases.models import Exam
from webapp.core import audit
from webapp.experiments.models import Run
from webapp.results.services import record_look

SESSION_KEY = "cases_opened"
LOOKS_KEY = "predictions_opened"
REMEMBERED = 500
"""Cases a session remembers; reading an older one again is written down again."""


def record_opening(*, actor: User, exam: Exam, session: SessionBase) -> None:
    """Write down that the person opened the case; its images then need no entries of their own."""
    audit.record(
        actor=actor,
        action="viewer.open_case",
        project=exam.project,
        target=exam,
        views=len(exam.views.all()),
    )
    _remember(session, exam)


def record_image_read(*, actor: User, exam: Exam, session: SessionBase, image_id: int) -> None:
    """Write down that images of a case were read without opening its page, once in a session."""
    if exam.pk in session.get(SESSION_KEY, []):
        return
    audit.record(actor=actor, action="viewer.read_image", project=exam.project, target=exam, image=image_id)
    _remember(session, exam)


def record_predictions(*, actor: User, run: Run, test_set: str, session: SessionBase) -> None:
    """Count a look at a test set: once for each run in a session, as further cases belong to the same look.

    Raises
    ------
    UserError
        While runs of the experiment are still open.
    """
    look = f"{run.pk}:{test_set}"
    if look in session.get(LOOKS_KEY, []):
        return
    record_look(actor=actor, experiment=run.arm.experiment, test_sets=[test_set])
    session[LOOKS_KEY] = [*session.get(LOOKS_KEY, []), look][-REMEMBERED:]


def _remember(session: SessionBase, exam: Exam) -> None:
    opened = [pk for pk in session.get(SESSION_KEY, []) if pk != exam.pk]
    session[SESSION_KEY] = [*opened, exam.pk][-REMEMBERED:]
