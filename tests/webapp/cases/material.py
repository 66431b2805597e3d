"""Small files to import: pictures with a manifest, and DICOM pairs."""

from __future__ import annotations

import csv
import json
import zipfile
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from django.core.management import call_command
from PIL import Image

from imaging.dicom_writing import ImageIdentity, write_pair
from imaging.pair import CEMPair
from tests.imaging.written_files import changed
from webapp.cases import models

SHAPE = (120, 100)
COLUMNS = [
    "patient", "laterality", "view", "low_energy", "recombined", "mask_low_energy", "mask_recombined",
    "calcification", "microcalcification", "birads", "findings_low_energy", "findings_recombined", "pathology",
    "machine",
]  # fmt: skip


def breast(laterality: str, seed: int, shape: tuple[int, int] = SHAPE, maximum: int = 255) -> np.ndarray:
    """A textured half ellipse against the chest wall: on the left for the left breast."""
    rows, columns = shape
    row, column = np.mgrid[0:rows, 0:columns].astype(float)
    inside = ((row - rows / 2) / (0.48 * rows)) ** 2 + (column / (0.85 * columns)) ** 2 < 1
    texture = np.random.default_rng(seed).normal(0.5, 0.06, shape)
    pixels = np.where(inside, np.clip(texture, 0.05, 1) * maximum, 0)
    return np.ascontiguousarray(pixels if laterality == "L" else pixels[:, ::-1])


class Pairs:
    """A folder of pictures with a manifest that tests spoil in one place."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = folder / "pairs.csv"
        self.columns = list(COLUMNS)
        self.rows: list[dict[str, str]] = []

    def add(
        self,
        patient: str = "W001",
        laterality: str = "R",
        view: str = "CC",
        *,
        masks: list[tuple[int, int, int, int]] | None = None,
        **values: str,
    ) -> dict[str, str]:
        """A view with a picture of each kind and a mask of rectangles (row0, row1, column0, column1)."""
        seed = len(self.rows) * 10 + 1
        stem = f"{patient}/{laterality}_{view}_{seed}"
        (self.folder / patient).mkdir(parents=True, exist_ok=True)
        low_energy = breast(laterality, seed).astype(np.uint8)
        recombined = breast(laterality, seed + 1).astype(np.uint8)
        mask = np.zeros(SHAPE, np.uint8)
        for row0, row1, column0, column1 in [(30, 42, 40, 50)] if masks is None else masks:
            mask[row0:row1, column0:column1] = 255
        for suffix, pixels in (("LE", low_energy), ("RE", recombined), ("LE_mask", mask), ("RE_mask", mask)):
            Image.fromarray(pixels).save(self.folder / f"{stem}_{suffix}.png")
        row = {
            "patient": patient, "laterality": laterality, "view": view, "low_energy": f"{stem}_LE.png",
            "recombined": f"{stem}_RE.png", "mask_low_energy": f"{stem}_LE_mask.png",
            "mask_recombined": f"{stem}_RE_mask.png", "calcification": "0", "microcalcification": "0",
            "birads": "4", "findings_low_energy": "", "findings_recombined": "", "pathology": "Malignant",
            "machine": "1",
        }  # fmt: skip
        row.update(values)
        self.rows.append(row)
        return row

    def write(self) -> Path:
        """Write the manifest."""
        with self.manifest.open("w", newline="", encoding="utf-8") as handle:
            writer = csv.DictWriter(handle, self.columns, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(self.rows)
        return self.manifest


def write_view(
    folder: Path,
    *,
    patient_id: str = "4711-0815",
    laterality: str = "R",
    view: str = "CC",
    shape: tuple[int, int] = SHAPE,
    study: str = "1",
    pixels_of: str = "",
    stem: str | None = None,
    seed: int = 0,
    **changes: Any,
) -> tuple[Path, Path]:
    """A DICOM pair with identifying attributes; `changes` are set on both files (None deletes)."""
    side = pixels_of or laterality
    serial = seed + sum(ord(letter) for letter in f"{patient_id}{laterality}{view}{study}")
    pair = CEMPair(
        breast(side, serial, shape, 4095).astype(np.uint16),
        breast(side, serial + 1, shape, 4095).astype(np.uint16),
        "R" if laterality == "R" else "L",
        "CC" if view == "CC" else "MLO",
        (0.1, 0.1),
        12,
        "ge-essential",
    )
    identity = ImageIdentity(
        patient_id, "Winter^Ada", date(2021, 3, 4), f"seed-{seed}", study=study, institution="General Hospital"
    )
    written = write_pair(pair, folder, identity=identity, stem=stem or f"{laterality}_{view}")
    defaults = {"PatientBirthDate": "19600102", "AccessionNumber": "ACC123456"}
    for path in (written.low_energy, written.recombined):
        changed(path, **{**defaults, **changes})
    return written.low_energy, written.recombined


def zipped(folder: Path, target: Path) -> Path:
    """A plain zip archive of a folder."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                packed.write(path, path.relative_to(folder.parent).as_posix())
    return target


def run_import(command: str, path: Path, *extra: str, project: str = "study", site: str = "A") -> tuple[int, dict]:
    """Exit status and JSON answer of an import command."""
    out, status = StringIO(), 0
    try:
        call_command(
            command, str(path), "--project", project, "--site", site, "--json", *extra, stdout=out, stderr=StringIO()
        )
    except SystemExit as leaving:
        status = int(leaving.code or 0)
    return status, json.loads(out.getvalue().strip().splitlines()[-1])


def stored_files(root: Path) -> list[Path]:
    """Everything below the files folder that is a file."""
    return [path for path in root.rglob("*") if path.is_file()] if root.exists() else []


def refusals(answer: dict) -> list[str]:
    """Reasons that an import gave."""
    return [failure["reason"] for failure in answer["failed"]]


def nothing_stored(files_root: Path) -> bool:
    """Whether an import left neither rows nor files."""
    kinds = (models.Patient, models.Exam, models.View, models.Image)
    return not any(kind.objects.exists() for kind in kinds) and stored_files(files_root) == []
