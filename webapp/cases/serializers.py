"""Cases as the API shows them: no file names, no hashes, no keys of the source."""

from __future__ import annotations

from django.db.models import Prefetch, QuerySet
from rest_framework import serializers

from webapp.cases.models import Exam, Image, View


def with_views(exams: QuerySet[Exam]) -> QuerySet[Exam]:
    """Fetch patient, site, views and images along."""
    views = View.objects.order_by("-laterality", "position", "variant").prefetch_related(
        Prefetch("images", Image.objects.order_by("kind"))
    )
    return exams.select_related("patient__site").prefetch_related(Prefetch("views", views))


class ImageSerializer(serializers.ModelSerializer[Image]):
    """Geometry and display window of a stored image."""

    class Meta:
        model = Image
        fields = [
            "id",
            "kind",
            "format",
            "rows",
            "columns",
            "bits_stored",
            "photometric",
            "spacing_row",
            "spacing_column",
            "window_low",
            "window_high",
            "vendor",
        ]
        read_only_fields = fields


class ViewSerializer(serializers.ModelSerializer[View]):
    """A view with its images; synthetic views have the variant of their simulation."""

    images = ImageSerializer(many=True, read_only=True)

    class Meta:
        model = View
        fields = ["id", "laterality", "position", "origin", "variant", "images"]
        read_only_fields = fields


class CaseSerializer(serializers.ModelSerializer[Exam]):
    """An exam with its views. The patient is a pseudonym; the date is shifted."""

    patient = serializers.CharField(source="patient.pseudonym", read_only=True)
    site = serializers.CharField(source="patient.site.code", read_only=True)
    age = serializers.IntegerField(source="patient.age", read_only=True, allow_null=True)
    attention = serializers.ListField(child=serializers.CharField(), read_only=True)
    views = ViewSerializer(many=True, read_only=True)

    class Meta:
        model = Exam
        fields = [
            "number",
            "patient",
            "site",
            "age",
            "date",
            "device",
            "origin",
            "complete",
            "needs_look",
            "attention",
            "views",
        ]
        read_only_fields = fields
