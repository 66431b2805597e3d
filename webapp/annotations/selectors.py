"""Reading lesions and annotations; every query starts from what the person may see."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet

from webapp.accounts.models import Project, User
from webapp.accounts.selectors import projects_of
from webapp.annotations.models import Lesion


def lesions_of(user: User | AnonymousUser, project: Project) -> QuerySet[Lesion]:
    """Lesions of the project's exams; none for people outside it."""
    return Lesion.objects.filter(exam__project__in=projects_of(user), exam__project=project)
