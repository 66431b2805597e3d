"""What the headers of two files must say before their pixels are read as a host."""

from __future__ import annotations

from pathlib import Path

from pydicom.dataset import Dataset

from imaging.attributes import codes, items, numbers, text
from imaging.dicom_header import is_dicom, read_header
from imaging.dicom_writing import is_synthetic
from imaging.errors import UnreadableFile
from imaging.image_kind import ImageKind, classify
from imaging.view_facts import laterality, view_position
from simulation.errors import AlreadySynthetic, InvertedImage, MismatchedPair, UnsuitableView, WrongImageKind

MOST_MAGNIFIED = 1.2

_ROLES = {"low-energy": ImageKind.LOW_ENERGY, "recombined": ImageKind.RECOMBINED}
_WORDS = {ImageKind.LOW_ENERGY: "low-energy", ImageKind.RECOMBINED: "recombined"}


def check_pair(low_energy: Path, recombined: Path) -> tuple[str, ...]:
    """Refuse files that are no host by their headers; pictures without a header pass.

    Parameters
    ----------
    low_energy, recombined : Path

    Returns
    -------
    tuple of str
        What the headers leave open, in sentences for the record.

    Raises
    ------
    AlreadySynthetic, UnsuitableView, WrongImageKind, InvertedImage, MismatchedPair
    imaging.errors.ImagingError
        If a header cannot be read.
    """
    headers, notes = {}, []
    for role, path in (("low-energy", low_energy), ("recombined", recombined)):
        try:
            dicom = is_dicom(path)
        except OSError as error:
            raise UnreadableFile("The file is not there or may not be read. Choose it again.") from error
        if not dicom:
            notes.append(f"{role} image: a picture without header")
            continue
        headers[role] = read_header(path).dataset
        notes += _check_one(role, headers[role])
    if len(headers) == 2:
        _check_together(headers["low-energy"], headers["recombined"])
    return tuple(notes)


def _check_one(role: str, dataset: Dataset) -> list[str]:
    if is_synthetic(dataset):
        raise AlreadySynthetic(
            f"the {role} file is a synthetic image; choose the view it was made from, with another variant"
        )
    kind = classify(dataset)
    if kind.refused:
        refusal = WrongImageKind if kind.rule == "high energy" else UnsuitableView
        raise refusal(f"the {role} file cannot be used: {kind.reason}")
    if kind.kind is not ImageKind.UNKNOWN and kind.kind is not _ROLES[role]:
        raise WrongImageKind(
            f"the file given as {role} is the {_WORDS[kind.kind]} image ({kind.reason}); exchange the two"
        )
    magnification = numbers(dataset, "EstimatedRadiographicMagnificationFactor")
    if magnification and magnification[0] > MOST_MAGNIFIED:
        raise UnsuitableView(
            f"the {role} file is magnified {magnification[0]:g} times (0018,1114); at most {MOST_MAGNIFIED} is a "
            "whole-breast view"
        )
    stated = text(dataset, "ViewPosition").upper() or "".join(
        text(view, "CodeMeaning") for view in items(dataset, "ViewCodeSequence")
    )
    if (stated or codes(dataset, "ViewCodeSequence")) and view_position(dataset) is None:
        raise UnsuitableView(f"the {role} file shows another view than CC or MLO ({stated[:16] or 'by its code'})")
    _refuse_contradiction(role, dataset)
    if kind.kind is ImageKind.UNKNOWN:
        return [f"{role} image: the header does not tell which image of the pair it is"]
    return []


def _refuse_contradiction(role: str, dataset: Dataset) -> None:
    """Presentation LUT Shape must be INVERSE with MONOCHROME1 and IDENTITY with MONOCHROME2 (PS3.3 C.8.11.7)."""
    photometric = text(dataset, "PhotometricInterpretation").upper()
    shape = text(dataset, "PresentationLUTShape").upper()
    expected = {"MONOCHROME1": "INVERSE", "MONOCHROME2": "IDENTITY"}.get(photometric)
    if shape in ("INVERSE", "IDENTITY") and expected is not None and shape != expected:
        raise InvertedImage(
            f"the {role} file is {photometric} with Presentation LUT Shape {shape} (2050,0020); {expected} belongs to "
            "it, so black and white are in doubt. Export the image again"
        )


def _check_together(first: Dataset, second: Dataset) -> None:
    for keyword, words in (("StudyInstanceUID", "study"), ("Rows", "number of rows"), ("Columns", "number of columns")):
        one, other = text(first, keyword), text(second, keyword)
        if one and other and one != other:
            raise MismatchedPair(f"the two files differ in {words}; give the two images of one exposure")
    for name, told in (("laterality", laterality), ("view position", view_position)):
        pair = {told(first), told(second)} - {None}
        if len(pair) > 1:
            raise MismatchedPair(f"the two files differ in {name}; give the two images of one exposure")
