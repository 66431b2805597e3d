"""Every row of the failure table has its typed refusal or its documented flag; never a silent bad image."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from scipy import ndimage

from imaging.dicom_writing import ImageIdentity, write_pair
from imaging.pair import CEMPair, HeaderFacts
from simulation import errors
from simulation.case import simulate
from simulation.files import read_host
from simulation.host import Host, prepare_host
from simulation.phantom import PhantomView, phantom_patient
from simulation.settings import SimulationSettings

QUICK = SimulationSettings(maximum_cells=24)


def prepared(pair: CEMPair, settings: SimulationSettings = QUICK, lesion_free: bool = True) -> Host:
    return prepare_host(pair, lesion_free=lesion_free, exclusion=None, settings=settings)


def drawn(*, spots: str = "none", seed: int = 4, relief: float = 900) -> CEMPair:
    """A smooth half-ellipse breast of 0.2 mm pixels with noise, on which spots can be put."""
    rng = np.random.default_rng(seed)
    rows, columns = 900, 560
    y, x = np.mgrid[:rows, :columns]
    depth = 1 - np.sqrt((x / 460) ** 2 + ((y - 450) / 400) ** 2)
    structure = ndimage.gaussian_filter(rng.standard_normal((rows, columns)), 12) * 12
    level = 900 + relief * np.sqrt(np.clip(depth, 0, None)) + 150 * structure + rng.normal(0, 12, (rows, columns))
    places = {"none": [], "crowd": [(450 + 9 * r, 200 + 9 * c) for r in range(3) for c in range(3)], "everywhere": []}[
        spots
    ]
    if spots == "everywhere":
        places = [(r, c) for r in range(60, 860, 14) for c in range(8, 440, 14)]
    bright = np.zeros((rows, columns))
    for r, c in places:
        bright[r, c] = 1
    level += 5000 * ndimage.gaussian_filter(bright, 0.9)
    low = np.where(depth > 0, level, 20).clip(0, 4095).astype(np.uint16)
    recombined = np.where(depth > 0, 2000 + 100 * structure + rng.normal(0, 20, (rows, columns)), 0)
    return CEMPair(low, recombined.clip(0, 4095).astype(np.uint16), "L", "CC", (0.2, 0.2), 12, "ge-essential")


@pytest.fixture
def oblique() -> PhantomView:
    return phantom_patient(seed=12, site="A", size="small", views=(("L", "MLO"),))[0]


@pytest.fixture
def files(host: PhantomView, tmp_path: Path) -> Callable[..., tuple[Path, Path]]:
    """Two DICOM files of the host; `change` edits both headers, `low` the low-energy one only."""

    def write(
        change: Callable[[Dataset], None] | None = None, low: Callable[[Dataset], None] | None = None
    ) -> tuple[Path, Path]:
        written = write_pair(host.pair, tmp_path, identity=ImageIdentity("T-1", "TEST^ONE", date(2024, 1, 2), "1"))
        for path, edits in ((written.low_energy, (change, low)), (written.recombined, (change,))):
            dataset = pydicom.dcmread(path)
            for edit in edits:
                if edit is not None:
                    edit(dataset)
            dataset.save_as(path)
        return written.low_energy, written.recombined

    return write


def attribute(**values: object) -> Callable[[Dataset], None]:
    def edit(dataset: Dataset) -> None:
        for keyword, value in values.items():
            setattr(dataset, keyword, value)

    return edit


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
