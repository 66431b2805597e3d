"""What each role may do. Seeing a project comes with any membership; everything else is listed here."""

from __future__ import annotations

from webapp.accounts.models import Membership, Project, Role, User
from webapp.core.errors import NotAllowed

CURATE = "curate"
"""Import, annotate, build and freeze datasets."""
LAUNCH = "launch"
"""Simulate, launch and cancel experiments."""
REVIEW = "review"
"""Mark, rate and give reasons."""
MANAGE = "manage"
"""People and roles."""

GRANTS: dict[str, frozenset[str]] = {
    CURATE: frozenset({Role.CURATOR, Role.ADMIN}),
    LAUNCH: frozenset({Role.RESEARCHER, Role.ADMIN}),
    REVIEW: frozenset({Role.RADIOLOGIST, Role.ADMIN}),
    MANAGE: frozenset({Role.ADMIN}),
}
WORDS = {
    CURATE: "change data: ask a curator or an admin of the project",
    LAUNCH: "launch work: ask a researcher or an admin of the project",
    REVIEW: "review: ask a radiologist or an admin of the project",
    MANAGE: "manage people: ask an admin of the project",
}


def role_of(user: User, project: Project) -> str | None:
    """The person's role in the project, None for outsiders."""
    return Membership.objects.filter(user=user, project=project).values_list("role", flat=True).first()


def role_may(role: str | None, permission: str) -> bool:
    """Whether a role includes a permission."""
    return role in GRANTS[permission]


def may(user: User, project: Project, permission: str) -> bool:
    """Whether the person has the permission in the project."""
    return role_may(role_of(user, project), permission)


def require(user: User, project: Project, permission: str) -> None:
    """Refuse with words.

    Raises
    ------
    NotAllowed
        If the person's role does not include `permission`.
    """
    if not may(user, project, permission):
        raise NotAllowed(f"Your role in this project does not let you {WORDS[permission]}.")
