"""Written views are valid DICOM, repeatable, and shown as their windows say."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from imaging import htj2k
from imaging.dicom_writing import ImageIdentity, Synthetic, is_synthetic, write_pair
from imaging.pair import CEMPair
from imaging.reading import read_pixels
from imaging.rendering import display_window, picture, thumbnail_of, to_uint8
from imaging.stored_image import VoiLut, VoiWindow

Write = Callable[..., Path]

# Type 1 attributes of the Digital Mammography X-Ray Image IOD (PS3.3 A.26.2) that are not conditional.
REQUIRED = [
    "Modality",
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "PresentationIntentType",
    "ImageType",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelData",
    "PixelIntensityRelationship",
    "PixelIntensityRelationshipSign",
    "RescaleIntercept",
    "RescaleSlope",
    "RescaleType",
    "PresentationLUTShape",
    "LossyImageCompression",
    "BurnedInAnnotation",
    "ImageLaterality",
    "InstanceNumber",
    "PositionerType",
    "OrganExposed",
    "ImagerPixelSpacing",
    "AnatomicRegionSequence",
    "ViewCodeSequence",
    "DetectorType",
]
# Type 2: must be there, may be empty.
PRESENT = [
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "StudyID",
    "AccessionNumber",
    "SeriesNumber",
    "Manufacturer",
    "PatientOrientation",
    "AcquisitionContextSequence",
]


def test_written_images_carry_every_required_attribute(write: Write) -> None:
    dataset = pydicom.dcmread(write())
    assert [name for name in REQUIRED if dataset.get(name) in (None, "")] == []
    assert [name for name in PRESENT if name not in dataset] == []
    assert dataset.ViewCodeSequence[0].CodeValue == "399368009"
    assert "ViewModifierCodeSequence" in dataset.ViewCodeSequence[0]
    assert list(dataset.PatientOrientation) == ["A", "FR"]


def test_the_same_call_writes_the_same_bytes(pair: CEMPair, identity: ImageIdentity, tmp_path: Path) -> None:
    first = write_pair(pair, tmp_path / "a", identity=identity)
    second = write_pair(pair, tmp_path / "b", identity=identity)
    assert first.low_energy.read_bytes() == second.low_energy.read_bytes()
    assert first.sop_uids["low_energy"] != first.sop_uids["recombined"]
    assert pydicom.dcmread(first.low_energy).StudyInstanceUID == pydicom.dcmread(first.recombined).StudyInstanceUID


def test_synthetic_images_are_marked_in_several_ways(
    pair: CEMPair, identity: ImageIdentity, write: Write, tmp_path: Path
) -> None:
    made = write_pair(
        pair, tmp_path, identity=identity, synthetic=Synthetic("A cluster was inserted", record_sha256="ab")
    )
    dataset = pydicom.dcmread(made.low_energy)
    assert is_synthetic(dataset)
    assert dataset.ImageType[0] == "DERIVED"
    assert dataset.SeriesDescription.startswith("SYNTHETIC")
    assert dataset.DerivationDescription == "A cluster was inserted"
    dataset.remove_private_tags()
    assert is_synthetic(dataset)
    assert not is_synthetic(pydicom.dcmread(write()))


def test_a_pair_without_spacing_or_with_values_out_of_range_is_not_written(
    pair: CEMPair, identity: ImageIdentity, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="spacing"):
        write_pair(CEMPair(pair.low_energy, pair.recombined, "L", "CC", None, 12), tmp_path, identity=identity)
    with pytest.raises(ValueError, match="between 0 and 255"):
        write_pair(CEMPair(pair.low_energy, pair.recombined, "L", "CC", (0.1, 0.1), 8), tmp_path, identity=identity)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_windows_mean_the_same_for_both_photometric_interpretations(
    photometric: str, write: Write, pair: CEMPair
) -> None:
    image = read_pixels(write(photometric=photometric))
    assert display_window(image.pixels, 12, voi=image.windows[0]) == pytest.approx(display_window(pair.low_energy, 12))
    assert np.array_equal(picture(image), to_uint8(pair.low_energy, bits_stored=12))


def test_linear_windows_follow_the_standard() -> None:
    pixels = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    window = VoiWindow(centre=2048, width=1024)
    x = np.arange(4096, dtype=float)
    # PS3.3 C.11.2.1.2.1 with output 0..255.
    expected = ((x - (2048 - 0.5)) / (1024 - 1) + 0.5) * 255
    expected[x <= 2048 - 0.5 - 1023 / 2] = 0
    expected[x > 2048 - 0.5 + 1023 / 2] = 255
    assert np.array_equal(to_uint8(pixels, voi=window).ravel(), np.rint(expected).astype(np.uint8))


def test_sigmoid_windows_follow_the_standard() -> None:
    pixels = np.array([[0, 1000, 2000, 3000, 4095]], dtype=np.uint16)
    expected = 255 / (1 + np.exp(-4 * (pixels - 2000.0) / 900))
    assert np.array_equal(to_uint8(pixels, voi=VoiWindow(2000, 900, "SIGMOID")), np.rint(expected).astype(np.uint8))


def test_tables_clamp_at_both_ends() -> None:
    lut = VoiLut(10, np.array([0, 0.5, 1], dtype=np.float32))
    assert to_uint8(np.array([[0, 10, 11, 12, 99]], np.uint16), voi=lut).tolist() == [[0, 0, 128, 255, 255]]


@pytest.mark.parametrize("size", [(200, 260), (64, 64), (1, 1)])
def test_thumbnails_fill_a_fixed_box_and_keep_the_aspect(size: tuple[int, int], write: Write) -> None:
    made = Image.open(io.BytesIO(thumbnail_of(read_pixels(write()), size)))
    assert made.size == size
    assert made.mode == "L"
    if size == (200, 260):
        shown = np.asarray(made)
        assert not shown[:10].any()  # 400 × 480 in 200 × 260: ten black rows above and below
        assert shown[15:-15].any()


@given(arrays(st.sampled_from([np.uint8, np.uint16]), array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40)))
@settings(max_examples=60, deadline=None)
def test_htj2k_frames_lose_nothing(pixels: np.ndarray) -> None:
    assert np.array_equal(htj2k.decode(htj2k.encode(pixels)), pixels)


def test_htj2k_frames_are_what_their_label_says(pair: CEMPair) -> None:
    data = htj2k.encode(pair.low_energy)
    position = data.index(b"\xff\x52")
    assert data[position + 5] == 2  # COD marker: progression order RPCL
    assert data[position + 9] == 5  # decomposition levels
    assert htj2k.TRANSFER_SYNTAX.endswith(".202")
    with pytest.raises(ValueError, match="uint8 or uint16"):
        htj2k.encode(pair.low_energy.astype(np.int32))
