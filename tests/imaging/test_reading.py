"""Every way a mammogram can be stored gives the same pixels; what cannot be taken is refused in plain words."""

from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from imaging.dicom import decode
from imaging.dicom_writing import write_pair
from imaging.errors import PairMismatch, TooLarge, UnreadableFile, UnsupportedPixels
from imaging.pair import CEMPair
from imaging.reading import pair_of, read_pair, read_pixels
from imaging.stored_image import StoredImage
from tests.imaging.written_files import Write, changed

NATIVE = {
    "implicit little endian": ImplicitVRLittleEndian,
    "explicit little endian": ExplicitVRLittleEndian,
    "explicit big endian": ExplicitVRBigEndian,
    "deflated": DeflatedExplicitVRLittleEndian,
}


@pytest.mark.parametrize("name", NATIVE)
def test_native_transfer_syntaxes_give_the_same_pixels(name: str, write: Write, pair: CEMPair, tmp_path: Path) -> None:
    written = pydicom.dcmread(write())
    # A plain data set has no encoding of its own yet, so that it may be written in any.
    dataset = Dataset(written)
    dataset.file_meta = written.file_meta
    if name == "explicit big endian":
        dataset.PixelData = pair.low_energy.astype(">u2").tobytes()
    dataset.file_meta.TransferSyntaxUID = NATIVE[name]
    path = tmp_path / "native.dcm"
    dataset.save_as(
        path,
        implicit_vr=name.startswith("implicit"),
        little_endian=name != "explicit big endian",
        enforce_file_format=True,
    )
    image = decode(path)
    assert np.array_equal(image.pixels, pair.low_energy)
    assert image.spacing_mm == (0.1, 0.1)


COMPRESSED: dict[str, tuple[str, Callable[[np.ndarray], bytes]]] = {
    "RLE": (RLELossless, lambda _: b""),
    "JPEG lossless": (JPEGLossless, imagecodecs.ljpeg_encode),
    "JPEG lossless first order": (JPEGLosslessSV1, imagecodecs.ljpeg_encode),
    "JPEG-LS": (JPEGLSLossless, imagecodecs.jpegls_encode),
    "JPEG 2000": (
        JPEG2000Lossless,
        lambda pixels: imagecodecs.jpeg2k_encode(pixels, level=0, reversible=True, codecformat="j2k"),
    ),
    "HTJ2K": (HTJ2KLossless, imagecodecs.htj2k_encode),
    "HTJ2K RPCL": (HTJ2KLosslessRPCL, imagecodecs.htj2k_encode),
}


@pytest.mark.parametrize("name", COMPRESSED)
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_compressed_transfer_syntaxes_give_the_same_pixels(
    name: str, photometric: str, write: Write, pair: CEMPair, tmp_path: Path
) -> None:
    syntax, encode = COMPRESSED[name]
    dataset = pydicom.dcmread(write(photometric=photometric))
    if name == "RLE":
        dataset.compress(RLELossless, generate_instance_uid=False)
    else:
        dataset.PixelData = encapsulate([encode(dataset.pixel_array)])
        dataset["PixelData"].VR = "OB"
        dataset.file_meta.TransferSyntaxUID = syntax
    path = tmp_path / "compressed.dcm"
    dataset.save_as(path, enforce_file_format=True)
    assert np.array_equal(decode(path).pixels, pair.low_energy)


def test_lossy_jpeg_of_eight_bits_is_close(write: Write, pair: CEMPair, tmp_path: Path) -> None:
    eight = (pair.low_energy // 16).astype(np.uint8)
    dataset = pydicom.dcmread(write())
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    dataset.PixelData = encapsulate([imagecodecs.jpeg8_encode(eight, level=95)])
    dataset["PixelData"].VR = "OB"
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    dataset.save_as(tmp_path / "lossy.dcm", enforce_file_format=True)
    image = decode(tmp_path / "lossy.dcm")
    assert image.pixels.dtype == np.uint8
    assert np.abs(image.pixels.astype(int) - eight).mean() < 2


def test_monochrome1_is_inverted_so_that_brighter_is_denser(write: Write, pair: CEMPair) -> None:
    path = write(photometric="MONOCHROME1")
    assert np.array_equal(pydicom.dcmread(path).pixel_array, 4095 - pair.low_energy)
    image = decode(path)
    assert np.array_equal(image.pixels, pair.low_energy)
    assert image.photometric == "MONOCHROME1"


def test_signed_values_are_shifted_up_and_noted(write: Write, pair: CEMPair) -> None:
    signed = pair.low_energy.astype(np.int16) - 2048
    path = changed(write(), PixelRepresentation=1, PixelData=signed.tobytes())
    image = decode(path)
    assert np.array_equal(image.pixels, pair.low_energy)
    assert any("2048" in note for note in image.notes)


def test_bits_above_those_stored_are_ignored(write: Write, pair: CEMPair) -> None:
    with_overlay = pair.low_energy | np.uint16(0x8000)
    assert np.array_equal(decode(changed(write(), PixelData=with_overlay.tobytes())).pixels, pair.low_energy)


def test_values_stored_in_the_upper_bits_are_shifted_down(write: Write, pair: CEMPair) -> None:
    path = changed(write(), HighBit=15, PixelData=(pair.low_energy << np.uint16(4)).tobytes())
    assert np.array_equal(decode(path).pixels, pair.low_energy)


def test_a_window_beyond_all_numbers_is_left_out(write: Write) -> None:
    image = decode(changed(write(), WindowCenter="1e300", WindowWidth="1e300", RescaleSlope="1e-300"))
    assert image.windows == ()


@pytest.mark.parametrize(
    ("attributes", "spacing", "source"),
    [
        ({}, (0.1, 0.1), "ImagerPixelSpacing"),
        ({"EstimatedRadiographicMagnificationFactor": "1.25"}, (0.08, 0.08), "EstimatedRadiographicMagnification"),
        ({"ImagerPixelSpacing": None, "PixelSpacing": ["0.07", "0.08"]}, (0.07, 0.08), "PixelSpacing"),
        ({"ImagerPixelSpacing": None}, (0.1, 0.1), "vendor table"),
        ({"ImagerPixelSpacing": None, "Manufacturer": "ACME", "ManufacturerModelName": "X"}, None, ""),
        ({"ImagerPixelSpacing": ["0", "0"], "Manufacturer": "ACME", "ManufacturerModelName": "X"}, None, ""),
    ],
)
def test_spacing_is_that_of_the_breast(attributes: dict, spacing: tuple | None, source: str, write: Write) -> None:
    image = decode(changed(write(), **attributes))
    assert image.spacing_mm == (None if spacing is None else pytest.approx(spacing))
    assert source in image.spacing_source


def test_rescale_is_recorded_and_not_applied(write: Write, pair: CEMPair) -> None:
    image = decode(changed(write(), RescaleSlope="2", RescaleIntercept="-100"))
    assert image.rescale is not None
    assert (image.rescale.slope, image.rescale.intercept) == (2, -100)
    assert np.array_equal(image.pixels, pair.low_energy)


@pytest.mark.parametrize(("suffix", "form"), [("png", "PNG"), ("jpg", "JPEG"), ("pgm", "PPM")])
def test_eight_bit_pictures_are_read_by_content_whatever_their_name(suffix: str, form: str, tmp_path: Path) -> None:
    pixels = np.tile(np.arange(0, 250, 5, dtype=np.uint8), (40, 1))
    path = tmp_path / "picture.dcm"
    Image.fromarray(pixels).save(path, format=form)
    image = read_pixels(path)
    assert image.bits_stored == 8
    assert image.spacing_mm is None
    assert np.abs(image.pixels.astype(int) - pixels).max() <= (6 if suffix == "jpg" else 0)


def test_a_grey_picture_stored_as_colour_is_taken_and_a_coloured_one_is_not(tmp_path: Path) -> None:
    grey = np.tile(np.arange(40, dtype=np.uint8), (30, 1))
    Image.fromarray(np.dstack([grey] * 3)).save(tmp_path / "grey.png")
    assert np.array_equal(read_pixels(tmp_path / "grey.png").pixels, grey)
    Image.fromarray(np.dstack([grey, grey, grey + 60])).save(tmp_path / "colour.png")
    with pytest.raises(UnsupportedPixels, match="colour"):
        read_pixels(tmp_path / "colour.png")


def test_sixteen_bit_pictures_are_sent_to_dicom(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((20, 20), np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(UnsupportedPixels, match="DICOM"):
        read_pixels(tmp_path / "deep.png")


def test_a_picture_with_too_many_pixels_is_refused(tmp_path: Path) -> None:
    Image.new("L", (9000, 9000)).save(tmp_path / "huge.png")
    with pytest.raises(TooLarge, match="pixels"):
        read_pixels(tmp_path / "huge.png")


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"%PDF-1.7", b"\x89PNG\r\n\x1a\n" + b"\x00" * 30, b"P5 20 20 255\n12"]
)
def test_other_files_are_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(UnreadableFile):
        read_pixels(tmp_path / "file")


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="not there"):
        read_pixels(tmp_path / "nothing")


def test_a_pair_is_read_with_its_facts(pair: CEMPair, identity: object, tmp_path: Path) -> None:
    written = write_pair(pair, tmp_path, identity=identity)  # type: ignore[arg-type]
    found = read_pair(written.low_energy, written.recombined, laterality="L", view_position="MLO")
    assert np.array_equal(found.low_energy, pair.low_energy)
    assert np.array_equal(found.recombined, pair.recombined)
    assert (found.spacing_mm, found.bits_stored, found.vendor) == ((0.1, 0.1), 12, "ge-essential")


def test_images_of_different_depth_share_the_larger_scale_and_that_is_noted(pair: CEMPair) -> None:
    low = StoredImage(pair.low_energy, 12, None, "MONOCHROME2")
    recombined = StoredImage(pair.recombined, 14, None, "MONOCHROME2")
    found = pair_of(low, recombined, laterality="L", view_position="MLO")
    assert found.bits_stored == 14
    assert any("12 bits" in note and "14" in note for note in found.facts.notes)
    assert pair_of(low, low, laterality="L", view_position="MLO").facts.notes == ()


def test_images_that_contradict_their_view_are_refused(pair: CEMPair, identity: object, tmp_path: Path) -> None:
    written = write_pair(pair, tmp_path, identity=identity)  # type: ignore[arg-type]
    with pytest.raises(PairMismatch, match="left breast"):
        read_pair(written.low_energy, written.recombined, laterality="R", view_position="MLO")
    with pytest.raises(PairMismatch, match="MLO view"):
        read_pair(written.low_energy, written.recombined, laterality="L", view_position="CC")
    Image.fromarray(np.zeros((30, 20), np.uint8)).save(tmp_path / "small.png")
    with pytest.raises(PairMismatch, match="same size"):
        read_pair(written.low_energy, tmp_path / "small.png", laterality="L", view_position="MLO")


def test_a_real_ge_image_gives_its_size_spacing_and_windows(shared_data: Path) -> None:
    image = read_pixels(shared_data / "dicom-mg" / "ge_essential_mlo_jpeg_lossless.dcm")
    assert image.shape == (3062, 2394)
    assert (image.vendor, image.laterality, image.view_position) == ("ge-essential", "R", "MLO")
    assert image.spacing_mm == pytest.approx((0.09409, 0.09409), abs=1e-5)
    assert [window.function for window in image.windows] == ["SIGMOID"] * 3
    assert [lut.explanation for lut in image.luts] == ["NORMAL", "HARDER", "SOFTER"]


@pytest.mark.parametrize(("orientation", "side"), [(["A", "FR"], "left"), (["P", "L"], "right"), (["L", "H"], None)])
def test_patient_orientation_tells_the_side_of_the_chest_wall(
    orientation: list[str], side: str | None, write: Write
) -> None:
    assert decode(changed(write(), PatientOrientation=orientation)).chest_wall == side


@pytest.mark.parametrize(("word", "implant"), [("YES", True), ("NO", False), ("", None)])
def test_the_header_may_tell_of_an_implant(word: str, implant: bool | None, write: Write) -> None:
    assert decode(changed(write(), BreastImplantPresent=word)).implant is implant


def padded(path: Path, representation: str, value: int, limit: int | None) -> Path:
    dataset = pydicom.dcmread(path)
    dataset.add_new(0x00280120, representation, value)
    if limit is not None:
        dataset.add_new(0x00280121, representation, limit)
    dataset.save_as(path)
    return path


@pytest.mark.parametrize(
    ("photometric", "value", "limit", "expected"),
    [
        ("MONOCHROME2", 0, None, (0, 0)),
        ("MONOCHROME2", 4000, 4095, (4000, 4095)),
        ("MONOCHROME1", 4095, None, (0, 0)),
        ("MONOCHROME1", 0, 15, (4080, 4095)),
        ("MONOCHROME2", 5000, None, None),
    ],
)
def test_padding_is_told_in_the_values_that_are_returned(
    photometric: str, value: int, limit: int | None, expected: tuple[int, int] | None, write: Write
) -> None:
    path = padded(changed(write(), PhotometricInterpretation=photometric), "US", value, limit)
    assert decode(path).padding == expected


def test_padding_of_signed_pixels_moves_with_them(write: Write) -> None:
    path = padded(changed(write(), PixelRepresentation=1), "SS", -2048, None)
    assert decode(path).padding == (0, 0)


def test_what_the_headers_say_reaches_the_pair(write: Write, tmp_path: Path) -> None:
    low = padded(changed(write(), BreastImplantPresent="YES"), "US", 0, None)
    found = read_pair(low, low, laterality="L", view_position="MLO").facts
    assert (found.chest_wall, found.implant, found.padding) == ("left", True, (0, 0))
