"""Writing a set of phantom patients: DICOM pairs and the manifest of what is in them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from imaging.dicom_writing import ImageIdentity, write_pair
from simulation.phantom.lesion_plan import LesionPlan, LesionType, Malignancy, PlannedLesion
from simulation.phantom.patient import VIEWS, PhantomView, Site, Size, phantom_patient
from simulation.randomness import generator

SCHEMA = "cemlab.phantom/1"
MANIFEST = "manifest.json"

PatientLesions = tuple[tuple[LesionType, Malignancy], ...]

# Lesions of one patient after the other, over and over: six patients show every class and one is lesion-free.
DEFAULT_MIX: tuple[PatientLesions, ...] = (
    (("cluster", "malignant"),),
    (("mass", "malignant"),),
    (("cluster", "benign"),),
    (("mass", "benign"),),
    (("mass", "malignant"), ("cluster", "malignant")),
    (),
)
_FIRST_DAY = date(2024, 1, 8)


def write_phantom_set(
    directory: Path,
    *,
    sites: Mapping[Site, int],
    size: Size = "small",
    seed: int = 0,
    plan: Sequence[PatientLesions] = DEFAULT_MIX,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write phantom patients as DICOM with a manifest (docs/formats/phantom.md).

    Each patient has CC and MLO of both breasts; lesions lie in one breast, the other is lesion-free.

    Parameters
    ----------
    directory : Path
        Made when absent; must not hold a manifest yet.
    sites : mapping of site to number of patients
        For example ``{"A": 12, "B": 6}``.
    size : {"full", "small", "test"}
    seed : int
        Everything follows from it; equal arguments write equal bytes.
    plan : sequence of patient lesions
        Lesions (type, malignancy) of each patient, repeated from the start when there are more patients. Each site
        starts at the first entry.
    progress : callable, optional
        Called after each patient with the number of views written and planned.

    Returns
    -------
    Path
        The manifest.

    Raises
    ------
    ValueError
        If a site, size or number is not known, or the plan is empty.
    FileExistsError
        If the directory already holds a manifest.
    """
    if size not in ("full", "small", "test"):
        raise ValueError(f"size is {size!r}; choose full, small or test")
    if not plan:
        raise ValueError("the plan of lesions is empty; give one entry for each kind of patient")
    for site, count in sites.items():
        if site not in ("A", "B") or count < 0:
            raise ValueError(f"sites holds {site!r}: {count}; give numbers of patients for A and B")
    manifest = directory / MANIFEST
    if manifest.exists():
        raise FileExistsError(f"{MANIFEST} is already there; choose an empty folder")
    patients = []
    for site, count in sorted(sites.items()):
        for index in range(count):
            patients.append(_write_patient(directory, site, index, size, seed, plan[index % len(plan)]))
            if progress is not None:
                progress(len(VIEWS) * len(patients), len(VIEWS) * sum(sites.values()))
    body = {"schema": SCHEMA, "size": size, "seed": seed, "patients": patients}
    directory.mkdir(parents=True, exist_ok=True)
    partial = directory / f"{MANIFEST}.partial"
    partial.write_text(json.dumps(body, indent=1))
    partial.replace(manifest)
    return manifest


def _write_patient(
    directory: Path, site: Site, index: int, size: Size, seed: int, lesions: PatientLesions
) -> dict[str, Any]:
    name = f"PH-{site}-{index + 1:03d}"
    rng = generator(seed, "patient", site, index)
    patient_seed, left = int(rng.integers(2**62)), bool(rng.random() < 0.5)
    planned = LesionPlan(tuple(PlannedLesion(kind, grade, "L" if left else "R") for kind, grade in lesions))
    # a tenth of site B stores MONOCHROME1
    inverted = site == "B" and index % 10 == 4
    identity = ImageIdentity(
        patient_id=name,
        patient_name=f"PHANTOM^{site}{index + 1:03d}",
        study_date=_FIRST_DAY + timedelta(days=int(rng.integers(0, 365))),
        seed=f"phantom-{size}-{seed}",
        patient_age=int(rng.integers(40, 75)),
        institution=f"Phantom site {site}",
    )
    views = []
    for view in phantom_patient(seed=patient_seed, site=site, size=size, lesions=planned):
        written = write_pair(
            view.pair,
            directory / site / name,
            identity=identity,
            photometric="MONOCHROME1" if inverted else "MONOCHROME2",
        )
        views.append(_entry(view, name, written.low_energy, written.recombined, directory))
    return {"patient": name, "site": site, "views": views}


def _entry(view: PhantomView, patient: str, low_energy: Path, recombined: Path, directory: Path) -> dict[str, Any]:
    return {
        "laterality": view.pair.laterality,
        "view": view.pair.view_position,
        "low_energy": low_energy.relative_to(directory).as_posix(),
        "recombined": recombined.relative_to(directory).as_posix(),
        "lesions": [
            {
                "lesion_id": f"{patient}-{lesion.lesion_id}",
                "lesion_type": lesion.lesion_type,
                "malignancy": lesion.malignancy,
                "polygons": [[list(point) for point in polygon] for polygon in lesion.polygons],
                "calcifications": lesion.calcifications,
            }
            for lesion in view.lesions
        ],
    }
