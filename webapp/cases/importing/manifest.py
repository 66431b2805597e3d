"""Reading a pairs manifest: one line a view, paths beside the manifest (docs/formats/pairs.md)."""

from __future__ import annotations

import csv
import difflib
import io
import math
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from webapp.cases.importing.errors import ImportStopped, Refused

REQUIRED = ("patient", "laterality", "view", "low_energy", "recombined")
OPTIONAL = (
    "mask_low_energy",
    "mask_recombined",
    "calcification",
    "microcalcification",
    "birads",
    "findings_low_energy",
    "findings_recombined",
    "pathology",
    "machine",
)
_MOST_BYTES = 50 * 2**20
_MOST_ROWS = 200_000
_LONGEST_VALUE = 2_000
_SIDES = {"R": "R", "RIGHT": "R", "L": "L", "LEFT": "L"}
_MALIGNANCY = {
    "malignant": "malignant",
    "benign": "benign",
    "normal": "unknown",
    "unknown": "unknown",
    "": "unknown",
}
_YES_NO = {"1": True, "1.0": True, "yes": True, "true": True, "0": False, "0.0": False, "no": False, "false": False}


@dataclass(frozen=True)
class PairRow:
    """One checked line. Paths are absolute and lie inside the manifest's folder."""

    line: int
    patient: str
    laterality: str
    position: str
    low_energy: Path
    recombined: Path
    mask_low_energy: Path | None
    mask_recombined: Path | None
    lesion_type: str
    malignancy: str
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ManifestLine:
    """A line as it stands, before its values are checked."""

    line: int
    values: dict[str, str]
    surplus: int = 0

    @property
    def name(self) -> str:
        """What the report calls it."""
        return PurePosixPath(self.values.get("low_energy", "").replace("\\", "/")).name or f"line {self.line}"


def looks_like_manifest(path: Path) -> bool:
    """Whether a file is a CSV whose head names at least patient and low_energy."""
    try:
        with path.open("rb") as handle:
            head = handle.read(4096)
    except OSError:
        return False
    first = head.decode("utf-8-sig", "replace").splitlines()[:1]
    names = {name.strip().strip('"').lower() for name in first[0].split(",")} if first else set()
    return {"patient", "low_energy"} <= names


def read_lines(path: Path) -> list[ManifestLine]:
    """Read the manifest's lines.

    Raises
    ------
    ImportStopped
        If the file is absent, no UTF-8 CSV, lacks a column, or is empty.
    """
    name = path.name
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ImportStopped(f"{name} is larger than 50 MiB: split the manifest.")
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ImportStopped(f"{name} is not UTF-8 text. Save the manifest as CSV in UTF-8.") from error
    except OSError as error:
        raise ImportStopped(f"{name} is not there or cannot be read. Check the path of the manifest.") from error
    try:
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        header = next(reader, None)
        if header is None or not any(cell.strip() for cell in header):
            raise ImportStopped(f"{name} is empty: a head line with the columns and one line a view are needed.")
        columns = _columns(name, header)
        lines: list[ManifestLine] = []
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(lines) >= _MOST_ROWS:
                raise ImportStopped(f"{name} has more than {_MOST_ROWS:,} lines: split the manifest.")
            values = dict.fromkeys(columns, "") | {
                column: cell.strip() for column, cell in zip(columns, cells, strict=False)
            }
            lines.append(ManifestLine(reader.line_num, values, max(0, len(cells) - len(columns))))
    except csv.Error as error:
        raise ImportStopped(f"{name}: the CSV is broken near line {reader.line_num} ({error}).") from error
    if not lines:
        raise ImportStopped(f"{name} has a head line but no views: add one line a view.")
    return lines


def _columns(name: str, header: list[str]) -> list[str]:
    columns = [cell.strip().lower() for cell in header]
    if len(columns) == 1 and (";" in columns[0] or "\t" in columns[0]):
        raise ImportStopped(f"{name}: columns must be separated by commas.")
    missing = [column for column in REQUIRED if column not in columns]
    if missing:
        raise ImportStopped(
            f"{name} lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}. "
            f"Needed are {', '.join(REQUIRED)}; known besides are {', '.join(OPTIONAL)}."
        )
    repeated = sorted({column for column in columns if columns.count(column) > 1})
    if repeated:
        raise ImportStopped(f"{name} has the column {repeated[0] or '(no name)'} more than once: keep one.")
    absent = [column for column in OPTIONAL if column not in columns]
    for column in columns:
        if not column:
            raise ImportStopped(f"{name} has a column without a name: name or remove it.")
        if column in REQUIRED or column in OPTIONAL:
            continue
        meant = difflib.get_close_matches(column, absent, n=1, cutoff=0.88)
        if meant:
            raise ImportStopped(f"{name}: the column {column} is not known; did you mean {meant[0]}? Rename it.")
    return columns


def check_line(line: ManifestLine, folder: Path) -> PairRow:
    """Turn a line into a row with absolute paths.

    Raises
    ------
    Refused
        With the line, the column and what was expected.
    """
    values = line.values
    if line.surplus:
        raise _wrong(line, f"has {line.surplus} more values than there are columns: put texts with commas in quotes")
    patient = values["patient"]
    if not patient or len(patient) > 200:
        raise _wrong(line, "patient is empty or longer than 200 characters")
    laterality = _SIDES.get(values["laterality"].upper())
    if laterality is None:
        raise _wrong(line, f"laterality is “{values['laterality'][:20]}”: R or L is needed")
    position = values["view"].upper()
    if position not in ("CC", "MLO"):
        raise _wrong(line, f"view is “{values['view'][:20]}”: CC or MLO is needed")
    pathology = values.get("pathology", "")
    malignancy = _MALIGNANCY.get(pathology.lower())
    if malignancy is None:
        raise _wrong(line, f"pathology is “{pathology[:20]}”: malignant, benign, normal or nothing is needed")
    for column, value in values.items():
        if len(value) > _LONGEST_VALUE:
            raise _wrong(line, f"{column} is longer than {_LONGEST_VALUE:,} characters")
    low_energy = _path(line, "low_energy", folder)
    recombined = _path(line, "recombined", folder)
    if low_energy is None or recombined is None:
        raise _wrong(line, f"{'recombined' if low_energy else 'low_energy'} is empty: a file is needed")
    paths = {*REQUIRED[3:], "mask_low_energy", "mask_recombined"}
    attributes = {
        column: value
        for column, value in values.items()
        if value and column not in paths and column not in ("patient", "laterality", "view")
    }
    return PairRow(
        line=line.line,
        patient=patient,
        laterality=laterality,
        position=position,
        low_energy=low_energy,
        recombined=recombined,
        mask_low_energy=_path(line, "mask_low_energy", folder),
        mask_recombined=_path(line, "mask_recombined", folder),
        lesion_type=_lesion_type(line),
        malignancy=malignancy,
        attributes=attributes,
    )


def _lesion_type(line: ManifestLine) -> str:
    """Cluster where microcalcifications are stated, else mass; other where the manifest does not say."""
    value = line.values.get("microcalcification", "")
    if not value:
        return "other"
    stated = _YES_NO.get(value.lower())
    if stated is None:
        raise _wrong(line, f"microcalcification is “{value[:20]}”: 1 or 0 is needed")
    return "cluster" if stated else "mass"


def _path(line: ManifestLine, column: str, folder: Path) -> Path | None:
    stated = line.values.get(column, "").replace("\\", "/")
    if not stated:
        return None
    root = folder.resolve()
    try:
        path = (root / stated).resolve()
        inside = path.is_relative_to(root) and not PurePosixPath(stated).is_absolute()
        found = inside and path.is_file()
    except (ValueError, OSError, RuntimeError) as error:
        raise _wrong(line, f"{column} is not a usable file name", "Unusable file name") from error
    if not inside:
        raise _wrong(
            line, f"{column} points outside the manifest's folder: put the images beside it", "Path outside the folder"
        )
    if not found:
        name = PurePosixPath(stated).name[:80]
        raise _wrong(line, f"{column}: the file “{name}” is not there", "File missing")
    return path


def _wrong(line: ManifestLine, what: str, group: str = "Line of the manifest wrong") -> Refused:
    return Refused(group, f"Line {line.line}: {what}.", "Correct the manifest and import it again.")


def checked_spacing(value: float | None) -> float | None:
    """A pixel spacing given by hand.

    Raises
    ------
    ImportStopped
        If it is not between 0.01 and 1 mm.
    """
    if value is not None and not (math.isfinite(value) and 0.01 <= value <= 1.0):
        raise ImportStopped(f"The pixel spacing {value:g} mm is not possible: give millimetres from 0.01 to 1.")
    return value
