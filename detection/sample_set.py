"""Sample sets: the file that hands images and their lesions to a detector."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from detection.finding import Box, Polygon

Malignancy = Literal["benign", "malignant", "unknown"]
SCHEMA = "cemlab.sample-set/1"


@dataclass(frozen=True)
class LesionTarget:
    """A true lesion on one view.

    Attributes
    ----------
    lesion_id : str
        The same lesion has the same id on CC and MLO.
    lesion_type : {"mass", "cluster", "both", "other"}
    malignancy : {"benign", "malignant", "unknown"}
    polygons : tuple of closed outlines
        (x, y) in continuous image pixels, (0, 0) the outer corner of the first pixel.
    box : (x1, y1, x2, y2), same coordinates.
    """

    lesion_id: str
    lesion_type: Literal["mass", "cluster", "both", "other"]
    malignancy: Malignancy
    polygons: tuple[Polygon, ...]
    box: Box


@dataclass(frozen=True)
class Sample:
    """One view pair on disk (DICOM, PNG or JPEG; read with `imaging.reading.read_pair`) and its lesions.

    `patient_id` and `breast_id` are opaque keys that never name a person: views of one patient are resampled
    together, views of one breast in one exam are counted together. `breast_id` is None in files written before it
    was kept; numbers per breast are then undefined.
    """

    sample_id: str
    patient_id: str
    low_energy: Path
    recombined: Path
    laterality: Literal["L", "R"]
    view_position: Literal["CC", "MLO"]
    spacing_mm: tuple[float, float] | None
    origin: Literal["real", "synthetic", "phantom"]
    lesions: tuple[LesionTarget, ...]
    breast_id: str | None = None


@dataclass(frozen=True)
class SampleSet:
    """A named, ordered collection of samples (training, validation or one test set)."""

    name: str
    samples: tuple[Sample, ...]

    def write(self, path: Path) -> None:
        """Write as JSON (schema `cemlab.sample-set/1`)."""
        body = {"schema": SCHEMA, "name": self.name, "samples": [asdict(sample) for sample in self.samples]}
        path.write_text(json.dumps(body, default=str, indent=1))

    @classmethod
    def read(cls, path: Path) -> SampleSet:
        """Read a file written by `write`.

        Raises
        ------
        ValueError
            If the file does not follow the schema.
        """
        body = json.loads(path.read_text())
        if body.get("schema") != SCHEMA:
            raise ValueError(f"{path.name}: expected schema {SCHEMA}, found {body.get('schema')!r}")
        return cls(body["name"], tuple(_sample(entry) for entry in body["samples"]))


def _sample(entry: dict[str, Any]) -> Sample:
    spacing = entry["spacing_mm"]
    return Sample(
        sample_id=entry["sample_id"],
        patient_id=entry["patient_id"],
        low_energy=Path(entry["low_energy"]),
        recombined=Path(entry["recombined"]),
        laterality=entry["laterality"],
        view_position=entry["view_position"],
        spacing_mm=(spacing[0], spacing[1]) if spacing else None,
        origin=entry["origin"],
        lesions=tuple(
            LesionTarget(
                lesion_id=lesion["lesion_id"],
                lesion_type=lesion["lesion_type"],
                malignancy=lesion["malignancy"],
                polygons=tuple(tuple((x, y) for x, y in polygon) for polygon in lesion["polygons"]),
                box=tuple(lesion["box"]),
            )
            for lesion in entry["lesions"]
        ),
        breast_id=entry.get("breast_id"),
    )
