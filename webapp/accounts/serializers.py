"""Projects as the API shows them."""

from __future__ import annotations

from django.db.models import F, QuerySet
from rest_framework import serializers

from webapp.accounts.models import Project, Role, User
from webapp.accounts.selectors import projects_of


def projects_with_role(user: User) -> QuerySet[Project]:
    """The person's projects, each with `role`: what the person is in it."""
    return projects_of(user).annotate(role=F("memberships__role")).order_by("name")


class ProjectSerializer(serializers.ModelSerializer[Project]):
    """A project with the reader's own role in it."""

    role = serializers.ChoiceField(choices=Role.choices, read_only=True)

    class Meta:
        model = Project
        fields = ["slug", "name", "question", "role", "created"]
        read_only_fields = fields
