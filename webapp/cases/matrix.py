"""The eight images of a full exam: two breasts, two directions, two kinds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from webapp.cases.models.image import ImageKind

VIEWS: tuple[tuple[str, str], ...] = (("R", "CC"), ("L", "CC"), ("R", "MLO"), ("L", "MLO"))
"""Order on every page: right beside left, so that the two chest walls meet."""

CELLS: tuple[tuple[str, str, str], ...] = tuple(
    (laterality, position, kind)
    for kind in (ImageKind.LOW_ENERGY.value, ImageKind.RECOMBINED.value)
    for laterality, position in VIEWS
)
"""(laterality, position, kind) of bit 0 to bit 7 of `Exam.cells`; upper row low energy, lower row recombined."""

ALL = (1 << len(CELLS)) - 1
KIND_WORDS = {ImageKind.LOW_ENERGY.value: "low energy", ImageKind.RECOMBINED.value: "recombined"}


def bits(cells: Iterable[tuple[str, str, str]]) -> int:
    """The cells as one number."""
    return sum(1 << CELLS.index(cell) for cell in set(cells))


def pair_bits(laterality: str, position: str) -> int:
    """Both images of a view."""
    return bits((laterality, position, kind) for kind in KIND_WORDS)


@dataclass(frozen=True)
class Cell:
    """One of the eight squares of the matrix."""

    label: str
    present: bool


# 256 possible exams: made once, since the cases page shows fifty a page.
_DRAWN = {
    value: tuple(
        Cell(f"{laterality} {position} {KIND_WORDS[kind]}", bool(value >> bit & 1))
        for bit, (laterality, position, kind) in enumerate(CELLS)
    )
    for value in range(ALL + 1)
}


def drawn(value: int) -> tuple[Cell, ...]:
    """The squares of an exam for `components/image_matrix.html`."""
    return _DRAWN[value & ALL]


def is_complete(value: int) -> bool:
    """Whether there is a view, and each view that is there has both images."""
    low, recombined = value & 0x0F, value >> 4 & 0x0F
    return low == recombined and low != 0


def missing_partners(value: int) -> list[str]:
    """Words for each image whose partner of the same view is not there."""
    low, recombined = value & 0x0F, value >> 4 & 0x0F
    words = []
    for index, (laterality, position) in enumerate(VIEWS):
        has_low, has_recombined = low >> index & 1, recombined >> index & 1
        if has_low and not has_recombined:
            words.append(f"{laterality} {position} recombined is missing")
        elif has_recombined and not has_low:
            words.append(f"{laterality} {position} low energy is missing")
    return words
