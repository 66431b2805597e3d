"""Creating projects and memberships."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import transaction

from webapp.accounts import permissions
from webapp.accounts.models import Membership, Project, Role, User
from webapp.core import audit
from webapp.core.errors import UserError


@transaction.atomic
def create_project(*, actor: User | None, slug: str, name: str = "", question: str = "") -> Project:
    """Create a project; its creator, where there is one, becomes its admin.

    Raises
    ------
    UserError
        If the slug is taken or not made of small letters, digits and hyphens.
    """
    project = Project(slug=slug, name=name or slug.replace("-", " ").capitalize(), question=question)
    try:
        project.full_clean()
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise UserError(f"Project {field}: {' '.join(messages)}", field=field) from error
    project.save()
    if actor is not None:
        Membership.objects.create(project=project, user=actor, role=Role.ADMIN)
    audit.record(actor=actor, action="accounts.create_project", project=project, target=project)
    return project


@transaction.atomic
def set_role(*, actor: User | None, project: Project, user: User, role: str) -> Membership:
    """Make `user` a member with `role`, or change the role. `actor` None is the command line.

    Raises
    ------
    UserError
        If the role is unknown, or the actor does not manage the project.
    """
    if role not in Role.values:
        raise UserError(f"Unknown role {role!r}: expected one of {', '.join(Role.values)}.", field="role")
    if actor is not None:
        permissions.require(actor, project, permissions.MANAGE)
    membership, _ = Membership.objects.update_or_create(project=project, user=user, defaults={"role": role})
    audit.record(
        actor=actor,
        action="accounts.set_role",
        project=project,
        target=membership,
        name=user.username,
        role=role,
    )
    return membership
