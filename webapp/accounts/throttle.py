"""Five wrong passwords, then a pause: per name tried, whether or not the name exists."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from django.db.models import F
from django.utils import timezone

from webapp.accounts.models import SignInAttempt

ALLOWED_FAILURES = 5
PAUSE = timedelta(minutes=10)


def _key(username: str) -> str:
    return hashlib.sha256(username.strip().lower().encode()).hexdigest()


def is_paused(username: str) -> bool:
    """Whether sign-in under this name has to wait."""
    return SignInAttempt.objects.filter(
        key=_key(username), failures__gte=ALLOWED_FAILURES, last__gt=timezone.now() - PAUSE
    ).exists()


def failed(username: str) -> None:
    """Count one wrong password; the count starts anew after a pause."""
    key, now = _key(username), timezone.now()
    SignInAttempt.objects.filter(key=key, last__lte=now - PAUSE).delete()
    attempt, _ = SignInAttempt.objects.get_or_create(key=key)
    SignInAttempt.objects.filter(pk=attempt.pk).update(failures=F("failures") + 1, last=now)


def succeeded(username: str) -> None:
    """Forget the failures of this name."""
    SignInAttempt.objects.filter(key=_key(username)).delete()
