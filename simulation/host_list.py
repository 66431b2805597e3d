"""Hosts of a batch: from a CSV file, a phantom set or a folder of DICOM files (docs/formats/hosts.md)."""

from __future__ import annotations

import csv
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from imaging.attributes import text
from imaging.dicom_header import is_dicom, read_header
from imaging.dicom_writing import is_synthetic
from imaging.errors import ImagingError
from imaging.image_kind import ImageKind, classify
from imaging.pair import CEMPair, Laterality, ViewPosition
from imaging.view_facts import laterality, view_position
from simulation.errors import InvalidHostList, UnusableInput
from simulation.files import read_mask

REQUIRED = ("patient", "laterality", "view", "low_energy", "recombined")
LESION_MASKS = ("mask_low_energy", "mask_recombined")
LESION_MARGIN_MM = 10.0
LESION_MARGIN_SHARE = 0.04
"""Of the longer image side, where the pixel size is unknown."""
PHANTOM_SCHEMA = "cemlab.phantom/1"


@dataclass(frozen=True)
class HostView:
    """One view of a host breast.

    Attributes
    ----------
    view : {"CC", "MLO"}
    low_energy, recombined : Path
    exclusion : Path or None
        Mask that the cluster keeps clear of, as it is.
    lesion_masks : tuple of Path
        Masks of known lesions; the cluster keeps 10 mm away.
    """

    view: ViewPosition
    low_energy: Path
    recombined: Path
    exclusion: Path | None = None
    lesion_masks: tuple[Path, ...] = ()


@dataclass(frozen=True)
class HostBreast:
    """The views of one breast, CC before MLO; they take the same cluster.

    Attributes
    ----------
    patient : str
        As the list gives it; use pseudonyms.
    laterality : {"L", "R"}
    views : tuple of HostView
    """

    patient: str
    laterality: Laterality
    views: tuple[HostView, ...]

    @property
    def key(self) -> str:
        """Short hash of patient and laterality: names folders, orders hosts."""
        return hashlib.sha256(json.dumps([self.patient, self.laterality]).encode()).hexdigest()[:12]


def read_hosts(source: Path) -> tuple[HostBreast, ...]:
    """Read the hosts of a batch.

    Parameters
    ----------
    source : Path
        A CSV file; a folder with ``hosts.csv``; a phantom set (its lesion-free views); any other folder of DICOM files,
        paired by their headers.

    Returns
    -------
    tuple of HostBreast
        In the order of their keys, so that the order of lines does not matter.

    Raises
    ------
    InvalidHostList
        With the line and what is wrong with it.
    """
    if source.is_dir():
        if (source / "hosts.csv").is_file():
            found = list(_from_csv(source / "hosts.csv"))
        elif (source / "manifest.json").is_file():
            found = list(_from_phantoms(source / "manifest.json"))
        else:
            found = list(_from_dicom(source))
    elif source.is_file():
        found = list(_from_csv(source))
    else:
        raise InvalidHostList(f"{source.name} is not there; give a CSV file of hosts or a folder")
    views: dict[tuple[str, Laterality], dict[ViewPosition, HostView]] = defaultdict(dict)
    for patient, side, view in found:
        if view.view in views[patient, side]:
            raise InvalidHostList(
                f"the {side} {view.view} view of one patient is given twice ({view.low_energy.name}); "
                "give each view once, and each exam its own name"
            )
        views[patient, side][view.view] = view
    breasts = [
        HostBreast(patient, side, tuple(own[name] for name in sorted(own))) for (patient, side), own in views.items()
    ]
    if not breasts:
        raise InvalidHostList(f"{source.name} holds no host: no pair of a low-energy and a recombined image was found")
    return tuple(sorted(breasts, key=lambda breast: breast.key))


def exclusion_of(view: HostView, pair: CEMPair) -> NDArray[np.bool_] | None:
    """What the cluster must keep clear of in this view; None without masks.

    Raises
    ------
    UnusableInput
        If a mask has another size than the images.
    """
    result: NDArray[np.bool_] | None = None
    for path in (*view.lesion_masks, *((view.exclusion,) if view.exclusion else ())):
        mask = read_mask(path)
        if mask.shape != pair.shape:
            raise UnusableInput(f"a mask of the view is {mask.shape} and its images are {pair.shape}; they must agree")
        if path in view.lesion_masks:
            mask = _widened(mask, pair)
        result = mask if result is None else result | mask
    return result


def _widened(mask: NDArray[np.bool_], pair: CEMPair) -> NDArray[np.bool_]:
    margin = LESION_MARGIN_SHARE * max(pair.shape)
    if pair.spacing_mm is not None:
        margin = LESION_MARGIN_MM / min(pair.spacing_mm)
    distance = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distance <= margin, dtype=bool)


_Found = tuple[str, Laterality, HostView]


def _from_csv(path: Path) -> Iterator[_Found]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [name for name in REQUIRED if name not in (reader.fieldnames or ())]
            if missing:
                raise InvalidHostList(f"{path.name} has no column {', '.join(missing)}; see docs/formats/hosts.md")
            lines = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidHostList(f"{path.name} is not a CSV file in UTF-8") from error
    for number, line in enumerate(lines, start=2):
        values = {name: (value or "").strip() for name, value in line.items() if isinstance(name, str)}
        side, view = values["laterality"].upper(), values["view"].upper()
        if not values["patient"] or side not in ("L", "R") or view not in ("CC", "MLO"):
            raise InvalidHostList(
                f"line {number}: a patient, a laterality (L or R) and a view (CC or MLO) are needed, "
                f"not {side or 'nothing'} {view or 'nothing'}"
            )
        files = {}
        for name in ("low_energy", "recombined", "exclusion", *LESION_MASKS):
            if values.get(name):
                files[name] = path.parent / values[name]
                if not files[name].is_file():
                    raise InvalidHostList(f"line {number}: the {name} file is not there; paths start at the CSV file")
            elif name in REQUIRED:
                raise InvalidHostList(f"line {number}: {name} is empty")
        yield (
            values["patient"],
            cast(Laterality, side),
            HostView(
                cast(ViewPosition, view),
                files["low_energy"],
                files["recombined"],
                files.get("exclusion"),
                tuple(files[name] for name in LESION_MASKS if name in files),
            ),
        )


def _from_phantoms(path: Path) -> Iterator[_Found]:
    try:
        body = json.loads(path.read_text())
    except ValueError as error:
        raise InvalidHostList(f"{path.name} is not JSON") from error
    if not isinstance(body, dict) or body.get("schema") != PHANTOM_SCHEMA:
        raise InvalidHostList(f"{path.name} is no phantom manifest ({PHANTOM_SCHEMA}); give a CSV file of hosts")
    try:
        for patient in body["patients"]:
            for view in patient["views"]:
                if not view["lesions"]:
                    files = path.parent / view["low_energy"], path.parent / view["recombined"]
                    yield patient["patient"], view["laterality"], HostView(view["view"], *files)
    except (KeyError, TypeError) as error:
        raise InvalidHostList(f"{path.name} is no complete phantom manifest; make the phantoms again") from error


def _from_dicom(folder: Path) -> Iterator[_Found]:
    """Pairs by study, laterality and view; what is not of a pair, or synthetic, is passed over."""
    pairs: dict[tuple[str, Laterality, ViewPosition], dict[ImageKind, Path]] = defaultdict(dict)
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or not is_dicom(path):
            continue
        try:
            dataset = read_header(path).dataset
        except ImagingError:
            continue
        kind, side, view = classify(dataset).kind, laterality(dataset), view_position(dataset)
        if kind is ImageKind.UNKNOWN or side is None or view is None or is_synthetic(dataset):
            continue
        # the study tells exams apart without naming anybody
        study = "study-" + hashlib.sha256(text(dataset, "StudyInstanceUID").encode()).hexdigest()[:16]
        of_view = pairs[study, side, view]
        if kind in of_view:
            raise InvalidHostList(
                f"{path.name} and {of_view[kind].name} are both the {kind.value} image of one {side} {view} view; "
                "say in a CSV file which to take"
            )
        of_view[kind] = path
    for (study, side, view), files in pairs.items():
        if len(files) == 2:
            yield study, side, HostView(view, files[ImageKind.LOW_ENERGY], files[ImageKind.RECOMBINED])
