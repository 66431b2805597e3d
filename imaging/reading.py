"""Reading one image or a CEM pair, DICOM or 8-bit, told by content."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from imaging.dicom import decode, is_dicom
from imaging.eight_bit import read_eight_bit
from imaging.errors import PairMismatch, UnreadableFile
from imaging.limits import DEFAULT_LIMITS, Limits
from imaging.pair import CEMPair, HeaderFacts, Laterality, ViewPosition
from imaging.stored_image import StoredImage

__all__ = ["StoredImage", "pair_of", "read_pair", "read_pixels"]


def read_pixels(path: Path, limits: Limits = DEFAULT_LIMITS) -> StoredImage:
    """Read one image.

    Parameters
    ----------
    path : Path
        DICOM, PNG, JPEG or PGM; the content decides, not the name.
    limits : Limits

    Returns
    -------
    StoredImage
        Stored values, brighter = denser.

    Raises
    ------
    ImagingError
        With a message in plain words.
    """
    try:
        dicom = is_dicom(path)
    except OSError as error:
        raise UnreadableFile("The file is not there or may not be read. Choose it again.") from error
    return decode(path, limits) if dicom else read_eight_bit(path, limits)


def read_pair(
    low_energy: Path,
    recombined: Path,
    *,
    laterality: Laterality,
    view_position: ViewPosition,
    spacing_mm: tuple[float, float] | None = None,
) -> CEMPair:
    """Read the two images of a view.

    Parameters
    ----------
    low_energy, recombined : Path
    laterality : {"L", "R"}
    view_position : {"CC", "MLO"}
    spacing_mm : tuple of float, optional
        (row, column) in mm, used where the files state none.

    Returns
    -------
    CEMPair
        With the larger of the two bit depths.

    Raises
    ------
    PairMismatch
        If sizes, spacing, laterality or view position contradict each other.
    ImagingError
        If one of the files cannot be read.
    """
    return pair_of(
        read_pixels(low_energy),
        read_pixels(recombined),
        laterality=laterality,
        view_position=view_position,
        spacing_mm=spacing_mm,
    )


def pair_of(
    first: StoredImage,
    second: StoredImage,
    *,
    laterality: Laterality,
    view_position: ViewPosition,
    spacing_mm: tuple[float, float] | None = None,
) -> CEMPair:
    """Pair of a low-energy and a recombined image that were read before; as `read_pair`.

    Raises
    ------
    PairMismatch
        If sizes, spacing, laterality or view position contradict each other.
    """
    if first.shape != second.shape:
        raise PairMismatch(
            f"The low-energy image has {first.shape[0]} × {first.shape[1]} pixels and the recombined image "
            f"{second.shape[0]} × {second.shape[1]}: the two images of a view must have the same size."
        )
    for name, image in (("low-energy", first), ("recombined", second)):
        if image.laterality is not None and image.laterality != laterality:
            raise PairMismatch(
                f"The {name} image says it shows the {_side(image.laterality)} breast, the view is filed under "
                f"{_side(laterality)}. Correct the laterality of the view."
            )
        if image.view_position is not None and image.view_position != view_position:
            raise PairMismatch(
                f"The {name} image says it is a {image.view_position} view, it is filed under {view_position}. "
                "Correct the view position."
            )
    if first.spacing_mm and second.spacing_mm and not np.allclose(first.spacing_mm, second.spacing_mm, rtol=0.01):
        raise PairMismatch("The two images of the view state different pixel spacing. Check that they belong together.")
    return CEMPair(
        first.pixels,
        second.pixels,
        laterality,
        view_position,
        first.spacing_mm or second.spacing_mm or spacing_mm,
        max(first.bits_stored, second.bits_stored),
        first.vendor if first.vendor != "unknown" else second.vendor,
        HeaderFacts(
            chest_wall=first.chest_wall,
            implant=True if second.implant else first.implant,
            padding=first.padding,
            notes=(
                *(
                    f"{name} image: {note}"
                    for name, image in (("low-energy", first), ("recombined", second))
                    for note in image.notes
                ),
                *_depths(first, second),
            ),
        ),
    )


def _depths(first: StoredImage, second: StoredImage) -> tuple[str, ...]:
    if first.bits_stored == second.bits_stored:
        return ()
    return (
        f"the low-energy image has {first.bits_stored} bits and the recombined image {second.bits_stored}: both are "
        "taken on the larger scale, where the other uses its lower part only",
    )


def _side(laterality: Laterality) -> str:
    return "left" if laterality == "L" else "right"
