"""Adding a synthetic view beside its host: same exam, side and direction, a variant of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from django.db import transaction
from django.db.models import Max

from webapp.cases.importing.drafts import ImageDraft
from webapp.cases.importing.errors import storage_errors
from webapp.cases.importing.store import write_image
from webapp.cases.models import Exam, Origin, View


def add_synthetic_view(*, host: View, images: list[ImageDraft], complete: Callable[[View], None]) -> View:
    """Store a synthetic view of a host: files, rows and whatever `complete` writes for it, or nothing.

    Parameters
    ----------
    host : View
        An acquired view.
    images : list of ImageDraft
        Low-energy and recombined.
    complete : callable
        Called with the new view inside the transaction.

    Raises
    ------
    StorageFull
    """
    written: list[Path] = []
    try:
        with storage_errors():
            rows = [write_image(image, written) for image in images]
        with transaction.atomic():
            # One writer an exam at a time, so that variants are numbered without clashes.
            Exam.objects.select_for_update().get(pk=host.exam_id)
            same = View.objects.filter(exam_id=host.exam_id, laterality=host.laterality, position=host.position)
            view = View.objects.create(
                exam_id=host.exam_id,
                laterality=host.laterality,
                position=host.position,
                origin=Origin.SYNTHETIC,
                variant=(same.aggregate(last=Max("variant"))["last"] or 0) + 1,
            )
            for row in rows:
                row.view = view
                row.save(force_insert=True)
            complete(view)
    except BaseException:
        # Whatever went wrong, a cancelled job included: no file may stay without its row.
        for path in written:
            path.unlink(missing_ok=True)
        raise
    return view
