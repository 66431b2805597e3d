"""Where the annotations app takes the lesions that come with images; cases itself knows no lesions."""

from __future__ import annotations

from collections.abc import Callable

from webapp.accounts.models import User
from webapp.cases.importing.drafts import LesionDraft
from webapp.cases.models import View
from webapp.core.registry import Registry

Recorder = Callable[[View, tuple[int, int], list[LesionDraft], User | None], None]
"""``recorder(view, (rows, columns), lesions, author)``, called inside the transaction that stores the view."""

lesion_recorders: Registry[Recorder] = Registry("recorders of imported lesions")


def record(view: View, shape: tuple[int, int], lesions: list[LesionDraft], author: User | None) -> None:
    """Hand the lesions of a new view to whoever keeps lesions."""
    for recorder in lesion_recorders.values():
        recorder(view, shape, lesions, author)
