"""Sign-in, people of a project, filters of its audit trail."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError

from webapp.accounts import throttle
from webapp.accounts.models import Role, User


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


class MemberForm(forms.Form):
    """Add a person who has an account."""

    username = forms.CharField(
        label="Name of the account", max_length=150, help_text="Accounts are made with manage.py create_user."
    )
    role = forms.ChoiceField(choices=Role.choices, initial=Role.OBSERVER)

    def clean_username(self) -> User:
        """The account, whatever the case it was written in."""
        name = self.cleaned_data["username"].strip()
        user = User.objects.filter(username__iexact=name, is_active=True).first()
        if user is None:
            raise ValidationError(f"No account is called {name!r}. Check the spelling.")
        return user


class RoleForm(forms.Form):
    """Another role for a member."""

    role = forms.ChoiceField(choices=Role.choices)


class TrailForm(forms.Form):
    """Filters of the audit trail; all may be empty."""

    person = forms.CharField(label="Person", required=False, max_length=150)
    action = forms.CharField(label="Action", required=False, max_length=60)
    object = forms.CharField(label="Object", required=False, max_length=200)
    since = forms.DateField(label="From", required=False)
    until = forms.DateField(label="To", required=False)

    def clean(self) -> dict[str, Any]:
        """The first day is not after the last."""
        cleaned = super().clean() or {}
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and since > until:
            self.add_error("until", "The last day lies before the first: change one of them.")
        return cleaned
