"""Sign-in and the list of projects."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from webapp.accounts.forms import SignInForm
from webapp.accounts.models import User


class SignIn(LoginView):
    """Full page post; returns to the page that was asked for."""

    form_class = SignInForm
    template_name = "accounts/sign_in.html"
    redirect_authenticated_user = True


class SignOut(LogoutView):
    """Post only."""


@require_safe
@login_required
def projects(request: HttpRequest) -> HttpResponse:
    """The person's projects; goes straight on when there is one."""
    assert isinstance(request.user, User)
    memberships = list(request.user.memberships.select_related("project").order_by("project__name"))
    if len(memberships) == 1:
        return redirect("cases:home", memberships[0].project.slug)
    return render(request, "accounts/projects.html", {"memberships": memberships})
