"""Cases and lesions."""

from __future__ import annotations

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView, RetrieveAPIView

from webapp.annotations.models import Lesion
from webapp.annotations.selectors import lesions_of
from webapp.annotations.serializers import LesionSerializer, with_outlines
from webapp.api.base import ProjectView
from webapp.api.filters import CaseFilter, LesionFilter
from webapp.cases.models import Exam
from webapp.cases.selectors import exams_of
from webapp.cases.serializers import CaseSerializer, with_views


class _Cases(ProjectView[Exam]):
    model = Exam
    serializer_class = CaseSerializer
    lookup_field = "number"

    def visible(self) -> QuerySet[Exam]:
        return with_views(exams_of(self.person, self.project)).order_by("number")


@extend_schema(tags=["cases"], summary="Cases")
class CaseList(_Cases, ListAPIView[Exam]):
    """Exams with their views and what is known of their images."""

    filterset_class = CaseFilter


@extend_schema(tags=["cases"], summary="One case")
class CaseDetail(_Cases, RetrieveAPIView[Exam]):
    """An exam with its views and what is known of their images."""


class _Lesions(ProjectView[Lesion]):
    model = Lesion
    serializer_class = LesionSerializer

    def visible(self) -> QuerySet[Lesion]:
        return with_outlines(lesions_of(self.person, self.project)).order_by("exam__number", "number")


@extend_schema(tags=["annotations"], summary="Lesions with their outlines")
class LesionList(_Lesions, ListAPIView[Lesion]):
    """Lesions with the outline in force on each view; withdrawn outlines are left out."""

    filterset_class = LesionFilter


@extend_schema(tags=["annotations"], summary="One lesion")
class LesionDetail(_Lesions, RetrieveAPIView[Lesion]):
    """A lesion with the outline in force on each view."""
