"""What `fit-contrast` and `fit-clusters` share: lesions from a list, and a result that overwrites nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, cast

from simulation.calcification import Malignancy
from simulation.errors import UnreadableLesions
from simulation.fits import AnnotatedLesion
from simulation.lesion_table import load, read_lesions


def annotated(
    place: Path, kind: Literal["low_energy", "recombined"], unread: list[dict[str, str]]
) -> Iterator[AnnotatedLesion]:
    """Lesions of a list, one image in memory at a time; those that cannot be read are added to `unread`."""
    for row in read_lesions(place):
        if not row.malignancy:
            unread.append({"lesion": row.name, "reason": "neither benign nor malignant is stated"})
            continue
        try:
            view = load(row, kind)
        except UnreadableLesions as error:
            unread.append({"lesion": row.name, "reason": str(error)})
            continue
        yield AnnotatedLesion(
            view.image,
            view.mask,
            row.patient,
            cast(Malignancy, row.malignancy),
            row.name,
            view.spacing_mm,
            view.vendor,
        )


def write_once(path: Path, body: dict[str, Any]) -> None:
    """Write JSON to a new file.

    Raises
    ------
    FileExistsError
        If the file is already there.
    """
    if path.exists():
        raise FileExistsError(f"{path.name} is already there; nothing was written")
    path.write_text(json.dumps(body, indent=1))
    print(path.name)
