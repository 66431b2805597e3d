"""Making and taking back personal tokens."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from webapp.accounts.models import User
from webapp.api.models import PersonalToken
from webapp.core import audit
from webapp.core.errors import UserError

PREFIX = "cemlab_"
"""Lets people and secret scanners recognise a token."""
LONGEST_DAYS = 366


def digest(token: str) -> str:
    """What is kept of a token. Its 256 random bits need no salt and no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()


@transaction.atomic
def create_token(*, actor: User | None, user: User, name: str, days: int = 90) -> str:
    """Make a token for `user` and return it; it cannot be read again.

    Raises
    ------
    UserError
        If the name is empty, too long or taken, the days are not 1 to 366, or the account is closed.
    """
    name = name.strip()
    if not 1 <= len(name) <= 60:
        raise UserError("Give the token a name of 1 to 60 characters.", field="name")
    if not 1 <= days <= LONGEST_DAYS:
        raise UserError(f"A token lives 1 to {LONGEST_DAYS} days, not {days}.", field="days")
    if not user.is_active:
        raise UserError(f"The account {user.username} is closed.", field="user")
    if PersonalToken.objects.filter(user=user, name=name).exists():
        raise UserError(
            f"{user.username} has a token “{name}” already: revoke it or choose another name.", field="name"
        )
    token = PREFIX + secrets.token_urlsafe(32)
    row = PersonalToken.objects.create(
        user=user, name=name, digest=digest(token), expires=timezone.now() + timedelta(days=days)
    )
    audit.record(actor=actor, action="api.create_token", target=row, person=user.username)
    return token


@transaction.atomic
def revoke_token(*, actor: User | None, user: User, name: str) -> None:
    """Take a token back; it works no more.

    Raises
    ------
    UserError
        If the person has no token of this name.
    """
    row = PersonalToken.objects.filter(user=user, name=name).first()
    if row is None:
        raise UserError(f"{user.username} has no token “{name}”.", field="name")
    audit.record(actor=actor, action="api.revoke_token", target=row, person=user.username)
    row.delete()


def person_of(token: str) -> User | None:
    """Whose token it is; None where it is unknown, expired or its account closed. Notes the day of use."""
    row = PersonalToken.objects.select_related("user").filter(digest=digest(token)).first()
    now = timezone.now()
    if row is None or row.expires <= now or not row.user.is_active:
        return None
    if row.last_used != now.date():
        PersonalToken.objects.filter(pk=row.pk).update(last_used=now.date())
    return row.user
