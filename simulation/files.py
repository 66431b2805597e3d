"""Reading a host from files and writing a simulated case, for the command line and for batch work."""

from __future__ import annotations

import hashlib
import json
import tempfile
from dataclasses import replace
from datetime import date
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imaging.breast import breast_mask, chest_wall_side
from imaging.dicom_writing import ImageIdentity, ImageRole, Synthetic, write_pair
from imaging.errors import PairMismatch
from imaging.pair import CEMPair, Laterality, ViewPosition
from imaging.reading import StoredImage, pair_of, read_pixels
from imaging.rendering import display_window
from simulation.case import SimulatedCase
from simulation.errors import MismatchedPair, ViewNotStated
from simulation.header_gate import check_pair
from simulation.host_source import HostSource, read_source
from simulation.provenance import ALGORITHM_VERSION, json_sha256

# Synthetic studies carry no real date; the day is the same for all.
_STUDY_DATE = date(2000, 1, 1)


def read_host(
    low_energy: Path,
    recombined: Path,
    *,
    laterality: Laterality | None = None,
    view_position: ViewPosition | None = None,
) -> tuple[CEMPair, HostSource]:
    """Read a host pair; laterality and view come from the arguments, else from the files.

    Returns
    -------
    pair : CEMPair
    source : HostSource
        What the headers say, for `simulate` and `write_case`.

    Raises
    ------
    AlreadySynthetic
        If one of the files is marked synthetic.
    UnsuitableView, WrongImageKind, InvertedImage, MismatchedPair
        If the headers say that this is no host (`simulation.header_gate`).
    ViewNotStated
        If neither argument nor file states the view position. A missing laterality is taken from the pixels.
    imaging.errors.ImagingError
        If a file cannot be read.
    """
    notes = check_pair(low_energy, recombined)
    source = read_source(low_energy, recombined)
    first, second = read_pixels(low_energy), read_pixels(recombined)
    for role, image in _roles(first, second):
        if image.windows:
            source.windows[role] = display_window(image.pixels, image.bits_stored, voi=image.windows[0])
    view = view_position or first.view_position or second.view_position
    if view is None:
        raise ViewNotStated("the files do not state their view position; give it (--view)")
    side = laterality or first.laterality or second.laterality
    if side is None:
        side = "L" if chest_wall_side(breast_mask(first.pixels)) == "left" else "R"
        notes += (f"no laterality stated: {side} from the side of the chest wall",)
    try:
        pair = pair_of(first, second, laterality=side, view_position=view)
    except PairMismatch as error:
        raise MismatchedPair(error.message) from error
    return replace(pair, facts=replace(pair.facts, notes=pair.facts.notes + notes)), source


def _roles(first: StoredImage, second: StoredImage) -> tuple[tuple[ImageRole, StoredImage], ...]:
    return ("low_energy", first), ("recombined", second)


def read_mask(path: Path) -> NDArray[np.bool_]:
    """Mask from an image file: pixels above half of its largest value; shape (rows, columns)."""
    pixels = read_pixels(path).pixels
    return np.asarray(pixels > pixels.max() / 2, dtype=bool)


def write_case(
    case: SimulatedCase, directory: Path, *, source: HostSource | None = None, study: str | None = None
) -> dict[str, Path]:
    """Write a simulated case: pair, mask and record.

    12- to 16-bit pairs with known pixel size become DICOM marked synthetic, others PNG. Nothing is overwritten. The
    record comes last: where it is, the other files are complete.

    Parameters
    ----------
    case : SimulatedCase
    directory : Path
        Made when absent.
    source : HostSource, optional
        Of the host; its SOP instances are named as the source and its photometric interpretation is kept.
    study : str, optional
        Views with the same text become one study of one synthetic patient; other cases must have another text.

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
        made = _write_images(case, Path(scratch), stem, digest, source, study)
        made["mask"] = Path(scratch) / f"{stem}_mask.png"
        _write_mask(case.mask, made["mask"])
        made["record"] = Path(scratch) / f"{stem}_record.json"
        made["record"].write_text(json.dumps(case.record, indent=1))
        written = {name: directory / path.name for name, path in made.items()}
        for path in written.values():
            if path.exists():
                raise FileExistsError(f"{path.name} is already there; nothing was written")
        for name, path in made.items():
            path.rename(written[name])
    return written


def _write_mask(mask: NDArray[np.bool_], path: Path) -> None:
    """One bit for each pixel, quickly: nearly all of them are 0."""
    options = [cv2.IMWRITE_PNG_BILEVEL, 1, cv2.IMWRITE_PNG_COMPRESSION, 1]
    if not cv2.imwrite(str(path), mask.view(np.uint8) * np.uint8(255), options):
        raise OSError(f"{path.name} could not be written")


def _write_images(
    case: SimulatedCase, folder: Path, stem: str, digest: str, source: HostSource | None, study: str | None
) -> dict[str, Path]:
    pair = case.pair
    if pair.spacing_mm is None or pair.bits_stored <= 8:
        made = {}
        for name, image in (("low_energy", pair.low_energy), ("recombined", pair.recombined)):
            made[name] = folder / f"{stem}_{name}.png"
            Image.fromarray(image).save(made[name])
        return made
    identity = digest if study is None else hashlib.sha256(study.encode()).hexdigest()
    made_of = "control without a lesion" if case.record["insertion"] == "off" else "microcalcification cluster inserted"
    written = write_pair(
        pair,
        folder,
        identity=ImageIdentity(
            patient_id=f"SYNTHETIC-{identity[:8]}",
            patient_name="SYNTHETIC^CASE",
            study_date=_STUDY_DATE,
            seed=identity,
        ),
        photometric="MONOCHROME2" if source is None else source.photometric,
        synthetic=Synthetic(
            derivation=f"Synthetic {case.record['malignancy']} {made_of}",
            software_version=ALGORITHM_VERSION,
            sources=None if source is None else source.references,
            record_sha256=digest,
        ),
        stem=stem,
        windows=None if source is None else source.windows,
    )
    return {"low_energy": written.low_energy, "recombined": written.recombined}
