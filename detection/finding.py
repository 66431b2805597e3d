"""What a detector returns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

LesionType = Literal["mass", "cluster", "other"]
Box = tuple[float, float, float, float]
Polygon = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Finding:
    """One detection on one view.

    Attributes
    ----------
    box : tuple of float
        (x1, y1, x2, y2) in continuous image pixels: x = column, y = row, (0, 0) the outer corner of the
        first pixel.
    score : float
        Confidence of the detection in [0, 1].
    malignancy : float
        Probability that the lesion is malignant in [0, 1].
    lesion_type : {"mass", "cluster", "other"}
        ``"other"`` where the detector does not tell masses and clusters apart.
    contour : tuple of (x, y), optional
        Closed outline (first point not repeated), same coordinates as `box`.
    """

    box: Box
    score: float
    malignancy: float
    lesion_type: LesionType
    contour: Polygon | None = None

    @property
    def is_malignant(self) -> bool:
        """Malignancy class of the finding (p > 0.5)."""
        return self.malignancy > 0.5

    def shifted(self, x: float, y: float) -> Finding:
        """The same finding in an image whose corner lies (x, y) pixels before this one's."""
        x1, y1, x2, y2 = self.box
        contour = self.contour and tuple((px + x, py + y) for px, py in self.contour)
        return replace(self, box=(x1 + x, y1 + y, x2 + x, y2 + y), contour=contour)
