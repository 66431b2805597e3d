"""The schema, and a page made of it that needs no script."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.views import SpectacularAPIView
from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import IsAuthenticated

from webapp.api.authentication import TokenAuthentication
from webapp.api.reference import Group, groups


class Schema(SpectacularAPIView):
    """OpenAPI 3 of the whole API."""

    authentication_classes = [TokenAuthentication, SessionAuthentication]
    permission_classes = [IsAuthenticated]


@lru_cache(maxsize=1)
def _groups() -> list[Group]:
    schema: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return groups(schema)


@require_safe
@login_required
def reference(request: HttpRequest) -> HttpResponse:
    """`/api/docs/`: every address with its parameters and answers."""
    return render(request, "api/reference.html", {"groups": _groups()})
