"""What a person may see."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet
from django.http import Http404

from webapp.accounts.models import Membership, Project, User


def projects_of(user: User | AnonymousUser) -> QuerySet[Project]:
    """Projects the person is a member of; none for anonymous visitors."""
    if not user.is_authenticated:
        return Project.objects.none()
    return Project.objects.filter(memberships__user=user)


def memberships_of(user: User) -> list[Membership]:
    """The person's memberships with their projects, by name of the project."""
    return list(Membership.objects.filter(user=user).select_related("project").order_by("project__name"))


def get_project_or_404(user: User | AnonymousUser, slug: str) -> Project:
    """The project if the person may see it.

    Raises
    ------
    Http404
        If it does not exist or the person is not a member: the two look alike.
    """
    project = projects_of(user).filter(slug=slug).first()
    if project is None:
        raise Http404("No such project.")
    return project


def members_of(project: Project) -> QuerySet[Membership]:
    """Members of a project the person may see (the caller has checked that), by name."""
    return Membership.objects.filter(project=project).select_related("user").order_by("user__username")
