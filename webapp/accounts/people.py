"""People of a project and their roles; for its admins."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from webapp.accounts import permissions, selectors, services
from webapp.accounts.forms import MemberForm, RoleForm
from webapp.accounts.models import Membership, Project, Role, User
from webapp.accounts.project_pages import project_page
from webapp.core.errors import UserError


def _actor(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def _page(request: HttpRequest, project: Project, form: MemberForm, failure: str = "") -> HttpResponse:
    members = list(selectors.members_of(project))
    admins = sum(member.role == Role.ADMIN for member in members)
    context: dict[str, Any] = {
        "members": [
            {
                "membership": member,
                "dialog": str(member.user_id),
                "last_admin": member.role == Role.ADMIN and admins == 1,
                "self": member.user_id == request.user.pk,
            }
            for member in members
        ],
        "roles": Role.choices,
        "form": form,
        "failure": failure,
    }
    return render(request, "accounts/people.html", context, status=400 if failure or form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(permissions.MANAGE)
def people(request: HttpRequest, project: Project) -> HttpResponse:
    """`<project>/people/`: members with roles; a post adds one."""
    form = MemberForm(request.POST or None)
    if request.method != "POST" or not form.is_valid():
        return _page(request, project, form)
    user: User = form.cleaned_data["username"]
    if selectors.members_of(project).filter(user=user).exists():
        form.add_error("username", f"{user.username} is a member already: change the role in the list.")
        return _page(request, project, form)
    services.set_role(actor=_actor(request), project=project, user=user, role=form.cleaned_data["role"])
    messages.success(request, f"{user.username} is now a member.")
    return redirect("accounts:people", project.slug)


def _member(project: Project, person: int) -> Membership:
    return get_object_or_404(selectors.members_of(project), user_id=person)


def _after(request: HttpRequest, project: Project) -> HttpResponse:
    """Back to the list, or to the projects where the person may manage this one no more."""
    if permissions.may(_actor(request), project, permissions.MANAGE):
        return redirect("accounts:people", project.slug)
    return redirect("accounts:projects")


@require_POST
@project_page(permissions.MANAGE)
def change_role(request: HttpRequest, project: Project, person: int) -> HttpResponse:
    """Another role for a member."""
    user = _member(project, person).user
    form = RoleForm(request.POST)
    if not form.is_valid():
        return _page(request, project, MemberForm(), "Choose one of the roles.")
    try:
        services.set_role(actor=_actor(request), project=project, user=user, role=form.cleaned_data["role"])
    except UserError as error:
        return _page(request, project, MemberForm(), str(error))
    messages.success(request, f"{user.username} is now {Role(form.cleaned_data['role']).label.lower()}.")
    return _after(request, project)


@require_POST
@project_page(permissions.MANAGE)
def remove(request: HttpRequest, project: Project, person: int) -> HttpResponse:
    """End a membership."""
    user = _member(project, person).user
    try:
        services.remove_member(actor=_actor(request), project=project, user=user)
    except UserError as error:
        return _page(request, project, MemberForm(), str(error))
    messages.success(request, f"{user.username} is no longer a member.")
    return _after(request, project)
