"""Lists of annotated lesions: what `fit-contrast`, `fit-clusters` and `evaluate` read (docs/formats/lesions.md)."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.contours import polygons_to_mask
from imaging.errors import ImagingError
from imaging.reading import read_pixels
from simulation.errors import UnreadableLesions

COLUMNS = (
    "patient",
    "malignancy",
    "low_energy",
    "recombined",
    "mask",
    "polygons",
    "x",
    "y",
    "radius",
    "spacing_mm",
    "vendor",
)
_RECORD = "_record.json"


@dataclass(frozen=True)
class LesionRow:
    """One lesion of a list; pixels are read when they are needed.

    Attributes
    ----------
    name : str
        Line or file name for messages; no identifier.
    patient : str
        Lesions of one patient are not independent; synthetic ones belong to their host.
    malignancy : str
        ``benign``, ``malignant`` or empty.
    low_energy, recombined, mask_file : Path or None
    polygons : tuple
        (x, y) in continuous pixels; used where there is no mask file.
    spacing_mm : float or None
        None takes what the image states.
    vendor : str
        Profile key; empty takes what the image states.
    """

    name: str
    patient: str
    malignancy: str
    low_energy: Path | None
    recombined: Path | None
    mask_file: Path | None
    polygons: tuple[tuple[tuple[float, float], ...], ...]
    spacing_mm: float | None
    vendor: str


@dataclass(frozen=True, eq=False)
class LesionView:
    """Image and outline of one lesion.

    Attributes
    ----------
    image : ndarray, shape (rows, columns)
    mask : ndarray of bool, same shape
    spacing_mm : float or None
    vendor : str
    bits_stored : int
    """

    image: NDArray[Any]
    mask: NDArray[np.bool_]
    spacing_mm: float | None
    vendor: str
    bits_stored: int


def read_lesions(place: Path) -> list[LesionRow]:
    """Read a lesion list.

    Parameters
    ----------
    place : Path
        A CSV file; a folder with ``lesions.csv``; or a folder with the files that `insert` and `batch` write.

    Raises
    ------
    UnreadableLesions
        If there is none of these, a column is missing or unknown, or a line cannot be understood.
    """
    if place.is_file():
        return _from_csv(place)
    if (place / "lesions.csv").is_file():
        return _from_csv(place / "lesions.csv")
    records = sorted(place.rglob(f"*{_RECORD}")) if place.is_dir() else []
    if not records:
        raise UnreadableLesions(
            f"{place.name} is neither a lesion list (CSV), nor a folder with lesions.csv, nor a folder of simulated "
            "cases; see docs/formats/lesions.md"
        )
    return [_from_record(path) for path in records]


def load(row: LesionRow, kind: str) -> LesionView:
    """Read image and outline of one lesion.

    Parameters
    ----------
    row : LesionRow
    kind : {"low_energy", "recombined"}

    Raises
    ------
    UnreadableLesions
        If the line names no such image, a file cannot be read, or outline and image do not fit each other.
    """
    path = row.low_energy if kind == "low_energy" else row.recombined
    if path is None:
        raise UnreadableLesions(f"{row.name}: no {kind} image is given")
    try:
        stored = read_pixels(path)
        shape = (int(stored.pixels.shape[0]), int(stored.pixels.shape[1]))
        if row.mask_file is not None:
            picture = read_pixels(row.mask_file).pixels
            mask = np.asarray(picture > picture.max() / 2, dtype=bool)
        else:
            mask = np.asarray(polygons_to_mask(row.polygons, shape), dtype=bool)
    except ImagingError as error:
        raise UnreadableLesions(f"{row.name}: {error}") from error
    if mask.shape != shape:
        raise UnreadableLesions(f"{row.name}: the mask is {mask.shape} and the image {shape}; they must agree")
    if not mask.any():
        raise UnreadableLesions(f"{row.name}: the outline holds no pixel of the image")
    spacing = row.spacing_mm
    if spacing is None and stored.spacing_mm is not None:
        spacing = float(stored.spacing_mm[0])
    return LesionView(stored.pixels, mask, spacing, row.vendor or stored.vendor, stored.bits_stored)


def _from_csv(path: Path) -> list[LesionRow]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as handle:
            reader = csv.DictReader(handle)
            names, lines = reader.fieldnames or [], list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnreadableLesions(f"{path.name} is not a CSV file in UTF-8 ({error})") from error
    unknown = sorted(set(names) - set(COLUMNS))
    if unknown:
        raise UnreadableLesions(f"{path.name}: unknown columns {', '.join(unknown)}; known: {', '.join(COLUMNS)}")
    if "patient" not in names or not {"low_energy", "recombined"} & set(names):
        raise UnreadableLesions(f"{path.name}: the columns patient and low_energy or recombined are needed")
    return list(_rows(lines, path))


def _rows(lines: list[dict[str, str]], path: Path) -> Iterator[LesionRow]:
    for number, line in enumerate(lines, 2):
        name = f"{path.name} line {number}"
        values = {column: (line.get(column) or "").strip() for column in COLUMNS}
        if not values["patient"]:
            raise UnreadableLesions(f"{name}: no patient; lesions of one patient must be told from those of others")
        if values["malignancy"] not in ("", "benign", "malignant"):
            raise UnreadableLesions(f"{name}: malignancy is {values['malignancy']!r}; benign, malignant or nothing")
        try:
            polygons = _polygons(values)
            spacing = float(values["spacing_mm"]) if values["spacing_mm"] else None
        except (ValueError, TypeError) as error:
            raise UnreadableLesions(f"{name}: {error}") from error
        if not values["mask"] and not polygons:
            raise UnreadableLesions(f"{name}: no outline; give mask, polygons, or x, y and radius")
        if spacing is not None and not 0.02 <= spacing <= 2:
            raise UnreadableLesions(f"{name}: spacing_mm is {spacing:g}; 0.02 to 2 is expected")
        files = {
            column: path.parent / values[column] if values[column] else None
            for column in ("low_energy", "recombined", "mask")
        }
        yield LesionRow(
            name,
            values["patient"],
            values["malignancy"],
            files["low_energy"],
            files["recombined"],
            files["mask"],
            polygons,
            spacing,
            values["vendor"],
        )


def _polygons(values: dict[str, str]) -> tuple[tuple[tuple[float, float], ...], ...]:
    """Polygons of a line, or the polygon of its circle."""
    if values["polygons"]:
        found = tuple(tuple((float(x), float(y)) for x, y in polygon) for polygon in json.loads(values["polygons"]))
        if any(len(polygon) < 3 for polygon in found) or not np.isfinite([*chain.from_iterable(found)]).all():
            raise ValueError("polygons need at least three points each, of finite numbers of pixels")
        return found
    if not values["radius"]:
        return ()
    x, y, radius = (float(values[column]) for column in ("x", "y", "radius"))
    if not (radius > 0 and np.isfinite([x, y, radius]).all()):
        raise ValueError(f"x, y and radius are {x:g}, {y:g} and {radius:g}; pixels and a positive radius are expected")
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    return (tuple((float(x + radius * np.cos(a)), float(y + radius * np.sin(a))) for a in turn),)


def _from_record(path: Path) -> LesionRow:
    try:
        record = json.loads(path.read_text())
        stem = path.name.removesuffix(_RECORD)
        files = {}
        for kind in ("low_energy", "recombined", "mask"):
            found = [path.with_name(f"{stem}_{kind}{ending}") for ending in (".dcm", ".png")]
            files[kind] = next(file for file in found if file.is_file())
        return LesionRow(
            path.name,
            str(record["host"]["sha256"]),
            str(record["malignancy"]),
            files["low_energy"],
            files["recombined"],
            files["mask"],
            (),
            float(record["host"]["spacing_mm"]),
            str(record["host"]["vendor"]),
        )
    except (ValueError, KeyError, TypeError, StopIteration) as error:
        raise UnreadableLesions(
            f"{path.name}: not the record of a complete simulated case; simulate it again"
        ) from error
