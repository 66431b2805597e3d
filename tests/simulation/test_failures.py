"""Every row of the failure table has its typed refusal or its documented flag; never a silent bad image."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from imaging.dicom_writing import ImageIdentity, write_pair
from imaging.pair import CEMPair, HeaderFacts
from simulation import errors
from simulation.case import simulate
from simulation.files import read_host
from simulation.host import prepare_host
from simulation.phantom import PhantomView
from simulation.settings import SimulationSettings
from tests.simulation.edited_hosts import QUICK, attribute, drawn, prepared

# no suitable cell


def test_no_suitable_cell_is_refused_after_the_ranked_cells_were_tried(host: PhantomView) -> None:
    # stripes of 3 mm between excluded stripes hold no cluster
    stripes = np.zeros(host.pair.shape, bool)
    stripes[:, ::2] = stripes[::2] = True
    with pytest.raises((errors.NoSuitableCell, errors.BreastTooSmall)):
        simulate(host.pair, malignancy="malignant", seed=1, lesion_free=False, exclusion=stripes, settings=QUICK)


def test_every_case_is_refused_with_the_reasons_where_no_cluster_passes_its_checks(host: PhantomView) -> None:
    # next to no attenuation: every cluster is too faint
    settings = dataclasses.replace(QUICK, packing_low=0.05, packing_high=0.05, cells_tried=2, attempts_per_cell=1)
    flat = dataclasses.replace(
        host.pair, low_energy=np.where(host.truth.breast, host.pair.low_energy, 0).astype(np.uint16)
    )
    noisy = flat.low_energy.astype(int) + np.random.default_rng(0).normal(0, 400, flat.shape).astype(int)
    flat = dataclasses.replace(flat, low_energy=np.where(host.truth.breast, noisy.clip(2, 4090), 0).astype(np.uint16))
    with pytest.raises((errors.NoSuitableCell, errors.InsertionRejected), match="cells tried"):
        simulate(flat, malignancy="benign", seed=1, lesion_free=True, settings=settings)


# implant


def with_implant(view: PhantomView) -> CEMPair:
    pair = view.pair
    rows, columns = np.nonzero(view.truth.breast)
    y, x = np.mgrid[: pair.shape[0], : pair.shape[1]]
    body = (x / (0.55 * columns.max())) ** 2 + ((y - rows.mean()) / (0.3 * np.ptp(rows))) ** 2 < 1
    top = np.percentile(pair.low_energy[view.truth.breast], 99) * 1.02
    smooth = top + np.random.default_rng(0).normal(0, 4, pair.shape)
    low = np.where(body & view.truth.breast, smooth, pair.low_energy).clip(0, 4000).astype(np.uint16)
    return dataclasses.replace(pair, low_energy=low)


def test_implant_in_the_pixels_is_refused(host: PhantomView) -> None:
    with pytest.raises(errors.ImplantPresent, match="choose another breast"):
        prepared(with_implant(host))


def test_implant_in_the_header_is_refused(files: Callable[..., tuple[Path, Path]]) -> None:
    pair, _ = read_host(*files(attribute(BreastImplantPresent="YES")))
    with pytest.raises(errors.ImplantPresent, match="0028,1300"):
        prepared(pair)


def test_implant_may_be_allowed_and_only_tissue_in_front_of_it_is_used(host: PhantomView) -> None:
    allowed = prepared(with_implant(host), dataclasses.replace(QUICK, allow_implant=True))
    rows, columns = np.nonzero(host.truth.breast)
    middle = int(rows.mean())
    assert not allowed.area.mask[middle, : int(0.55 * columns.max())].any()
    assert allowed.area.mask.any()
    assert any("implant" in note for note in allowed.assumptions)


# pectoral in MLO


def test_pectoral_that_is_not_found_leaves_a_corner_out_and_is_flagged() -> None:
    found = prepared(dataclasses.replace(drawn(relief=0), view_position="MLO"))
    assert found.area.pectoral == "corner"
    assert any("corner" in note for note in found.assumptions)
    rows = np.flatnonzero(found.breast.any(1))
    assert not found.area.mask[: rows[0] + int(0.3 * len(rows)), : int(0.1 * found.breast.shape[1])].any()


# image edge and chest wall


def test_image_edge_and_chest_wall_stay_clear_of_the_cluster(host: PhantomView) -> None:
    for seed in range(5):
        case = simulate(host.pair, malignancy="malignant", seed=seed, lesion_free=True, settings=QUICK)
        spacing = host.pair.spacing_mm[0]
        rows, columns = np.nonzero(case.support)
        reach = 2.4 / spacing
        assert min(rows.min(), columns.min()) >= reach
        assert rows.max() < host.pair.shape[0] - reach
        assert columns.max() < host.pair.shape[1] - reach


def test_image_edge_takes_no_more_than_a_twentieth_of_an_outline(host: PhantomView) -> None:
    for seed in range(5):
        case = simulate(host.pair, malignancy="malignant", seed=seed, lesion_free=True, settings=QUICK)
        assert case.record["mask"]["clipped_fraction"] <= 0.05


# laterality or view missing or conflicting


def test_laterality_missing_is_taken_from_the_pixels_and_flagged(files: Callable[..., tuple[Path, Path]]) -> None:
    pair, _ = read_host(*files(attribute(ImageLaterality="", Laterality="")))
    assert pair.laterality == "L"
    assert any("no laterality stated" in note for note in prepared(pair).assumptions)


def test_view_missing_is_refused(files: Callable[..., tuple[Path, Path]]) -> None:
    with pytest.raises(errors.ViewNotStated, match="--view"):
        read_host(*files(attribute(ViewPosition="", ViewCodeSequence=None)))


def test_laterality_that_contradicts_the_pixels_is_refused(host: PhantomView) -> None:
    with pytest.raises(errors.ConflictingLaterality, match="left of the picture"):
        prepared(dataclasses.replace(host.pair, laterality="R"))


def test_patient_orientation_may_explain_a_mirrored_picture(host: PhantomView) -> None:
    facts = HeaderFacts(chest_wall="left")
    assert prepared(dataclasses.replace(host.pair, laterality="R", facts=facts)).cells


def test_patient_orientation_that_contradicts_the_pixels_is_refused(host: PhantomView) -> None:
    with pytest.raises(errors.ConflictingLaterality, match="Patient Orientation"):
        prepared(dataclasses.replace(host.pair, facts=HeaderFacts(chest_wall="right")))


# MONOCHROME1, LUT inverse, signed, padding


def test_monochrome1_gives_the_same_case(host: PhantomView, tmp_path: Path) -> None:
    cases = []
    for photometric in ("MONOCHROME1", "MONOCHROME2"):
        written = write_pair(
            host.pair,
            tmp_path / photometric,
            identity=ImageIdentity("T-1", "TEST^ONE", date(2024, 1, 2), "1"),
            photometric=photometric,
        )
        pair, _ = read_host(written.low_energy, written.recombined)
        cases.append(simulate(pair, malignancy="benign", seed=3, lesion_free=True, settings=QUICK))
    assert np.array_equal(cases[0].pair.low_energy, cases[1].pair.low_energy)
    assert np.array_equal(cases[0].mask, cases[1].mask)


@pytest.mark.parametrize(("photometric", "shape"), [("MONOCHROME2", "INVERSE"), ("MONOCHROME1", "IDENTITY")])
def test_lut_shape_that_contradicts_the_photometric_interpretation_is_refused(
    photometric: str, shape: str, files: Callable[..., tuple[Path, Path]]
) -> None:
    with pytest.raises(errors.InvertedImage, match="black and white"):
        read_host(*files(attribute(PhotometricInterpretation=photometric, PresentationLUTShape=shape)))


def test_inverted_pixels_are_refused(host: PhantomView) -> None:
    inverted = dataclasses.replace(host.pair, low_energy=(4095 - host.pair.low_energy).astype(np.uint16))
    with pytest.raises(errors.InvertedImage, match="air is brighter"):
        prepared(inverted)


def test_signed_pixels_are_shifted_and_noted(files: Callable[..., tuple[Path, Path]], host: PhantomView) -> None:
    def as_signed(dataset: Dataset) -> None:
        values = np.frombuffer(dataset.PixelData, "<u2").astype(int) - 2048
        dataset.PixelData = (values & 0xFFF).astype("<u2").tobytes()
        dataset.PixelRepresentation = 1

    pair, _ = read_host(*files(as_signed))
    assert np.array_equal(pair.low_energy, host.pair.low_energy)
    assert any("signed" in note for note in prepared(pair).assumptions)


@pytest.mark.parametrize("value", [0, 4095])
def test_padding_is_neither_air_nor_breast(value: int, host: PhantomView) -> None:
    padded = host.pair.low_energy.copy()
    padded[:, -40:] = value
    pair = dataclasses.replace(host.pair, low_energy=padded, facts=HeaderFacts(padding=(value, value)))
    assert not prepared(pair).breast[:, -40:].any()
    found, expected = prepared(pair).breast[:, :-50], prepared(host.pair).breast[:, :-50]
    assert 2 * (found & expected).sum() / (found.sum() + expected.sum()) > 0.99


# tiny breast


def test_tiny_breast_is_refused(host: PhantomView) -> None:
    tiny = dataclasses.replace(host.pair, spacing_mm=(0.1, 0.1))
    with pytest.raises(errors.BreastTooSmall, match="cm2"):
        prepared(tiny)


@pytest.mark.parametrize("side", [8, 60])
def test_a_picture_too_small_for_any_size_of_its_pixels_is_refused(side: int) -> None:
    y, x = np.mgrid[:side, :side]
    low = np.where(x < side / 2, 200 + y % 3, 0).astype(np.uint8)
    with pytest.raises(errors.UnusableInput, match="without a stated size"):
        prepared(CEMPair(low, low, "L", "CC", None, 8))


def test_a_recombined_image_without_tissue_is_refused(host: PhantomView) -> None:
    empty = dataclasses.replace(host.pair, recombined=np.zeros_like(host.pair.recombined))
    with pytest.raises(errors.UnusableInput, match="recombined image is empty"):
        simulate(empty, malignancy="malignant", seed=1, lesion_free=True, settings=QUICK)


def test_small_permitted_area_takes_half_cells_and_at_most_fifteen_calcifications() -> None:
    pair = drawn()
    keep = np.ones(pair.shape, bool)
    keep[330:570, 60:260] = False  # 48 x 40 mm stay
    small = prepare_host(pair, lesion_free=False, exclusion=keep, settings=SimulationSettings())
    assert small.cells[0].size * small.spacing_mm == pytest.approx(6.4, abs=0.2)
    assert small.most_calcifications == 15
    counts = [
        len(simulate(pair, malignancy="malignant", seed=seed, lesion_free=False, exclusion=keep).calcifications)
        for seed in range(4)
    ]
    assert max(counts) <= 15


# very dense or saturated


def test_saturated_breast_is_refused(host: PhantomView) -> None:
    burnt = np.where(host.truth.breast, 4095, 0).astype(np.uint16)
    with pytest.raises(errors.SaturatedImage, match="full range"):
        prepared(dataclasses.replace(host.pair, low_energy=burnt))


def test_saturated_areas_are_kept_clear(host: PhantomView) -> None:
    low = host.pair.low_energy.copy()
    low[250:290, 60:100] = 4095
    assert not prepared(dataclasses.replace(host.pair, low_energy=low)).area.mask[250:290, 60:100].any()


# already-lesioned breast


def test_already_lesioned_hosts_need_a_word_or_a_mask(host: PhantomView) -> None:
    with pytest.raises(errors.LesionFreeNotAsserted, match="lesion-free"):
        prepared(host.pair, lesion_free=False)


def test_already_lesioned_hosts_may_be_screened_and_are_flagged() -> None:
    screening = SimulationSettings(unlabelled_hosts="screen")
    found = prepared(drawn(), screening, lesion_free=False)
    assert any("only screened" in note for note in found.assumptions)


def test_already_lesioned_hosts_of_coarse_pixels_cannot_be_screened(host: PhantomView) -> None:
    with pytest.raises(errors.LesionFreeNotAsserted, match="too coarse"):
        prepared(host.pair, SimulationSettings(unlabelled_hosts="screen"), lesion_free=False)


def test_already_calcified_cells_are_left_out_and_flagged() -> None:
    found = prepared(drawn(spots="crowd"))
    assert not found.area.mask[445:475, 195:225].any()
    assert prepared(drawn()).area.mask[445:475, 195:225].all()
    assert any("already calcified" in note for note in found.assumptions)


def test_already_calcified_breast_is_refused() -> None:
    with pytest.raises(errors.AlreadyCalcified, match="another host"):
        prepared(drawn(spots="everywhere"))
