"""Modules of a mammography header that follow from a view and its pixels: equipment, geometry, image (PS3.3 A.26.2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from imaging.pair import CEMPair
from imaging.rendering import display_window


@dataclass(frozen=True)
class _System:
    manufacturer: str
    model: str
    anode: str
    filter: str
    kilovolts: str
    detector: str


_SYSTEMS: dict[str, _System] = {
    "ge-essential": _System("GE MEDICAL SYSTEMS", "Senographe Essential", "RHODIUM", "RHODIUM", "29", "SCINTILLATOR"),
    "ge-pristina": _System("GE MEDICAL SYSTEMS", "Senographe Pristina", "RHODIUM", "SILVER", "34", "SCINTILLATOR"),
    "hologic": _System("HOLOGIC, Inc.", "Selenia Dimensions", "TUNGSTEN", "SILVER", "32", "DIRECT"),
    "siemens": _System("SIEMENS", "MAMMOMAT Revelation", "TUNGSTEN", "RHODIUM", "29", "DIRECT"),
    # digital phantoms say what they are; the beams are those they were computed with
    "phantom-a": _System("CEMLab", "Phantom A", "RHODIUM", "RHODIUM", "29", "SCINTILLATOR"),
    "phantom-b": _System("CEMLab", "Phantom B", "RHODIUM", "SILVER", "34", "SCINTILLATOR"),
}

# SNOMED CT codes of DICOM CID 4014.
_VIEW_CODE = {"CC": ("399162004", "cranio-caudal"), "MLO": ("399368009", "medio-lateral oblique")}
_ORIENTATION = {
    ("L", "CC"): ["A", "R"],
    ("R", "CC"): ["P", "L"],
    ("L", "MLO"): ["A", "FR"],
    ("R", "MLO"): ["P", "FL"],
}
_INSTANCE = {("R", "CC"): 1, ("L", "CC"): 2, ("R", "MLO"): 3, ("L", "MLO"): 4}


def add_equipment(dataset: Dataset, vendor: str, *, recombined: bool) -> None:
    """Write system, X-ray beam and contrast agent; a vendor without values of its own gets those of GE."""
    system = _SYSTEMS.get(vendor, _SYSTEMS["ge-essential"])
    dataset.Manufacturer = system.manufacturer
    dataset.ManufacturerModelName = system.model
    dataset.SoftwareVersions = "CEMLAB"
    dataset.DeviceSerialNumber = "0"
    dataset.KVP = system.kilovolts
    dataset.AnodeTargetMaterial = system.anode
    dataset.FilterMaterial = system.filter
    dataset.FilterType = "STRIP"
    dataset.Grid = ["RECIPROCATING", "FOCUSED"]
    dataset.DetectorType = system.detector
    dataset.DetectorConfiguration = "AREA"
    dataset.DetectorConditionsNominalFlag = "YES"
    dataset.AcquisitionDeviceProcessingDescription = "CEM" if recombined else "PREMIUM_VIEW"
    dataset.ExposureControlMode = "AUTOMATIC"
    dataset.ExposureStatus = "NORMAL"
    dataset.ContrastBolusAgent = "Iodinated contrast agent"
    dataset.ContrastBolusRoute = "INTRAVENOUS"
    dataset.AcquisitionContextSequence = Sequence()


def add_geometry(dataset: Dataset, pair: CEMPair, *, breast_implant: bool) -> None:
    """Write breast, view, position and pixel spacing (mm; rows, columns)."""
    rows, columns = pair.shape
    row_mm, column_mm = pair.spacing_mm or (0.0, 0.0)
    key = (pair.laterality, pair.view_position)
    dataset.BodyPartExamined = "BREAST"
    dataset.AnatomicRegionSequence = Sequence([code_item("76752008", "SCT", "Breast")])
    dataset.ImageLaterality = pair.laterality
    dataset.ViewPosition = pair.view_position
    view = code_item(_VIEW_CODE[pair.view_position][0], "SCT", _VIEW_CODE[pair.view_position][1])
    view.ViewModifierCodeSequence = Sequence()
    dataset.ViewCodeSequence = Sequence([view])
    dataset.PatientOrientation = _ORIENTATION[key]
    dataset.InstanceNumber = _INSTANCE[key]
    dataset.PositionerType = "MAMMOGRAPHIC"
    dataset.PositionerPrimaryAngle = "0" if pair.view_position == "CC" else "45"
    dataset.DistanceSourceToDetector = "660"
    dataset.DistanceSourceToPatient = "660"
    dataset.EstimatedRadiographicMagnificationFactor = "1"
    dataset.ImagerPixelSpacing = [_decimal_string(row_mm), _decimal_string(column_mm)]
    dataset.FieldOfViewShape = "RECTANGLE"
    dataset.FieldOfViewDimensions = [max(1, round(rows * row_mm)), max(1, round(columns * column_mm))]
    dataset.PartialView = "NO"
    dataset.OrganExposed = "BREAST"
    dataset.BreastImplantPresent = "YES" if breast_implant else "NO"


def add_pixels(
    dataset: Dataset,
    pixels: np.ndarray,
    bits_stored: int,
    photometric: str,
    window: tuple[float, float] | None,
) -> None:
    """Write the pixels with all that says how they are shown.

    Parameters
    ----------
    pixels : ndarray of integers, shape (rows, columns)
        Brighter = denser.
    bits_stored : int
    photometric : {"MONOCHROME1", "MONOCHROME2"}
        With MONOCHROME1 the stored values are inverted.
    window : (low, high), optional
        Values shown black and white; from the pixels when None.

    Raises
    ------
    ValueError
        If a value lies outside the bits.
    """
    maximum = 2**bits_stored - 1
    if pixels.size and (int(pixels.min()) < 0 or int(pixels.max()) > maximum):
        raise ValueError(f"pixel values must lie between 0 and {maximum} for {bits_stored} bits stored")
    allocated = 8 if bits_stored <= 8 else 16
    low, high = window or display_window(pixels, bits_stored)
    stored = pixels.astype(np.uint8 if allocated == 8 else "<u2", copy=False)
    if photometric == "MONOCHROME1":
        stored = (maximum - stored).astype(stored.dtype)
        low, high = maximum - high, maximum - low
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = photometric
    dataset.Rows, dataset.Columns = (int(side) for side in pixels.shape)
    dataset.BitsAllocated = allocated
    dataset.BitsStored = bits_stored
    dataset.HighBit = bits_stored - 1
    dataset.PixelRepresentation = 0
    dataset.PixelIntensityRelationship = "LOG"
    dataset.PixelIntensityRelationshipSign = 1 if photometric == "MONOCHROME1" else -1
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = "0", "1", "US"
    # LINEAR window: black at centre − 0.5 − (width − 1) / 2, white at the same distance above (PS3.3 C.11.2.1.2.1).
    dataset.WindowCenter = _decimal_string((low + high) / 2 + 0.5)
    dataset.WindowWidth = _decimal_string(max(1.0, high - low + 1))
    dataset.WindowCenterWidthExplanation = "NORMAL"
    dataset.VOILUTFunction = "LINEAR"
    dataset.PresentationLUTShape = "INVERSE" if photometric == "MONOCHROME1" else "IDENTITY"
    dataset.LossyImageCompression = "00"
    dataset.BurnedInAnnotation = "NO"
    dataset.QualityControlImage = "NO"
    data = np.ascontiguousarray(stored).tobytes()
    dataset.add_new(0x7FE00010, "OB" if allocated == 8 else "OW", data + b"\x00" * (len(data) % 2))


def code_item(value: str, scheme: str, meaning: str) -> Dataset:
    """Item of a code sequence."""
    item = Dataset()
    item.CodeValue = value
    item.CodingSchemeDesignator = scheme
    item.CodeMeaning = meaning
    return item


def _decimal_string(number: float) -> str:
    """A decimal string of at most 16 characters."""
    for digits in range(12, 0, -1):
        result = f"{number:.{digits}g}"
        if len(result) <= 16:
            return result
    raise ValueError(f"{number} cannot be written as a decimal string")
