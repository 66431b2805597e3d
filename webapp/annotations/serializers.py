"""Lesions and their outlines as the API shows them."""

from __future__ import annotations

from typing import Any

from django.db.models import Prefetch, QuerySet
from rest_framework import serializers

from webapp.annotations.models import Annotation, Lesion
from webapp.cases.models import Laterality, Origin


def with_outlines(lesions: QuerySet[Lesion]) -> QuerySet[Lesion]:
    """Fetch the outlines in force along (`outlines`); withdrawn ones are left out."""
    in_force = (
        Annotation.objects.filter(current=True, withdrawn=False).select_related("view", "author").order_by("view_id")
    )
    return lesions.select_related("exam").prefetch_related(Prefetch("annotations", in_force, to_attr="outlines"))


def polygon_field(**options: Any) -> serializers.ListField:
    """A list of [x, y] in continuous image pixels."""
    point = serializers.ListField(child=serializers.FloatField(), min_length=2, max_length=2)
    return serializers.ListField(child=point, **options)


class OutlineSerializer(serializers.ModelSerializer[Annotation]):
    """Where a lesion lies on a view, in continuous image pixels: x = column, y = row, (0, 0) the outer corner of
    the first pixel."""

    view = serializers.IntegerField(source="view_id", read_only=True)
    laterality = serializers.ChoiceField(source="view.laterality", choices=Laterality.choices, read_only=True)
    position = serializers.CharField(source="view.position", read_only=True)
    polygons = serializers.ListField(child=polygon_field(), read_only=True)
    points = polygon_field(read_only=True)
    author = serializers.CharField(source="author.username", read_only=True, default="")

    class Meta:
        model = Annotation
        fields = [
            "view",
            "laterality",
            "position",
            "revision",
            "polygons",
            "points",
            "x1",
            "y1",
            "x2",
            "y2",
            "author",
            "source",
            "created",
        ]
        read_only_fields = fields


class LesionSerializer(serializers.ModelSerializer[Lesion]):
    """A lesion of one breast with its outlines on the views."""

    case = serializers.IntegerField(source="exam.number", read_only=True)
    origin = serializers.ChoiceField(choices=Origin.choices, read_only=True)
    outlines: Any = OutlineSerializer(many=True, read_only=True)

    class Meta:
        model = Lesion
        fields = [
            "id",
            "case",
            "number",
            "laterality",
            "lesion_type",
            "malignancy",
            "origin",
            "evidence",
            "outlines",
        ]
        read_only_fields = fields
