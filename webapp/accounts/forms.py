"""Sign-in form."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError

from webapp.accounts import throttle


class SignInForm(AuthenticationForm):
    """Name and password; waits after five failures, and says the same whether or not the name exists."""

    error_messages = {
        "invalid_login": "Name and password do not match. After 5 tries the account waits 10 minutes.",
        "inactive": "Name and password do not match. After 5 tries the account waits 10 minutes.",
    }

    def clean(self) -> dict[str, Any]:
        """Refuse while paused, count failures otherwise."""
        username = self.cleaned_data.get("username", "")
        if throttle.is_paused(username):
            raise ValidationError("Too many tries for this name. Wait 10 minutes, then try again.")
        try:
            cleaned = super().clean()
        except ValidationError:
            throttle.failed(username)
            raise
        throttle.succeeded(username)
        return cleaned
