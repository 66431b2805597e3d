"""Reading a host from files and writing a simulated case, for the command line and for batch work."""

from __future__ import annotations

import json
import tempfile
from datetime import date
from pathlib import Path

import numpy as np
from PIL import Image

from imaging.dicom_header import is_dicom, read_header
from imaging.dicom_writing import ImageIdentity, ImageRole, Synthetic, is_synthetic, write_pair
from imaging.pair import CEMPair, Laterality, ViewPosition
from imaging.reading import read_pair, read_pixels
from simulation.case import SimulatedCase
from simulation.errors import AlreadySynthetic, UnusableInput
from simulation.provenance import ALGORITHM_VERSION, json_sha256

# Synthetic studies carry no real date; the day is the same for all.
_STUDY_DATE = date(2000, 1, 1)


def read_host(
    low_energy: Path,
    recombined: Path,
    *,
    laterality: Laterality | None = None,
    view_position: ViewPosition | None = None,
) -> CEMPair:
    """Read a host pair; laterality and view come from the arguments, else from the low-energy file.

    Raises
    ------
    AlreadySynthetic
        If one of the files is marked synthetic.
    UnusableInput
        If neither argument nor file states laterality or view position.
    imaging.errors.ImagingError
        If a file cannot be read or the two do not belong together.
    """
    for path in (low_energy, recombined):
        if path.is_file() and is_dicom(path) and is_synthetic(read_header(path).dataset):
            raise AlreadySynthetic(
                f"{path.name} is a synthetic image; choose the view it was made from, with another variant"
            )
    stated = read_pixels(low_energy)
    side, view = laterality or stated.laterality, view_position or stated.view_position
    if side is None or view is None:
        raise UnusableInput(
            f"{low_energy.name} does not state its laterality and view position; give both (--laterality, --view)"
        )
    return read_pair(low_energy, recombined, laterality=side, view_position=view)


def write_case(case: SimulatedCase, directory: Path, *, source: Path | None = None) -> dict[str, Path]:
    """Write a simulated case: pair, mask and record.

    12- to 16-bit pairs with known pixel size become DICOM marked synthetic, others PNG. Nothing is overwritten and
    nothing half-written stays.

    Parameters
    ----------
    case : SimulatedCase
    directory : Path
        Made when absent.
    source : Path, optional
        Low-energy host file; its SOP instance is named as the source when it is DICOM.

    Returns
    -------
    dict of str to Path
        Keys ``low_energy``, ``recombined``, ``mask``, ``record``.

    Raises
    ------
    FileExistsError
        If a file of this case is already there.
    """
    directory.mkdir(parents=True, exist_ok=True)
    digest = json_sha256(case.record)
    stem = f"synthetic_{case.pair.laterality}_{case.pair.view_position}_{digest[:12]}"
    with tempfile.TemporaryDirectory(prefix=".case-", dir=directory) as scratch:
        made = _write_images(case, Path(scratch), stem, digest, source)
        made["mask"] = Path(scratch) / f"{stem}_mask.png"
        Image.fromarray(case.mask.astype(np.uint8) * 255).save(made["mask"])
        made["record"] = Path(scratch) / f"{stem}_record.json"
        made["record"].write_text(json.dumps(case.record, indent=1))
        written = {name: directory / path.name for name, path in made.items()}
        for path in written.values():
            if path.exists():
                raise FileExistsError(f"{path.name} is already there; nothing was written")
        for name, path in made.items():
            path.rename(written[name])
    return written


def _write_images(case: SimulatedCase, folder: Path, stem: str, digest: str, source: Path | None) -> dict[str, Path]:
    pair = case.pair
    if pair.spacing_mm is None or pair.bits_stored <= 8:
        made = {}
        for name, image in (("low_energy", pair.low_energy), ("recombined", pair.recombined)):
            made[name] = folder / f"{stem}_{name}.png"
            Image.fromarray(image).save(made[name])
        return made
    sources: dict[ImageRole, tuple[str, str]] | None = None
    if source is not None and is_dicom(source):
        header = read_header(source).dataset
        sources = {"low_energy": (str(header.SOPClassUID), str(header.SOPInstanceUID))}
    written = write_pair(
        pair,
        folder,
        identity=ImageIdentity(
            patient_id=f"SYNTHETIC-{digest[:8]}",
            patient_name="SYNTHETIC^CASE",
            study_date=_STUDY_DATE,
            seed=digest,
        ),
        synthetic=Synthetic(
            derivation=f"Synthetic {case.record['malignancy']} microcalcification cluster inserted",
            software_version=ALGORITHM_VERSION,
            sources=sources,
            record_sha256=digest,
        ),
        stem=stem,
    )
    return {"low_energy": written.low_energy, "recombined": written.recombined}
