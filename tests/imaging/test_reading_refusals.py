"""Files that cannot be taken are refused with the reason, before they cost time or memory."""

import io
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
)

from imaging.dicom import decode, read_header
from imaging.errors import ImagingError, TooLarge, UnreadableFile, UnsupportedPixels
from imaging.limits import Limits
from imaging.pair import CEMPair
from imaging.reading import read_pixels
from tests.imaging.written_files import Write, changed

REFUSED = {
    "colour": ({"PhotometricInterpretation": "RGB"}, UnsupportedPixels, "MONOCHROME"),
    "three channels": ({"SamplesPerPixel": 3}, UnsupportedPixels, "colour channels"),
    "several frames": ({"NumberOfFrames": 12}, UnsupportedPixels, "12 frames"),
    "no rows": ({"Rows": None}, UnreadableFile, "holds no image"),
    "zero rows": ({"Rows": 0}, UnreadableFile, "0 × 400"),
    "too many pixels": ({"Rows": 65535, "Columns": 65535}, TooLarge, "65535 × 65535"),
    "more pixels than data": ({"Rows": 4000, "Columns": 4000}, UnreadableFile, "holds only"),
    "32 bits": ({"BitsAllocated": 32}, UnsupportedPixels, "Bits Allocated"),
    "more stored than allocated": ({"BitsStored": 17}, UnsupportedPixels, "Bits Stored"),
    "high bit beyond": ({"HighBit": 40}, UnsupportedPixels, "High Bit"),
    "no pixels": ({"PixelData": None}, UnreadableFile, "no pixels"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_taken_is_refused_with_the_reason(name: str, write: Write) -> None:
    attributes, error, words = REFUSED[name]
    with pytest.raises(error, match=words):
        decode(changed(write(), **attributes))


def test_an_unknown_transfer_syntax_is_named_as_the_reason(write: Write) -> None:
    dataset = pydicom.dcmread(write())
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.102"
    dataset.PixelData = encapsulate([b"\x00" * 64])
    dataset["PixelData"].VR = "OB"
    path = Path(dataset.filename)
    dataset.save_as(path)
    with pytest.raises(UnsupportedPixels, match="transfer syntax"):
        decode(path)


def compressed(path: Path, codestream: bytes, syntax: str) -> Path:
    dataset = pydicom.dcmread(path)
    dataset.PixelData = encapsulate([codestream])
    dataset["PixelData"].VR = "OB"
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.save_as(path)
    return path


def test_a_codestream_of_another_size_is_refused_before_it_is_unpacked(write: Write) -> None:
    bomb = imagecodecs.jpeg2k_encode(np.zeros((3000, 3000), np.uint16), level=0, codecformat="j2k")
    with pytest.raises(UnreadableFile, match="3000 × 3000"):
        decode(compressed(write(), bomb, JPEG2000Lossless))


@pytest.mark.parametrize("highest", [4096, 65_535])
def test_a_codestream_with_more_bits_than_the_header_says_is_refused(highest: int, write: Write, pair: CEMPair) -> None:
    pixels = pair.low_energy.copy()
    pixels[3, 5] = highest
    with pytest.raises(UnreadableFile, match="header says"):
        decode(compressed(write(), imagecodecs.jpegls_encode(pixels), JPEGLSLossless))
    eight = changed(write(), BitsAllocated=8, BitsStored=8, HighBit=7)
    with pytest.raises(UnreadableFile, match="bits a pixel, the header says 8"):
        decode(compressed(eight, imagecodecs.jpegls_encode(pixels), JPEGLSLossless))


@pytest.mark.parametrize("cut", [3, 12, 60, 0.5, 0.9])
def test_a_cut_codestream_is_refused(cut: float, write: Write, pair: CEMPair) -> None:
    whole = imagecodecs.jpegls_encode(pair.low_energy)
    part = whole[: int(cut if cut > 1 else cut * len(whole))]
    with pytest.raises(ImagingError):
        decode(compressed(write(), part, JPEGLSLossless))


@pytest.mark.parametrize("size", [0, 100, 132, 140, 400, 1500, 5000, 100_000])
def test_a_cut_file_is_refused(size: int, write: Write, tmp_path: Path) -> None:
    path = tmp_path / "cut.dcm"
    path.write_bytes(write().read_bytes()[:size])
    with pytest.raises(ImagingError) as caught:
        read_pixels(path)
    assert len(caught.value.message) > 20


def test_a_deflated_bomb_is_stopped(write: Write, tmp_path: Path) -> None:
    dataset = pydicom.dcmread(write())
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    del dataset.PixelData
    buffer = io.BytesIO()
    dataset.save_as(buffer, implicit_vr=False, little_endian=True, enforce_file_format=True)
    head = buffer.getvalue()
    machine = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    bomb = b"".join(machine.compress(bytes(2**20)) for _ in range(64)) + machine.flush()
    meta_end = 132 + 12 + int.from_bytes(head[140:144], "little")
    path = tmp_path / "bomb.dcm"
    path.write_bytes(head[:meta_end] + bomb)
    with pytest.raises(TooLarge, match="unpack"):
        read_header(path, Limits(file_bytes=16 * 2**20))


def nested(depth: int) -> Sequence:
    item = Dataset()
    item.CodeValue = "X"
    for _ in range(depth):
        outer = Dataset()
        outer.ConceptNameCodeSequence = Sequence([item])
        item = outer
    return Sequence([item])


@pytest.mark.parametrize("undefined_length", [False, True])
def test_sequences_nested_too_deep_are_refused(undefined_length: bool, write: Write, tmp_path: Path) -> None:
    dataset = pydicom.dcmread(write())
    dataset.AcquisitionContextSequence = nested(60)
    waiting: list[FileDataset | Dataset] = [dataset]
    while waiting:
        for element in waiting.pop():
            if element.VR == "SQ":
                element.is_undefined_length = undefined_length
                for item in element.value:
                    item.is_undefined_length_sequence_item = undefined_length
                    waiting.append(item)
    dataset.save_as(tmp_path / "deep.dcm")
    with pytest.raises(TooLarge, match="nests sequences"):
        read_header(tmp_path / "deep.dcm")


def test_a_header_with_too_many_attributes_is_refused(write: Write) -> None:
    dataset = pydicom.dcmread(write())
    block = dataset.private_block(0x0099, "MANY", create=True)
    for element in range(0x01, 0xFF):
        block.add_new(element, "LO", "x")
    path = Path(dataset.filename)
    dataset.save_as(path)
    with pytest.raises(TooLarge, match="attributes"):
        read_header(path, Limits(elements=200))


def test_attributes_larger_than_any_mammogram_needs_are_refused(write: Write) -> None:
    dataset = pydicom.dcmread(write())
    dataset.private_block(0x0099, "LARGE", create=True).add_new(0x01, "OB", bytes(5_000_000))
    path = Path(dataset.filename)
    dataset.save_as(path)
    with pytest.raises(TooLarge, match="bytes"):
        read_header(path)


def test_messages_name_no_patient(write: Write) -> None:
    for attributes, error, _ in REFUSED.values():
        with pytest.raises(error) as caught:
            decode(changed(write(), **attributes))
        for secret in ("Vandenberg", "4711", "ACC998877", "Elsewhere"):
            assert secret not in caught.value.message
