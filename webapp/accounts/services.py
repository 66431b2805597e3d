"""Creating people, projects and memberships."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.urls import URLPattern, URLResolver, get_resolver

from webapp.accounts import permissions
from webapp.accounts.models import Membership, Project, Role, User
from webapp.core import audit
from webapp.core.errors import UserError


@transaction.atomic
def create_user(*, actor: User | None, username: str, password: str) -> User:
    """Make an account.

    Raises
    ------
    UserError
        If the name is taken (in whatever case) or not allowed, or the password is too weak.
    """
    user = User(username=username.strip())
    if User.objects.filter(username__iexact=user.username).exists():
        raise UserError(f"An account called {user.username!r} exists already.", field="username")
    try:
        user.clean_fields(exclude=["password"])
        validate_password(password, user)
    except ValidationError as error:
        raise UserError(" ".join(error.messages), field="password") from error
    user.set_password(password)
    user.save()
    audit.record(actor=actor, action="accounts.create_user", target=user, name=user.username)
    return user


def _first_words(patterns: Iterable[URLPattern | URLResolver]) -> Iterator[str]:
    """First parts of all addresses, such as ``api`` and ``<slug:project>``."""
    for pattern in patterns:
        route = str(pattern.pattern)
        if route:
            yield route.split("/")[0]
        elif isinstance(pattern, URLResolver):
            yield from _first_words(pattern.url_patterns)


def _require_free_address(slug: str) -> None:
    """Refuse names such as ``api``: under them some of the project's own pages could not be reached."""
    taken = {settings.STATIC_URL.strip("/"), *_first_words(get_resolver().url_patterns)}
    if slug in taken:
        raise UserError(f"Project slug: {slug!r} is an address of the application, choose another.", field="slug")


@transaction.atomic
def create_project(*, actor: User | None, slug: str, name: str = "", question: str = "") -> Project:
    """Create a project; its creator, where there is one, becomes its admin.

    Raises
    ------
    UserError
        If the slug is taken, an address of the application, or not made of small letters, digits and hyphens.
    """
    project = Project(slug=slug, name=name or slug.replace("-", " ").capitalize(), question=question)
    try:
        project.full_clean()
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise UserError(f"Project {field}: {' '.join(messages)}", field=field) from error
    _require_free_address(slug)
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
    NotAllowed, UserError
        If the actor does not manage the project, the role is unknown, or the project would lose its last admin.
    """
    if role not in Role.values:
        raise UserError(f"Unknown role {role!r}: expected one of {', '.join(Role.values)}.", field="role")
    if actor is not None:
        permissions.require(actor, project, permissions.MANAGE)
    if role != Role.ADMIN:
        _keep_an_admin(project, without=user)
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


@transaction.atomic
def remove_member(*, actor: User | None, project: Project, user: User) -> None:
    """End a membership; what the person did stays.

    Raises
    ------
    NotAllowed, UserError
        If the actor does not manage the project, the person is no member, or the project would lose its last admin.
    """
    if actor is not None:
        permissions.require(actor, project, permissions.MANAGE)
    membership = Membership.objects.filter(project=project, user=user).first()
    if membership is None:
        raise UserError(f"{user.username} is not a member of this project.", field="user")
    _keep_an_admin(project, without=user)
    audit.record(
        actor=actor,
        action="accounts.remove_member",
        project=project,
        target=membership,
        name=user.username,
        role=membership.role,
    )
    membership.delete()


def record_trail_export(*, actor: User, project: Project) -> None:
    """Write down that a person took the audit trail as a file."""
    permissions.require(actor, project, permissions.MANAGE)
    audit.record(actor=actor, action="accounts.export_audit", project=project, target=project)


def _keep_an_admin(project: Project, *, without: User) -> None:
    """Refuse to leave a project that has an admin without one.

    The admins' rows are locked, so that two admins cannot remove each other at the same time.
    """
    admins = set(
        Membership.objects.select_for_update()
        .filter(project=project, role=Role.ADMIN)
        .values_list("user_id", flat=True)
    )
    if admins == {without.pk}:
        raise UserError(
            f"{without.username} is the only admin of this project: make another person admin first.", field="role"
        )
