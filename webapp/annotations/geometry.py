"""Whether outlines and points drawn on a view can be kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from imaging.contours import polygon_area
from webapp.core.errors import UserError

MOST_VERTICES = 20_000
"""Of all polygons of one annotation together; a mask outline along pixel edges has a few thousand."""
MOST_POINTS = 5_000
SMALLEST_AREA = 0.5
"""Square pixels."""

Points = list[list[float]]


def checked_polygons(polygons: Any, shape: tuple[int, int]) -> list[Points]:
    """The polygons as lists of [x, y] floats.

    Parameters
    ----------
    polygons : sequence of sequence of (x, y)
        Continuous image pixels.
    shape : tuple of int
        (rows, columns) of the view.

    Raises
    ------
    UserError
        If one has fewer than three corners, no area, or leaves the image.
    """
    if not _is_list(polygons):
        raise UserError("Outlines must be a list of polygons.", field="polygons")
    checked = []
    for number, polygon in enumerate(polygons, start=1):
        corners = _checked_points(polygon, shape, f"outline {number}", "polygons")
        if len(corners) < 3:
            raise UserError(f"Outline {number} has {len(corners)} corners: at least 3 are needed.", field="polygons")
        if polygon_area(corners) < SMALLEST_AREA:
            raise UserError(f"Outline {number} encloses no area: draw it again.", field="polygons")
        checked.append(corners)
    total = sum(len(corners) for corners in checked)
    if total > MOST_VERTICES:
        raise UserError(f"The outlines have {total:,} corners: at most {MOST_VERTICES:,} are kept.", field="polygons")
    return checked


def checked_points(points: Any, shape: tuple[int, int]) -> Points:
    """Single points (for example calcifications) as lists of [x, y] floats.

    Raises
    ------
    UserError
        If one is no pair of finite numbers or leaves the image.
    """
    checked = _checked_points(points, shape, "points", "points")
    if len(checked) > MOST_POINTS:
        raise UserError(f"There are {len(checked):,} points: at most {MOST_POINTS:,} are kept.", field="points")
    return checked


def box_of(polygons: list[Points], points: Points) -> tuple[float, float, float, float]:
    """(x1, y1, x2, y2) around everything drawn; lone points get the pixel around them.

    Raises
    ------
    UserError
        If nothing is drawn.
    """
    corners = [corner for polygon in polygons for corner in polygon]
    for x, y in points:
        corners += [[x - 0.5, y - 0.5], [x + 0.5, y + 0.5]]
    if not corners:
        raise UserError("Nothing is drawn: give at least one outline or point.", field="polygons")
    columns, rows = [x for x, _ in corners], [y for _, y in corners]
    return min(columns), min(rows), max(columns), max(rows)


def _checked_points(points: Any, shape: tuple[int, int], what: str, field: str) -> Points:
    if not _is_list(points):
        raise UserError(f"The {what} must be a list of [x, y].", field=field)
    rows, columns = shape
    checked = []
    for point in points:
        if not _is_list(point) or len(point) != 2:
            raise UserError(f"The {what} must be a list of [x, y].", field=field)
        x, y = point
        if not all(_is_number(value) for value in (x, y)):
            raise UserError(f"The {what} have a coordinate that is not a number.", field=field)
        if not (0 <= x <= columns and 0 <= y <= rows):
            raise UserError(
                f"The {what} leave the image at ({x:g}, {y:g}): x runs from 0 to {columns}, y from 0 to {rows}.",
                field=field,
            )
        checked.append([float(x), float(y)])
    return checked


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
