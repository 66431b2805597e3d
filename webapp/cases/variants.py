"""Adding synthetic views beside their hosts: same exam, side and direction, a variant of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.db import transaction
from django.db.models import Max

from webapp.cases.importing.drafts import ImageDraft
from webapp.cases.importing.errors import storage_errors
from webapp.cases.importing.store import write_image
from webapp.cases.models import Exam, Origin, View


@dataclass(frozen=True)
class VariantDraft:
    """A synthetic view to be stored: the acquired view that hosts it and its two images."""

    host: View
    images: list[ImageDraft]


def add_synthetic_views(*, drafts: list[VariantDraft], complete: Callable[[list[View]], None]) -> list[View]:
    """Store the synthetic views of one breast: files, rows and whatever `complete` writes for them, or nothing.

    Parameters
    ----------
    drafts : list of VariantDraft
        Views of one exam.
    complete : callable
        Called with the new views, in the order of the drafts, inside the transaction.

    Raises
    ------
    StorageFull
    """
    written: list[Path] = []
    try:
        with storage_errors():
            rows = [[write_image(image, written) for image in draft.images] for draft in drafts]
        with transaction.atomic():
            views = []
            for draft, images in zip(drafts, rows, strict=True):
                view = _variant(draft.host)
                for image in images:
                    image.view = view
                    image.save(force_insert=True)
                views.append(view)
            complete(views)
    except BaseException:
        # Whatever went wrong, a cancelled job included: no file may stay without its row.
        for path in written:
            path.unlink(missing_ok=True)
        raise
    return views


def _variant(host: View) -> View:
    # One writer an exam at a time, so that variants are numbered without clashes.
    Exam.objects.select_for_update().get(pk=host.exam_id)
    same = View.objects.filter(exam_id=host.exam_id, laterality=host.laterality, position=host.position)
    return View.objects.create(
        exam_id=host.exam_id,
        laterality=host.laterality,
        position=host.position,
        origin=Origin.SYNTHETIC,
        variant=(same.aggregate(last=Max("variant"))["last"] or 0) + 1,
    )
