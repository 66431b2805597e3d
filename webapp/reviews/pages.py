"""What reviews add to the pages around them: rail entry and the open reviews on the project home."""

from __future__ import annotations

from typing import Any

from webapp.accounts import permissions
from webapp.accounts.models import Project
from webapp.core.registry import NavigationEntry, Panel, ResultAction, home_panels, navigation, result_actions
from webapp.reviews import selectors


def open_reviews(request: Any, project: Project, subject: Any) -> dict[str, Any] | None:
    """Queues with items this person has not answered; left out for people who do not review."""
    if not permissions.role_may(request.role, permissions.REVIEW):
        return None
    waiting = selectors.open_for(request.user, project)
    return (
        {"waiting": waiting[:5], "number": len(waiting), "items": sum(left for _, left in waiting)} if waiting else None
    )


def register() -> None:
    """Put reviews on the rail, on the project home and beside results."""
    navigation.register(
        "reviews",
        NavigationEntry(
            section="Reading", label="Review queue", icon="review", url_name="reviews:list", key="q", position=70
        ),
    )
    home_panels.register("reviews", Panel("reviews/_open.html", open_reviews, area="side", position=20))
    result_actions.register("reviews", ResultAction("Review", "reviews:new", "review", visible=may_create))


def may_create(role: str) -> bool:
    """Whether a role makes queues."""
    return any(permissions.role_may(role, one) for one in (permissions.REVIEW, permissions.LAUNCH))
