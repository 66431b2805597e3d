"""A constructed case whose pixels say where everything is: a dim breast with one bright square lesion."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.dicom_writing import ImageIdentity, write_pair
from imaging.pair import CEMPair
from webapp.accounts.models import Project
from webapp.annotations.models import Annotation, Lesion
from webapp.cases.models import Exam, Image, ImageKind, Patient, Site, View
from webapp.core import files
from webapp.datasets.models import Dataset, DatasetVersion, SplitAssignment
from webapp.experiments.models import Arm, Experiment, Prediction, Run, RunState
from webapp.simulations.models import SimulationBatch, SyntheticView

SHAPE = (320, 240)
SPACING = 0.4
BREAST, LESION, LESION_RECOMBINED = 900, 4000, 3500
SQUARE = (100.0, 120.0, 130.0, 150.0)
"""x1, y1, x2, y2 of the lesion in the right CC view, in continuous pixels."""


@dataclass
class Constructed:
    project: Project
    exam: Exam
    lesion: Lesion
    views: dict[str, View]


def pixels(laterality: str, kind: str, square: tuple[float, float, float, float] | None) -> NDArray[np.uint16]:
    """12-bit values of a half ellipse against the chest wall, hung as usual."""
    rows, columns = SHAPE
    row, column = np.mgrid[0:rows, 0:columns].astype(float)
    inside = ((row - rows / 2) / (0.46 * rows)) ** 2 + (column / (0.85 * columns)) ** 2 < 1
    values = np.where(inside, BREAST + (row % 7) * 3, 0).astype(np.uint16)
    if laterality == "R":
        values = np.ascontiguousarray(values[:, ::-1])
    if square is not None:
        x1, y1, x2, y2 = (int(value) for value in square)
        values[y1:y2, x1:x2] = LESION if kind == "low_energy" else LESION_RECOMBINED
    return values


def add_view(
    exam: Exam,
    laterality: str,
    position: str,
    *,
    square: tuple[float, float, float, float] | None = None,
    kinds: tuple[str, ...] = tuple(ImageKind.values),
    origin: str = "phantom",
    variant: int = 0,
) -> View:
    """A view with real DICOM files, as written for phantoms."""
    view = View.objects.create(exam=exam, laterality=laterality, position=position, origin=origin, variant=variant)
    pair = CEMPair(
        low_energy=pixels(laterality, "low_energy", square),
        recombined=pixels(laterality, "recombined", square),
        laterality=laterality,
        view_position=position,
        spacing_mm=(SPACING, SPACING),
        bits_stored=12,
    )
    identity = ImageIdentity("constructed", "CONSTRUCTED", date(2020, 1, 2), seed=f"{exam.pk}-{variant}")
    with tempfile.TemporaryDirectory() as folder:
        written = write_pair(pair, Path(folder), identity=identity)
        for kind in kinds:
            store(view, kind, Path(getattr(written, kind)))
    return view


def store(view: View, kind: str, source: Path, **fields: Any) -> Image:
    """Put a file into the data folder and write its row."""
    name = files.new_name("images", source.suffix)
    path = files.write(name, source.read_bytes())
    digest = files.sha256(path)
    values: dict[str, Any] = {
        "format": "dicom",
        "rows": SHAPE[0],
        "columns": SHAPE[1],
        "bits_stored": 12,
        "spacing_row": SPACING,
        "spacing_column": SPACING,
        "window_low": 0,
        "window_high": 4095,
    }
    return Image.objects.create(
        view=view, kind=kind, file=name, sha256=digest, source_hash=f"{view.pk}-{kind}", **{**values, **fields}
    )


def construct(project: Project, *, number: int = 1) -> Constructed:
    """A case with R CC and L CC pairs, an R MLO of which only the low-energy image exists, and no L MLO."""
    site, _ = Site.objects.get_or_create(project=project, code="phantoms")
    patient = Patient.objects.create(
        project=project, site=site, pseudonym=f"P{number}", source_key=f"key-of-patient-{number}", age=58
    )
    exam = Exam.objects.create(project=project, patient=patient, number=number, source_key=f"key-of-exam-{number}")
    views = {
        "R-CC": add_view(exam, "R", "CC", square=SQUARE),
        "L-CC": add_view(exam, "L", "CC"),
        "R-MLO": add_view(exam, "R", "MLO", kinds=("low_energy",)),
    }
    lesion = Lesion.objects.create(
        exam=exam, laterality="R", number=1, lesion_type="mass", malignancy="malignant", origin="phantom"
    )
    outline(lesion, views["R-CC"], SQUARE)
    return Constructed(project, exam, lesion, views)


def outline(lesion: Lesion, view: View, box: tuple[float, float, float, float], **fields: Any) -> Annotation:
    """The rectangle of `box` as the lesion's outline on a view."""
    x1, y1, x2, y2 = box
    polygon = [[x1, y1], [x2, y1], [x2, y2], [x1, y2]]
    return Annotation.objects.create(
        lesion=lesion, view=view, polygons=[polygon], x1=x1, y1=y1, x2=x2, y2=y2, source="phantom truth", **fields
    )


def add_run(case: Constructed, *, split: str, boxes: list[tuple[tuple[float, float, float, float], float]]) -> Run:
    """A finished run with findings (box, score) on the right CC view."""
    dataset = Dataset.objects.create(project=case.project, slug="set", name="Set")
    version = DatasetVersion.objects.create(dataset=dataset, number=1)
    version.exams.add(case.exam)
    SplitAssignment.objects.create(version=version, patient=case.exam.patient, split=split)
    DatasetVersion.objects.filter(pk=version.pk).update(state="frozen", content_hash="0" * 64)
    experiment = Experiment.objects.create(
        project=case.project,
        number=1,
        name="Synthetic share",
        hypothesis="More is better.",
        primary_endpoint="sensitivity:malignant_cluster:internal_test",
        version=version,
        protocol={},
    )
    arm = Arm.objects.create(experiment=experiment, position=1, name="200 %", preset="cpu-quick", configuration={})
    run = Run.objects.create(arm=arm, seed=1, state=RunState.DONE)
    for rank, (box, score) in enumerate(boxes):
        x1, y1, x2, y2 = box
        Prediction.objects.create(
            run=run,
            view=case.views["R-CC"],
            split=split,
            rank=rank,
            x1=x1,
            y1=y1,
            x2=x2,
            y2=y2,
            score=score,
            malignancy=0.9,
            lesion_type="mass",
        )
    return run


def add_synthetic(case: Constructed, run: Run) -> View:
    """A synthetic cluster in the left CC view, with its calcifications."""
    square = (60.0, 140.0, 84.0, 164.0)
    host = case.views["L-CC"]
    view = add_view(case.exam, "L", "CC", square=square, origin="synthetic", variant=1)
    batch = SimulationBatch.objects.create(
        project=case.project,
        version=run.arm.experiment.version,
        number=3,
        seed=7,
        wanted_benign=0,
        wanted_malignant=1,
    )
    SyntheticView.objects.create(
        view=view,
        host=host,
        batch=batch,
        patient=case.exam.patient,
        malignancy="malignant",
        case_number=1,
        seed=7,
        mask="masks/none.png",
        record={
            "cluster": {
                "calcifications": [
                    {"x": x, "y": y, "diameter_mm": 0.3, "morphology": morphology, "contrast_to_noise": ratio}
                    for x, y, morphology, ratio in ((70.5, 150.5, "punctate", 3.0), (72.5, 152.5, "linear", 5.25))
                ]
            }
        },
    )
    lesion = Lesion.objects.create(
        exam=case.exam, laterality="L", number=2, lesion_type="cluster", malignancy="malignant", origin="synthetic"
    )
    outline(lesion, view, square, points=[[70.5, 150.5], [72.5, 152.5]])
    return view
