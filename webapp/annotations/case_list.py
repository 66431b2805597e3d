"""Lesions on the cases page: two facets and a column, all from the exam's bits of lesion classes."""

from __future__ import annotations

from functools import lru_cache

from django.db.models import Q
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from webapp.annotations.classes import CLASSES, bits, name, words
from webapp.annotations.models import Malignancy
from webapp.cases.facets import Choice, ExamFacet, Group, any_bit
from webapp.cases.models import Exam

_ICONS = {"mass": "mass", "cluster": "cluster", "both": "both", "other": "flag"}


def _choice(value: str, label: str, mask: int, *, always: bool = True) -> Choice:
    return Choice(
        value, label, lambda group: bool(group.lesion_classes & mask), any_bit("lesion_classes", mask), always
    )


_CLASS_CHOICES = [
    _choice(name(*one), words(*one), bits([one]), always=one[1] != "unknown" and one[0] in ("mass", "cluster"))
    for one in CLASSES
] + [Choice("none", "No lesion", lambda group: group.lesion_classes == 0, Q(lesion_classes=0))]
_MALIGNANCY_CHOICES = [
    _choice(value, label, bits(one for one in CLASSES if one[1] == value)) for value, label in Malignancy.choices
]


def _classes(_: list[Group]) -> list[Choice]:
    return _CLASS_CHOICES


def _malignancies(_: list[Group]) -> list[Choice]:
    return _MALIGNANCY_CHOICES


LESION_FACET = ExamFacet("lesion", "Lesion", _classes)
MALIGNANCY_FACET = ExamFacet("malignancy", "Malignancy", _malignancies)


def lesions_markup(exam: Exam) -> SafeString:
    """The lesion classes of an exam, one a line."""
    return _markup(exam.lesion_classes)


@lru_cache(maxsize=1024)
def _markup(lesion_classes: int) -> SafeString:
    lines = [
        {"icon": _ICONS[one[0]], "words": words(*one).lower()}
        for bit, one in enumerate(CLASSES)
        if lesion_classes >> bit & 1
    ]
    return render_to_string("annotations/lesion_lines.html", {"lines": lines})
