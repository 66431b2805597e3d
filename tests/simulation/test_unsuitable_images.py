"""Rows of the failure table about the images themselves: kind, pairing, eight bits, duplicates."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from imaging.pair import CEMPair
from simulation import errors
from simulation.case import simulate
from simulation.files import read_host
from simulation.phantom import PhantomView, phantom_patient
from tests.simulation.edited_hosts import QUICK, attribute, prepared

# spot and magnification views, specimen, biopsy, tomosynthesis, high energy


def modifier(code: str) -> Callable[[Dataset], None]:
    def edit(dataset: Dataset) -> None:
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code, "SCT", "modifier"
        dataset.ViewCodeSequence[0].ViewModifierCodeSequence = Sequence([item])

    return edit


UNSUITABLE: dict[str, Callable[[Dataset], None]] = {
    "spot": modifier("399055006"),
    "magnification": modifier("399163009"),
    "magnified": attribute(EstimatedRadiographicMagnificationFactor="1.3"),
    "specimen": attribute(BodyPartExamined="SPECIMEN"),
    "biopsy": attribute(ImageType=["DERIVED", "PRIMARY", "STEREO"]),
    "tomosynthesis": attribute(SOPClassUID="1.2.840.10008.5.1.4.1.1.13.1.3"),
    "frames": attribute(NumberOfFrames=30),
    "raw": attribute(PresentationIntentType="FOR PROCESSING"),
    "another view": attribute(ViewPosition="XCCL", ViewCodeSequence=None),
}


@pytest.mark.parametrize("name", UNSUITABLE)
def test_views_of_another_kind_are_refused(name: str, files: Callable[..., tuple[Path, Path]]) -> None:
    with pytest.raises(errors.UnsuitableView, match="low-energy file"):
        read_host(*files(UNSUITABLE[name]))


def test_contact_at_the_usual_magnification_is_taken(files: Callable[..., tuple[Path, Path]]) -> None:
    assert read_host(*files(attribute(EstimatedRadiographicMagnificationFactor="1.07")))


def test_high_energy_images_are_refused(files: Callable[..., tuple[Path, Path]]) -> None:
    high = attribute(ImageType=["ORIGINAL", "PRIMARY", "POST_CONTRAST", "", "HIGH_ENERGY"])
    with pytest.raises(errors.WrongImageKind, match="high-energy"):
        read_host(*files(low=high))


def test_exchanged_images_are_refused(files: Callable[..., tuple[Path, Path]]) -> None:
    low, recombined = files()
    with pytest.raises(errors.WrongImageKind, match="exchange"):
        read_host(recombined, low)


# sizes or positions of the two images differ


def test_images_of_different_size_are_refused(files: Callable[..., tuple[Path, Path]]) -> None:
    def crop(dataset: Dataset) -> None:
        pixels = np.frombuffer(dataset.PixelData, "<u2").reshape(dataset.Rows, dataset.Columns)[:-4]
        dataset.Rows, dataset.PixelData = pixels.shape[0], pixels.tobytes()

    with pytest.raises(errors.MismatchedPair, match="rows"):
        read_host(*files(low=crop))


@pytest.mark.parametrize(
    "change",
    [
        attribute(StudyInstanceUID="1.2.3.4"),
        attribute(ImageLaterality="R"),
        attribute(ViewPosition="MLO", ViewCodeSequence=None),
    ],
    ids=["study", "laterality", "view"],
)
def test_images_of_different_views_are_refused(
    change: Callable[[Dataset], None], files: Callable[..., tuple[Path, Path]]
) -> None:
    with pytest.raises(errors.MismatchedPair, match="differ"):
        read_host(*files(low=change))


@pytest.mark.parametrize("shift", [(4, 0), (0, -4), (-3, 3)])
def test_shifted_images_are_refused(shift: tuple[int, int], host: PhantomView) -> None:
    moved = np.roll(host.pair.recombined, shift, (0, 1))
    with pytest.raises(errors.MisregisteredPair, match="shifted by"):
        prepared(dataclasses.replace(host.pair, recombined=moved))


def test_images_of_different_breasts_are_refused(host: PhantomView) -> None:
    other = phantom_patient(seed=3, site="A", size="small", views=(("L", "MLO"),))[0].pair
    upside_down = np.ascontiguousarray(other.recombined[::-1])
    with pytest.raises(errors.MisregisteredPair):
        prepared(dataclasses.replace(host.pair, recombined=upside_down))


# 8-bit input


def eight_bit(pair: CEMPair, shift: int = 0) -> CEMPair:
    low, recombined = ((image // 16).astype(np.uint8) for image in (pair.low_energy, pair.recombined))
    return dataclasses.replace(
        pair, low_energy=low, recombined=np.roll(recombined, shift, 0), bits_stored=8, vendor="unknown"
    )


def test_8_bit_input_is_taken_with_a_warning(host: PhantomView) -> None:
    case = simulate(eight_bit(host.pair), malignancy="benign", seed=1, lesion_free=True, settings=QUICK)
    assert any("8-bit input" in note for note in case.record["host"]["assumptions"])


def test_8_bit_pictures_may_be_shifted_a_little_more_and_that_is_noted(host: PhantomView) -> None:
    assert any("shifted by" in note for note in prepared(eight_bit(host.pair, 5)).assumptions)
    with pytest.raises(errors.MisregisteredPair):
        prepared(eight_bit(host.pair, 20))


# duplicates


def test_duplicates_of_a_host_are_told_apart_by_the_variant_and_together_by_its_hash(host: PhantomView) -> None:
    first, second = (
        simulate(host.pair, malignancy="benign", seed=1, lesion_free=True, variant=variant, settings=QUICK).record
        for variant in (0, 1)
    )
    assert (first["variant"], second["variant"]) == (0, 1)
    assert first["host"]["sha256"] == second["host"]["sha256"]
    assert first["output_sha256"] != second["output_sha256"]
