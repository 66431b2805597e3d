"""Reading lesions and annotations; every query starts from what the person may see."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet

from webapp.accounts.models import Project, User
from webapp.accounts.selectors import projects_of
from webapp.annotations.models import Annotation, Lesion


def lesions_of(user: User | AnonymousUser, project: Project) -> QuerySet[Lesion]:
    """Lesions of the project's exams; none for people outside it."""
    return Lesion.objects.filter(exam__project__in=projects_of(user), exam__project=project)


def current_annotations(view_ids: Iterable[int]) -> QuerySet[Annotation]:
    """The outline in force of each lesion on these views, withdrawn ones left out.

    The caller has taken the views from `cases.selectors.views_of`, which carries the permission.
    """
    return (
        Annotation.objects.filter(view_id__in=list(view_ids), current=True, withdrawn=False)
        .select_related("lesion", "author")
        .order_by("view_id", "lesion__number")
    )


def revisions(lesion: Lesion) -> QuerySet[Annotation]:
    """All outlines a lesion ever had, newest first."""
    return lesion.annotations.select_related("view", "author").order_by("view_id", "-revision")
