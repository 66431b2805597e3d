"""Which exams a form of the cases page means: those ticked, or all that its filters keep."""

from __future__ import annotations

from django.db.models import QuerySet
from django.http import HttpRequest, QueryDict

from webapp.accounts.models import Project
from webapp.cases.listing import filtered_exams
from webapp.cases.models import Exam
from webapp.cases.selectors import exams_of
from webapp.core.errors import UserError


def selected_exams(request: HttpRequest, project: Project) -> QuerySet[Exam]:
    """Exams meant by ``case`` (numbers) or by ``all=1`` with ``query``.

    Raises
    ------
    UserError
        If none is chosen or a number is none.
    """
    if request.POST.get("all") == "1":
        found = filtered_exams(request.user, project, QueryDict(request.POST.get("query", "").lstrip("?")))
    else:
        numbers = request.POST.getlist("case")
        if not all(number.isdecimal() and len(number) < 10 for number in numbers):
            raise UserError("Cases are chosen by their number.", field="case")
        found = exams_of(request.user, project).filter(number__in=[int(number) for number in numbers])
    if not found.exists():
        raise UserError("Choose at least one case.", field="case")
    return found
