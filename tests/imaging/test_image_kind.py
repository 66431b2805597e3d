"""Low-energy and recombined are told by coded attributes, never by names or descriptions."""

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from imaging.image_kind import ImageKind, classify

MG = "1.2.840.10008.5.1.4.1.1.1.2"


def header(*image_type: str, **attributes: object) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.Modality, dataset.PresentationIntentType = MG, "MG", "FOR PRESENTATION"
    dataset.ImageType = list(image_type)
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


@pytest.mark.parametrize(
    ("image_type", "vendor", "kind", "rule"),
    [
        (("DERIVED", "PRIMARY", "POST_CONTRAST", "SUBTRACTION"), "", ImageKind.RECOMBINED, "value 4"),
        (("ORIGINAL", "PRIMARY", "POST_CONTRAST", "", "LOW_ENERGY"), "", ImageKind.LOW_ENERGY, "value 5"),
        (("DERIVED", "PRIMARY", "", "RECOMBINED"), "GE MEDICAL SYSTEMS", ImageKind.RECOMBINED, "vendor table (ge)"),
        (("DERIVED", "PRIMARY", "LOW_ENERGY"), "GE HEALTHCARE", ImageKind.LOW_ENERGY, "vendor table (ge)"),
        (("DERIVED", "PRIMARY", "SUBTRACTION"), "HOLOGIC, Inc.", ImageKind.RECOMBINED, "vendor table (hologic)"),
        (("DERIVED", "PRIMARY", "", "RECOMBINED"), "ACME", ImageKind.UNKNOWN, "none"),
        (("ORIGINAL", "PRIMARY"), "GE MEDICAL SYSTEMS", ImageKind.UNKNOWN, "none"),
        ((), "", ImageKind.UNKNOWN, "none"),
        # no maker whose name only ends like one: the words of a vendor's table are its own
        (("DERIVED", "PRIMARY", "", "RECOMBINED"), "ACME IMAGE WORKS", ImageKind.UNKNOWN, "none"),
    ],
)
def test_kinds(image_type: tuple, vendor: str, kind: ImageKind, rule: str) -> None:
    found = classify(header(*image_type, Manufacturer=vendor))
    assert found.kind is kind
    assert rule in found.rule
    assert found.reason
    assert not found.refused


def test_descriptions_decide_nothing() -> None:
    described = header("ORIGINAL", "PRIMARY", SeriesDescription="RECOMBINED L CC", StudyDescription="LOW_ENERGY")
    assert classify(described).kind is ImageKind.UNKNOWN


def with_modifier(code: str) -> Dataset:
    modifier, view = Dataset(), Dataset()
    modifier.CodeValue, view.CodeValue = code, "399162004"
    view.ViewModifierCodeSequence = Sequence([modifier])
    return header("ORIGINAL", "PRIMARY", "", "", "LOW_ENERGY", ViewCodeSequence=Sequence([view]))


@pytest.mark.parametrize(
    ("dataset", "words"),
    [
        (header("ORIGINAL", "PRIMARY", "POST_CONTRAST", "", "HIGH_ENERGY"), "high-energy"),
        (header("ORIGINAL", "PRIMARY", "TOMOSYNTHESIS"), "tomosynthesis"),
        (header("ORIGINAL", "PRIMARY", SOPClassUID="1.2.840.10008.5.1.4.1.1.13.1.3"), "tomosynthesis"),
        (header("DERIVED", "PRIMARY", "STEREO", "LEFT"), "biopsy"),
        (header("ORIGINAL", "PRIMARY", "", "SPECIMEN"), "specimen"),
        (header("ORIGINAL", "PRIMARY", EstimatedRadiographicMagnificationFactor="1.8"), "magnification"),
        (with_modifier("R-102D7"), "spot"),
        (with_modifier("399163009"), "magnification"),
        (header("ORIGINAL", "PRIMARY", PresentationIntentType="FOR PROCESSING"), "FOR PROCESSING"),
        (header("ORIGINAL", "PRIMARY", Modality="CT"), "Modality"),
        (header("ORIGINAL", "PRIMARY", SOPClassUID="1.2.840.10008.5.1.4.1.1.7"), "not a digital mammography"),
    ],
)
def test_images_that_are_no_whole_breast_view_are_refused_with_the_reason(dataset: Dataset, words: str) -> None:
    found = classify(dataset)
    assert found.refused
    assert found.kind is ImageKind.UNKNOWN
    assert words in found.reason


def test_the_real_files_are_told_apart(shared_data: object) -> None:
    folder = shared_data / "dicom-mg"  # type: ignore[operator]
    stereo = pydicom.dcmread(folder / "siemens_stereo_crop_out_of_bounds_overlay.dcm", stop_before_pixels=True)
    film = pydicom.dcmread(folder / "nema_digitised_film_j2k.dcm", stop_before_pixels=True)
    assert classify(stereo).rule == "biopsy"
    assert classify(film).rule == "modality"
