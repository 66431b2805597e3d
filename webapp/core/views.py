"""Front door, health check and the style guide."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe


@require_safe
def front_door(request: HttpRequest) -> HttpResponse:
    """To the person's projects, or to sign-in."""
    return redirect("accounts:projects")


@require_safe
def health(request: HttpRequest) -> JsonResponse:
    """Whether the process and its database answer; says nothing else."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return JsonResponse({"status": "ok"})


@require_safe
@login_required
def style_guide(request: HttpRequest) -> HttpResponse:
    """Every component with example values."""
    return render(request, "core/style_guide.html")
