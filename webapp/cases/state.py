"""What an exam's rows say about it as a whole: which images it has, whether it is complete, what needs a person."""

from __future__ import annotations

from webapp.cases import matrix
from webapp.cases.models import Exam, Image, View


def refresh_exam(exam: Exam) -> None:
    """Derive `cells`, `complete` and `attention` from the exam's acquired views; called where views change."""
    cells = matrix.bits(
        Image.objects.filter(view__exam=exam, view__variant=0).values_list("view__laterality", "view__position", "kind")
    )
    attention = matrix.missing_partners(cells)
    for view in View.objects.filter(exam=exam, variant=0):
        attention += [f"{view}: {words}" for words in view.attributes.get("attention", [])]
    exam.cells, exam.complete = cells, matrix.is_complete(cells)
    exam.attention, exam.needs_look = attention, bool(attention)
    exam.save(update_fields=["cells", "complete", "attention", "needs_look"])
