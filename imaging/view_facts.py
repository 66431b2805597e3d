"""Laterality, view position and pixel spacing of a mammogram, from its coded attributes."""

from __future__ import annotations

from pydicom.dataset import Dataset

from imaging.attributes import codes, items, numbers, text
from imaging.pair import Laterality, Side, ViewPosition
from imaging.vendor import vendor_profile

# DICOM CID 4014, in SNOMED-RT and SCT codes.
_VIEW_CODES: dict[str, ViewPosition] = {
    "R-10242": "CC",
    "399162004": "CC",
    "R-10226": "MLO",
    "399368009": "MLO",
}
# DICOM CID 4015: modifiers that make a view unfit as a whole-breast view.
MODIFIERS_REFUSED: dict[str, str] = {
    "R-102D6": "a magnification view",
    "399163009": "a magnification view",
    "R-102D7": "a spot compression view",
    "399055006": "a spot compression view",
    "R-102C2": "a tangential view",
    "399265006": "a tangential view",
}
_LARGEST_MAGNIFICATION = 1.5
_SMALLEST_SPACING, _LARGEST_SPACING = 0.01, 1.0


def laterality(dataset: Dataset) -> Laterality | None:
    """Side of the breast from Image Laterality (0020,0062), else Laterality (0020,0060); None when not L or R."""
    for keyword in ("ImageLaterality", "Laterality"):
        found = text(dataset, keyword).upper()
        if found in ("L", "R"):
            return "L" if found == "L" else "R"
    return None


def view_position(dataset: Dataset) -> ViewPosition | None:
    """CC or MLO from View Code Sequence (0054,0220), else View Position (0018,5101); None for any other view."""
    for code in codes(dataset, "ViewCodeSequence"):
        return _VIEW_CODES.get(code)
    position = text(dataset, "ViewPosition").upper()
    if position in ("CC", "MLO"):
        return "CC" if position == "CC" else "MLO"
    return None


def chest_wall(dataset: Dataset) -> Side | None:
    """Side of the image on which Patient Orientation (0020,0020) puts the chest wall; None when it does not say.

    The first value names the direction in which the rows run: towards anterior means a chest wall on the left.
    """
    direction = text(dataset, "PatientOrientation").upper()
    if ("A" in direction) == ("P" in direction):
        return None
    return "left" if "A" in direction else "right"


def implant(dataset: Dataset) -> bool | None:
    """Breast Implant Present (0028,1300); None when it does not say."""
    return {"YES": True, "NO": False}.get(text(dataset, "BreastImplantPresent").upper())


def refused_modifier(dataset: Dataset) -> str | None:
    """Plain words for a view modifier that makes this a partial view; None for a whole-breast view."""
    for view in items(dataset, "ViewCodeSequence"):
        for code in codes(view, "ViewModifierCodeSequence"):
            if code in MODIFIERS_REFUSED:
                return MODIFIERS_REFUSED[code]
    magnification = numbers(dataset, "EstimatedRadiographicMagnificationFactor")
    if magnification and magnification[0] >= _LARGEST_MAGNIFICATION:
        return "a magnification view"
    return None


def pixel_spacing(dataset: Dataset) -> tuple[tuple[float, float] | None, str]:
    """Distance of pixel centres in the breast, (row, column) in mm, and where it was found.

    Imager Pixel Spacing divided by the Estimated Radiographic Magnification Factor (DICOM PS3.3 10.7.1.2); else Pixel
    Spacing; else the detector pitch the system is known for; else (None, "").
    """
    imager = _spacing(numbers(dataset, "ImagerPixelSpacing"))
    if imager is not None:
        magnification = numbers(dataset, "EstimatedRadiographicMagnificationFactor")
        if magnification and 1.0 <= magnification[0] <= 3.0:
            factor = magnification[0]
            source = "ImagerPixelSpacing / EstimatedRadiographicMagnificationFactor"
            return (imager[0] / factor, imager[1] / factor), source
        return imager, "ImagerPixelSpacing"
    plain = _spacing(numbers(dataset, "PixelSpacing"))
    if plain is not None:
        return plain, "PixelSpacing"
    profile = vendor_profile(dataset)
    if profile.spacing_mm is not None:
        return (profile.spacing_mm, profile.spacing_mm), f"vendor table ({profile.key})"
    return None, ""


def _spacing(found: list[float]) -> tuple[float, float] | None:
    if len(found) != 2 or not all(_SMALLEST_SPACING <= value <= _LARGEST_SPACING for value in found):
        return None
    return found[0], found[1]
