"""Reading cases; every query starts from what the person may see."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet

from webapp.accounts.models import Project, User
from webapp.accounts.selectors import projects_of
from webapp.cases.models import Exam, Image, ImportBatch, View


def exams_of(user: User | AnonymousUser, project: Project) -> QuerySet[Exam]:
    """Exams of a project; none for people outside it."""
    return Exam.objects.filter(project=project, project__in=projects_of(user))


def views_of(user: User | AnonymousUser, project: Project) -> QuerySet[View]:
    """Views of a project, synthetic ones included; none for people outside it."""
    return View.objects.filter(exam__project=project, exam__project__in=projects_of(user))


def images_of(user: User | AnonymousUser) -> QuerySet[Image]:
    """Images of every project the person is in."""
    return Image.objects.filter(view__exam__project__in=projects_of(user))


def imports_of(user: User | AnonymousUser, project: Project) -> QuerySet[ImportBatch]:
    """Imports of a project; none for people outside it."""
    return ImportBatch.objects.filter(project=project, project__in=projects_of(user)).select_related("site")
