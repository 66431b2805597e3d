"""What a simulated case is."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import json
from collections import Counter

import numpy as np
import pytest
from scipy import ndimage

from imaging.pair import CEMPair
from imaging.reading import read_pair, read_pixels
from simulation.case import SimulatedCase, simulate
from simulation.enhancement import ContrastDistribution, measure_contrast
from simulation.errors import (
    BreastNotFound,
    BreastTooSmall,
    InsertionRejected,
    InvalidSettings,
    LesionFreeNotAsserted,
    NoMatchingPlacement,
    SaturatedImage,
    SimulationError,
    UnusableInput,
)
from simulation.phantom import PhantomView, phantom_patient
from simulation.placement import Placement
from simulation.provenance import pixels_sha256
from simulation.settings import SimulationSettings

QUICK = SimulationSettings(maximum_cells=24)


def test_the_same_seed_gives_the_same_bytes_and_the_same_record(host: PhantomView, case: SimulatedCase) -> None:
    again = simulate(host.pair, malignancy="malignant", seed=7, lesion_free=True)
    assert np.array_equal(again.pair.low_energy, case.pair.low_energy)
    assert np.array_equal(again.pair.recombined, case.pair.recombined)
    assert np.array_equal(again.mask, case.mask)
    assert again.record == case.record


def test_another_seed_and_another_variant_give_other_cases(host: PhantomView, case: SimulatedCase) -> None:
    other = simulate(host.pair, malignancy="malignant", seed=8, lesion_free=True)
    variant = simulate(host.pair, malignancy="malignant", seed=7, lesion_free=True, variant=1)
    assert len({c.record["output_sha256"] for c in (case, other, variant)}) == 3


def test_the_host_is_not_changed(host: PhantomView) -> None:
    before = pixels_sha256(host.pair.low_energy, host.pair.recombined)
    simulate(host.pair, malignancy="benign", seed=1, lesion_free=True, settings=QUICK)
    assert pixels_sha256(host.pair.low_energy, host.pair.recombined) == before


def test_both_images_are_bit_identical_to_the_host_outside_the_lesion_region(
    host: PhantomView, case: SimulatedCase
) -> None:
    rows, columns = np.nonzero(case.mask)
    spacing = host.pair.spacing_mm[0]
    # the vendor's enhancement reaches three sigma of 2 mm around the calcifications
    pad = int(np.ceil(6 / spacing)) + 12
    outside = np.ones(case.mask.shape, bool)
    outside[max(rows.min() - pad, 0) : rows.max() + pad, max(columns.min() - pad, 0) : columns.max() + pad] = False
    assert np.array_equal(case.pair.low_energy[outside], host.pair.low_energy[outside])
    assert np.array_equal(case.pair.recombined[outside], host.pair.recombined[outside])
    assert not np.array_equal(case.pair.low_energy, host.pair.low_energy)


def test_the_background_stays_zero(host: PhantomView, case: SimulatedCase) -> None:
    assert (case.pair.low_energy[host.pair.low_energy == 0] == 0).all()
    assert (case.pair.recombined[host.pair.recombined == 0] == 0).all()


def test_the_mask_contains_every_calcification_and_lies_in_the_breast(host: PhantomView, case: SimulatedCase) -> None:
    assert case.mask[case.support].all()
    assert host.truth.breast[case.mask].all()
    for calcification in case.calcifications:
        assert case.mask[int(calcification.y), int(calcification.x)]


def test_calcifications_are_brighter_than_the_host_where_the_record_says_they_are(
    host: PhantomView, case: SimulatedCase
) -> None:
    change = case.pair.low_energy.astype(int) - host.pair.low_energy.astype(int)
    assert change[case.support].mean() > 30
    assert len(case.calcifications) == case.record["cluster"]["count"] >= 5


def test_the_enhancement_reaches_the_contrast_that_was_drawn(host: PhantomView) -> None:
    wanted = ContrastDistribution("malignant", values=(1.08,), bandwidth=0.0)
    for seed in range(4):
        made = simulate(host.pair, malignancy="malignant", seed=seed, lesion_free=True, contrast=wanted, settings=QUICK)
        assert made.record["enhancement"]["requested"] == pytest.approx(1.08)
        # as it is measured on real lesions: median of the lesion over median of the ring around it
        assert measure_contrast(made.pair.recombined, made.mask) == pytest.approx(1.08, abs=0.01)
        assert made.record["enhancement"]["realised"] == pytest.approx(1.08, abs=0.01)


def test_a_mirrored_host_gives_the_mirrored_case(host: PhantomView, case: SimulatedCase) -> None:
    mirrored = simulate(host.pair.mirrored(), malignancy="malignant", seed=7, lesion_free=True)
    assert np.array_equal(mirrored.pair.low_energy[:, ::-1], case.pair.low_energy)
    assert np.array_equal(mirrored.pair.recombined[:, ::-1], case.pair.recombined)
    assert np.array_equal(mirrored.mask[:, ::-1], case.mask)
    columns = case.mask.shape[1]
    assert [columns - c.x for c in mirrored.calcifications] == pytest.approx([c.x for c in case.calcifications])


def test_the_record_is_json_and_names_every_choice(case: SimulatedCase) -> None:
    record = json.loads(json.dumps(case.record))
    assert record == case.record
    assert record["seed"] == 7
    assert SimulationSettings.from_json(record["settings"]) == SimulationSettings()
    assert record["host"]["profile"]["key"] == "phantom-a"
    assert record["calibration"]["kind"] == "lut"
    assert record["output_sha256"] == pixels_sha256(case.pair.low_energy, case.pair.recombined)
    assert len(record["cluster"]["calcifications"]) == record["cluster"]["count"]
    assert record["mask"]["polygons"] == [[list(p) for p in polygon] for polygon in case.polygons]


def test_the_record_lists_every_check_with_its_value_and_limit(case: SimulatedCase) -> None:
    checks = case.record["checks"]
    assert len({check["name"] for check in checks}) == len(checks) >= 9
    for check in checks:
        low, high = check["limit"]
        assert check["passed"] == ((low is None or check["value"] >= low) and (high is None or check["value"] <= high))
    assert all(check["passed"] for check in checks if not check["name"].startswith("recombined contrast"))


def test_the_record_names_cells_that_were_tried_in_vain(host: PhantomView) -> None:
    # nearly invisible calcifications are refused in many cells
    faint = SimulationSettings(maximum_cells=24, packing_low=0.05, packing_high=0.3)
    rejected = []
    for seed in range(6):
        with contextlib.suppress(InsertionRejected):
            made = simulate(host.pair, malignancy="malignant", seed=seed, lesion_free=True, settings=faint)
            rejected += made.record["site"]["rejected"]
    assert all(len(entry["box"]) == 4 and entry["score_rank"] >= 1 and entry["reason"] for entry in rejected)


def test_the_record_tells_of_each_calcification(case: SimulatedCase) -> None:
    cluster = case.record["cluster"]
    assert cluster["count"] <= cluster["count_requested"]
    for listed, drawn in zip(cluster["calcifications"], case.calcifications, strict=True):
        assert (listed["x"], listed["y"]) == (drawn.x, drawn.y)
        assert listed["thickness_max_um"] > 0
        # attenuation is averaged over the pixel, thickness is the largest within it
        assert 0 < listed["tau_max"] <= 1.01 * cluster["attenuation_per_mm"] * listed["thickness_max_um"] / 1000


def test_the_record_says_where_its_randomness_comes_from(case: SimulatedCase) -> None:
    assert case.record["random"]["root_seed"] == 7
    assert case.record["random"]["path"][0] == "case"
    assert case.record["schema"] == "cemlab.simulation-record/2"
    assert len(case.record["versions"]["source_sha256"]) == 64
    assert case.seconds
    assert "seconds" not in case.record


def test_benign_and_malignant_clusters_differ_as_designed(host: PhantomView) -> None:
    area: dict[str, list[float]] = {"benign": [], "malignant": []}
    size: dict[str, list[float]] = {"benign": [], "malignant": []}
    for malignancy in ("benign", "malignant"):
        for seed in range(12):
            made = simulate(host.pair, malignancy=malignancy, seed=seed, lesion_free=True, settings=QUICK)
            area[malignancy].append(made.record["mask"]["area_mm2"])
            size[malignancy] += [c.diameter_mm for c in made.calcifications if c.morphology != "coarse"]
    # S000: malignant clusters spread over a larger area, of smaller and more varied calcifications
    assert np.median(area["malignant"]) > 1.3 * np.median(area["benign"])
    assert np.median(size["malignant"]) < np.median(size["benign"])
    assert np.std(np.log(size["malignant"])) > np.std(np.log(size["benign"]))


def test_an_exclusion_mask_is_respected_and_replaces_the_lesion_free_assertion(
    host: PhantomView, case: SimulatedCase
) -> None:
    exclusion = ndimage.binary_dilation(case.mask, iterations=5)
    moved = simulate(host.pair, malignancy="malignant", seed=7, lesion_free=False, exclusion=exclusion)
    assert not (moved.mask & exclusion).any()
    assert moved.record["host"]["exclusion_pixels"] == exclusion.sum()


def test_both_views_of_a_lesion_agree_in_nipple_distance_plan_and_contrast(breast_views: list[PhantomView]) -> None:
    craniocaudal, oblique = breast_views
    first = simulate(craniocaudal.pair, malignancy="malignant", seed=3, lesion_free=True)
    second = simulate(oblique.pair, malignancy="malignant", seed=3, lesion_free=True, partner=first.placement)
    assert abs(first.placement.nipple_distance_mm - second.placement.nipple_distance_mm) <= 10
    assert second.placement.plan == first.placement.plan
    assert second.record["enhancement"]["requested"] == first.record["enhancement"]["requested"]


def test_no_calcification_lies_on_the_pectoral_muscle() -> None:
    for seed in range(6):
        view = phantom_patient(seed=seed, site="A", size="small", views=(("L", "MLO"),))[0]
        made = simulate(view.pair, malignancy="benign", seed=seed, lesion_free=True, settings=QUICK)
        assert not (made.support & (view.truth.pectoral > 0.5)).any()


def test_a_placement_of_an_impossible_distance_is_refused(breast_views: list[PhantomView], case: SimulatedCase) -> None:
    far = dataclasses.replace(case.placement, laterality="R", nipple_distance_mm=900.0)
    with pytest.raises(NoMatchingPlacement, match="900 mm"):
        simulate(breast_views[1].pair, malignancy="malignant", seed=1, lesion_free=True, partner=far)


def test_a_placement_survives_json(case: SimulatedCase) -> None:
    assert Placement.from_json(json.loads(json.dumps(case.placement.to_json()))) == case.placement


def test_without_pixel_size_the_assumption_is_recorded(host: PhantomView) -> None:
    unknown = dataclasses.replace(host.pair, spacing_mm=None)
    made = simulate(unknown, malignancy="benign", seed=1, lesion_free=True)
    assert made.record["host"]["spacing_mm"] == pytest.approx(240 / 575)
    assert any("no pixel size stated" in text for text in made.record["host"]["assumptions"])
    assert made.pair.spacing_mm is None


def test_eight_bit_pairs_are_accepted(host: PhantomView) -> None:
    pair = host.pair
    small = CEMPair(
        (pair.low_energy // 16).astype(np.uint8),
        (pair.recombined // 16).astype(np.uint8),
        "L",
        "CC",
        pair.spacing_mm,
        8,
    )
    made = simulate(small, malignancy="malignant", seed=2, lesion_free=True)
    assert made.pair.low_energy.dtype == np.uint8
    assert made.record["calibration"]["kind"] == "anatomy"
    assert made.mask[made.support].all()


def test_a_host_that_nobody_calls_lesion_free_is_refused(host: PhantomView) -> None:
    with pytest.raises(LesionFreeNotAsserted, match="lesion-free"):
        simulate(host.pair, malignancy="benign", seed=1, lesion_free=False)


def test_an_exclusion_mask_of_another_size_is_refused(host: PhantomView) -> None:
    with pytest.raises(UnusableInput, match="must agree"):
        simulate(host.pair, malignancy="benign", seed=1, lesion_free=True, exclusion=np.zeros((3, 3), bool))


def test_images_of_different_size_are_no_pair(host: PhantomView) -> None:
    with pytest.raises(ValueError, match="same number of rows"):
        dataclasses.replace(host.pair, recombined=host.pair.recombined[:-1])


def test_a_saturated_breast_is_refused(host: PhantomView) -> None:
    burnt = np.where(host.truth.breast, 4095, 0).astype(np.uint16)
    with pytest.raises(SaturatedImage, match="ends of the value range"):
        simulate(dataclasses.replace(host.pair, low_energy=burnt), malignancy="benign", seed=1, lesion_free=True)


def test_a_picture_without_a_breast_is_refused(host: PhantomView) -> None:
    with pytest.raises(BreastNotFound):
        simulate(
            dataclasses.replace(host.pair, low_energy=np.zeros_like(host.pair.low_energy)),
            malignancy="benign",
            seed=1,
            lesion_free=True,
        )


def test_a_breast_without_room_is_refused(host: PhantomView) -> None:
    with pytest.raises(BreastTooSmall, match="cells fit"):
        simulate(host.pair, malignancy="benign", seed=1, lesion_free=False, exclusion=host.truth.breast)


def test_pixels_that_are_not_square_are_refused(host: PhantomView) -> None:
    with pytest.raises(UnusableInput, match="square"):
        simulate(dataclasses.replace(host.pair, spacing_mm=(0.1, 0.2)), malignancy="benign", seed=1, lesion_free=True)


def test_a_known_display_curve_is_needed_for_lut_calibration(host: PhantomView) -> None:
    with pytest.raises(InvalidSettings, match="no display curve"):
        simulate(
            dataclasses.replace(host.pair, vendor="unknown"),
            malignancy="benign",
            seed=1,
            lesion_free=True,
            settings=SimulationSettings(calibration="lut"),
        )


def test_other_lesion_types_are_refused(host: PhantomView) -> None:
    with pytest.raises(InvalidSettings, match="only clusters"):
        simulate(host.pair, malignancy="benign", seed=1, lesion_free=True, lesion_type="mass")


def test_real_eight_bit_pairs_give_a_case_beside_their_lesions_or_a_reason(shared_data) -> None:
    folder = shared_data / "cdd-cesm-512"
    with (folder / "pairs.csv").open() as file:
        pairs = list(csv.DictReader(file))[::37]
    outcomes: Counter[str] = Counter()
    for index, row in enumerate(pairs):
        pair = read_pair(
            folder / row["low_energy"],
            folder / row["recombined"],
            laterality=row["laterality"],
            view_position=row["view"],
        )
        lesions = np.zeros(pair.shape, bool)
        for column in ("mask_low_energy", "mask_recombined"):
            if row[column]:
                lesions |= read_pixels(folder / row[column]).pixels > 127
        exclusion = ndimage.binary_dilation(lesions, iterations=8)
        try:
            made = simulate(
                pair,
                malignancy="malignant" if index % 2 else "benign",
                seed=index,
                lesion_free=False,
                exclusion=exclusion,
                settings=QUICK,
            )
        except SimulationError as error:
            outcomes[error.code] += 1
            assert str(error)
            continue
        outcomes["case"] += 1
        assert not (made.mask & exclusion).any()
        assert made.mask[made.support].all()
    assert outcomes["case"] >= len(pairs) / 2
