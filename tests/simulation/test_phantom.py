"""Phantom patients and sets."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pydicom
import pytest
from scipy import ndimage

from imaging.acceptance import verdict
from imaging.contours import polygons_to_mask
from imaging.reading import read_pair
from simulation.__main__ import main
from simulation.phantom import DEFAULT_MIX, LesionPlan, PlannedLesion, phantom_patient, write_phantom_set
from simulation.phantom.patient import image_geometry

CLASSES = [(kind, grade) for kind in ("mass", "cluster") for grade in ("benign", "malignant")]


@pytest.fixture(scope="module")
def phantom_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_phantom_set(tmp_path_factory.mktemp("set"), sites={"A": 6, "B": 5}, size="test", seed=4)


def test_equal_seeds_give_equal_patients() -> None:
    plan = LesionPlan((PlannedLesion("cluster", "malignant"),))
    first = phantom_patient(seed=5, size="test", lesions=plan)
    second = phantom_patient(seed=5, size="test", lesions=plan)
    for one, two in zip(first, second, strict=True):
        assert np.array_equal(one.pair.low_energy, two.pair.low_energy)
        assert np.array_equal(one.pair.recombined, two.pair.recombined)
        assert one.lesions == two.lesions


@pytest.mark.parametrize("site", ["A", "B"])
@pytest.mark.parametrize(("kind", "grade"), CLASSES)
def test_lesions_lie_inside_the_breast_off_the_pectoral_and_in_both_views(site, kind, grade) -> None:
    for seed in range(3):
        plan = LesionPlan((PlannedLesion(kind, grade, "R"),))
        views = phantom_patient(seed=seed, site=site, size="test", lesions=plan)
        assert [len(view.lesions) for view in views] == [0, 0, 1, 1]
        assert {lesion.lesion_id for view in views for lesion in view.lesions} == {"lesion-1"}
        for view in views[2:]:
            inside = polygons_to_mask(view.lesions[0].polygons, view.pair.shape)
            assert inside.any()
            assert view.truth.breast[inside].all()
            assert (view.truth.pectoral[inside] > 0.5).mean() < 0.05
            assert (view.lesions[0].calcifications > 0) == (kind == "cluster")


def test_both_views_show_a_lesion_at_about_the_same_distance_behind_the_nipple() -> None:
    for seed in range(6):
        plan = LesionPlan((PlannedLesion("mass", "malignant", "L"),))
        views = phantom_patient(seed=seed, size="test", lesions=plan, views=(("L", "CC"), ("L", "MLO")))
        depths = []
        for view in views:
            _, columns = np.nonzero(view.truth.lesions)
            depths.append(abs(view.truth.nipple[0] - columns.mean()) * view.pair.spacing_mm[1])
        assert abs(depths[0] - depths[1]) < 10


def test_a_lesion_changes_only_its_surroundings_of_the_same_patient() -> None:
    bare = phantom_patient(seed=9, size="test", views=(("L", "CC"),))[0]
    plan = LesionPlan((PlannedLesion("mass", "malignant", "L"),))
    ill = phantom_patient(seed=9, size="test", lesions=plan, views=(("L", "CC"),))[0]
    change = ill.pair.recombined.astype(int) - bare.pair.recombined.astype(int)
    near = ndimage.binary_dilation(ill.truth.lesions, iterations=12)
    shift = np.median(change[ill.truth.breast & ~near])  # the display centre follows the whole breast
    assert change[ill.truth.lesions].mean() - shift > 5 * np.abs(change[ill.truth.breast & ~near] - shift).mean()


@pytest.mark.parametrize("site", ["A", "B"])
def test_the_grey_values_fill_the_range_without_saturating(site) -> None:
    for seed in range(4):
        for view in phantom_patient(seed=seed, site=site, size="test", views=(("L", "CC"), ("L", "MLO"))):
            breast = view.truth.breast
            low, high = np.percentile(view.pair.low_energy[breast], [5, 95]) / 4095
            assert high - low > 0.25
            assert (view.pair.low_energy[breast] >= 4094).mean() < 0.01
            assert view.pair.recombined[breast].std() > 30
            assert (view.pair.low_energy[~breast] == 0).all()


def test_enhancing_malignant_masses_are_brighter_than_benign_ones_in_the_recombined_image() -> None:
    from simulation.enhancement import measure_contrast

    contrast: dict[str, list[float]] = {"benign": [], "malignant": []}
    for grade, values in contrast.items():
        for seed in range(8):
            plan = LesionPlan((PlannedLesion("mass", grade, "L"),))
            view = phantom_patient(seed=seed, size="test", lesions=plan, views=(("L", "CC"),))[0]
            values.append(measure_contrast(view.pair.recombined, view.truth.lesions))
    assert np.mean(contrast["malignant"]) > np.mean(contrast["benign"]) + 0.02


def test_reduced_sizes_show_the_same_field_of_view() -> None:
    assert image_geometry("A", "full") == ((2294, 1914), 0.1)
    assert image_geometry("B", "full") == ((2850, 2394), 0.1)
    for site, height in (("A", 229.4), ("B", 285.0)):
        for size, rows in (("small", 575), ("test", 288)):
            shape, spacing = image_geometry(site, size)
            assert shape[0] == rows
            assert shape[0] * spacing == pytest.approx(height)


def test_a_set_follows_its_manifest(phantom_set: Path) -> None:
    body = json.loads(phantom_set.read_text())
    assert (body["schema"], body["size"], body["seed"]) == ("cemlab.phantom/1", "test", 4)
    assert [p["site"] for p in body["patients"]] == ["A"] * 6 + ["B"] * 5
    assert len({p["patient"] for p in body["patients"]}) == 11
    for patient in body["patients"]:
        assert [(v["laterality"], v["view"]) for v in patient["views"]] == [
            ("L", "CC"),
            ("L", "MLO"),
            ("R", "CC"),
            ("R", "MLO"),
        ]
        for view in patient["views"]:
            pair = read_pair(
                phantom_set.parent / view["low_energy"],
                phantom_set.parent / view["recombined"],
                laterality=view["laterality"],
                view_position=view["view"],
            )
            assert pair.shape == (288, 240)
            assert pair.bits_stored == 12
            assert pair.vendor == {"A": "phantom-a", "B": "phantom-b"}[patient["site"]]
            for lesion in view["lesions"]:
                mask = polygons_to_mask(lesion["polygons"], pair.shape)
                assert (pair.low_energy[mask] > 0).all()


def test_every_class_and_a_lesion_free_patient_is_present_at_each_site(phantom_set: Path) -> None:
    body = json.loads(phantom_set.read_text())
    site_a = [p for p in body["patients"] if p["site"] == "A"]
    found = {
        (lesion["lesion_type"], lesion["malignancy"])
        for patient in site_a
        for view in patient["views"]
        for lesion in view["lesions"]
    }
    assert found == set(CLASSES)
    assert any(not any(view["lesions"] for view in patient["views"]) for patient in site_a)
    assert len(DEFAULT_MIX) == 6


def test_a_part_of_site_b_is_stored_inverted_and_reads_the_same_way_up(phantom_set: Path) -> None:
    body = json.loads(phantom_set.read_text())
    inverted = []
    for patient in body["patients"]:
        view = patient["views"][0]
        path = phantom_set.parent / view["low_energy"]
        stored = pydicom.dcmread(path)
        inverted.append(stored.PhotometricInterpretation == "MONOCHROME1")
        pair = read_pair(
            path, phantom_set.parent / view["recombined"], laterality=view["laterality"], view_position=view["view"]
        )
        assert np.median(pair.low_energy) == 0  # air is dark however it is stored
        if inverted[-1]:
            assert np.median(stored.pixel_array) == 4095
    assert sum(inverted) == 1
    assert not any(inverted[:6])


def test_the_same_arguments_write_the_same_bytes(tmp_path: Path) -> None:
    digests = []
    for name in ("one", "two"):
        manifest = write_phantom_set(tmp_path / name, sites={"B": 1}, size="test", seed=2)
        files = sorted(manifest.parent.rglob("*.*"))
        digests.append([(f.name, hashlib.sha256(f.read_bytes()).hexdigest()) for f in files])
    assert digests[0] == digests[1]
    assert len(digests[0]) == 9


def test_the_caller_chooses_the_mix_of_lesions(tmp_path: Path) -> None:
    manifest = write_phantom_set(
        tmp_path, sites={"A": 2}, size="test", seed=2, plan=((("mass", "benign"), ("cluster", "malignant")), ())
    )
    patients = json.loads(manifest.read_text())["patients"]
    kinds = [sorted({lesion["lesion_type"] for v in p["views"] for lesion in v["lesions"]}) for p in patients]
    assert kinds == [["cluster", "mass"], []]


@pytest.mark.parametrize("lesion", [None, "malignant-cluster", "benign-cluster", "malignant-mass", "benign-mass"])
def test_the_command_writes_a_pair_for_each_view_with_the_wanted_lesion(tmp_path: Path, capsys, lesion) -> None:
    arguments = ["phantom", "--size", "test", "--seed", "3", "--out", str(tmp_path / "out")]
    assert main([*arguments, *(["--lesion", lesion] if lesion else [])]) == 0
    (patient,) = json.loads((tmp_path / "out" / "manifest.json").read_text())["patients"]
    found = [sorted(f"{m['malignancy']}-{m['lesion_type']}" for m in view["lesions"]) for view in patient["views"]]
    assert len(found) == 4
    assert sorted(found) == ([[]] * 4 if lesion is None else [[], [], [lesion], [lesion]])
    assert "view 4 of 4" in capsys.readouterr().err


def test_a_written_phantom_says_what_it_is(phantom_set: Path) -> None:
    for site in "AB":
        path = next((phantom_set.parent / site).rglob("*_low_energy.dcm"))
        header = pydicom.dcmread(path, stop_before_pixels=True)
        assert (header.Manufacturer, header.ManufacturerModelName) == ("CEMLab", f"Phantom {site}")
        facts = verdict(path).facts
        assert (facts["vendor"], facts["kind"], facts["synthetic"]) == (f"phantom-{site.lower()}", "low_energy", False)


def test_wrong_requests_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="choose full, small or test"):
        write_phantom_set(tmp_path, sites={"A": 1}, size="huge", seed=1)
    with pytest.raises(ValueError, match="patients for A and B"):
        write_phantom_set(tmp_path, sites={"C": 1}, size="test", seed=1)
    with pytest.raises(ValueError, match="plan of lesions is empty"):
        write_phantom_set(tmp_path, sites={"A": 1}, size="test", seed=1, plan=())
    assert list(tmp_path.iterdir()) == []


def test_an_existing_set_is_not_overwritten(phantom_set: Path) -> None:
    with pytest.raises(FileExistsError, match="empty folder"):
        write_phantom_set(phantom_set.parent, sites={"A": 1}, size="test", seed=1)
