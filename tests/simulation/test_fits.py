"""Distributions measured on annotated lesions, by functions and by commands."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from simulation.__main__ import main
from simulation.cluster_parameters import PARAMETERS, ClusterParameters
from simulation.enhancement import ContrastDistribution
from simulation.errors import InvalidSettings, UnreadableLesions
from simulation.fits import AnnotatedLesion, fit_clusters, fit_contrasts, refined_target
from simulation.lesion_table import load, read_lesions
from simulation.phantom import write_phantom_set

SIZE = 240


def disc(radius: float, x: float = 120, y: float = 120) -> np.ndarray:
    rows, columns = np.ogrid[:SIZE, :SIZE]
    return (columns - x) ** 2 + (rows - y) ** 2 <= radius**2


def enhanced(contrast: float, seed: int, level: int = 1000) -> np.ndarray:
    image = level + 10 * np.random.default_rng(seed).standard_normal((SIZE, SIZE))
    image[disc(30)] *= contrast
    return np.rint(image).astype(np.uint16)


def lesions(contrasts, malignancy: str = "malignant", vendor: str = "phantom-a") -> list[AnnotatedLesion]:
    return [
        AnnotatedLesion(enhanced(value, i), disc(30), f"p{i // 2}", malignancy, f"line {i}", vendor=vendor)
        for i, value in enumerate(contrasts)
    ]


def calcified(seed: int, count: int, radius_mm: float = 0.2) -> np.ndarray:
    """Calcifications of known size inside a disc of 60 pixels, 0.1 mm pixels."""
    rng = np.random.default_rng(seed)
    image = 2000 + 15 * rng.standard_normal((SIZE, SIZE))
    fine = (np.arange(SIZE * 4) + 0.5) / 4
    placed: list[np.ndarray] = []
    while len(placed) < count:
        place = 120 + rng.uniform(-50, 50, 2)
        if np.hypot(*(place - 120)) < 50 and all(np.hypot(*(place - other)) > 12 for other in placed):
            placed.append(place)
    for x, y in placed:
        inside = (fine[None] - x) ** 2 + (fine[:, None] - y) ** 2 <= (radius_mm * 10) ** 2
        image += 400 * inside.reshape(SIZE, 4, SIZE, 4).mean((1, 3))
    return np.rint(image).astype(np.uint16)


def test_measured_contrasts_replace_the_prior_of_their_class_only() -> None:
    known = 1.05 + 0.02 * np.random.default_rng(0).standard_normal(12)
    fits, refused = fit_contrasts(lesions(known))
    assert not refused
    fit = fits["malignant"]
    assert (len(fit.measured), fit.patients) == (12, 6)
    assert fit.distribution().values == pytest.approx(known, abs=0.003)
    assert fit.median is not None
    assert fit.median.low <= np.median(known) + 0.003
    assert fit.median.high >= np.median(known) - 0.003
    assert fits["benign"].distribution() == ContrastDistribution.prior("benign")
    assert fits["benign"].median is None


def test_each_form_is_fitted_or_says_why_not() -> None:
    known = lesions([1.02, 1.04, 1.06, 1.08, 1.1, 1.12])
    assert set(fit_contrasts(known)[0]["malignant"].distributions) == {"ratio", "cnr", "iodine"}
    elsewhere = fit_contrasts(lesions([1.02, 1.04, 1.06, 1.08, 1.1, 1.12], vendor="hologic"))[0]["malignant"]
    assert "hologic" in elsewhere.reasons["iodine"]
    with pytest.raises(InvalidSettings, match="hologic"):
        elsewhere.distribution("iodine")


def test_lesions_that_cannot_be_measured_are_refused_by_name() -> None:
    outside = AnnotatedLesion(
        np.where(disc(30), 900, 0).astype(np.uint16), disc(30), "p", "benign", "line 9", vendor="phantom-a"
    )
    fits, refused = fit_contrasts([*lesions([1.1] * 5), outside])
    assert [(item.name, "no tissue" in item.reason) for item in refused] == [("line 9", True)]
    assert len(fits["malignant"].measured) == 5


def test_measured_clusters_give_counts_and_diameters() -> None:
    known = [6, 8, 10, 10, 12, 14]
    clusters = [
        AnnotatedLesion(calcified(i, n), disc(60), f"p{i}", "benign", f"line {i}", 0.1) for i, n in enumerate(known)
    ]
    fits, refused = fit_clusters(clusters, detected_share=1.0)
    fit = fits["benign"]
    assert not refused
    assert [cluster.count for cluster in fit.measured] == pytest.approx(known, abs=1)
    assert fit.parameters.count_median == pytest.approx(10, abs=1)
    assert fit.parameters.count_sigma == pytest.approx(np.std(np.log(known), ddof=1), abs=0.1)
    assert 5 < fit.parameters.diameter_median_mm < 10
    assert fit.medians["particle_diameter_mm"].value == pytest.approx(0.4, abs=0.1)
    assert fit.parameters.patterns == PARAMETERS["benign"].patterns
    assert fit.target_contrast_to_noise is not None
    assert fit.target_contrast_to_noise > 5
    assert fits["malignant"].is_prior
    assert fits["malignant"].parameters == PARAMETERS["malignant"]


def test_counts_are_corrected_for_what_cannot_be_found() -> None:
    clusters = [AnnotatedLesion(calcified(i, 10), disc(60), f"p{i}", "benign", f"{i}", 0.1) for i in range(5)]
    plain, corrected = (fit_clusters(clusters, detected_share=share)[0]["benign"] for share in (1.0, 0.5))
    assert corrected.parameters.count_median == pytest.approx(2 * plain.parameters.count_median)
    assert corrected.medians["count"] == plain.medians["count"]
    with pytest.raises(InvalidSettings, match="detected_share"):
        fit_clusters([], detected_share=0)


def test_a_second_round_of_matching_takes_back_what_the_first_overshot() -> None:
    assert refined_target(4.0, real=4.0, synthetic=6.0) == pytest.approx(4 * 4 / 6)
    with pytest.raises(InvalidSettings, match="positive"):
        refined_target(4.0, real=4.0, synthetic=0.0)


def test_empty_outlines_and_unknown_pixel_sizes_are_refused() -> None:
    empty = AnnotatedLesion(enhanced(1.0, 1), disc(60), "p", "benign", "empty", 0.1)
    unknown = AnnotatedLesion(calcified(1, 8), disc(60), "p", "benign", "unknown")
    _, refused = fit_clusters([empty, unknown])
    assert {item.name: item.reason for item in refused}.keys() == {"empty", "unknown"}
    assert "pixel size" in refused[1].reason


def write_list(folder: Path, rows: list[dict[str, str]]) -> Path:
    path = folder / "lesions.csv"
    with path.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, fieldnames=sorted({name for row in rows for name in row}))
        writer.writeheader()
        writer.writerows(rows)
    return path


def listed(folder: Path, count: int) -> list[dict[str, str]]:
    rows = []
    for i in range(count):
        recombined = np.clip(enhanced(1.02 + 0.01 * i, i, 120), 0, 255).astype(np.uint8)
        Image.fromarray(recombined).save(folder / f"{i}_re.png")
        low = np.clip(calcified(i, 8) / 16, 0, 255).astype(np.uint8)
        Image.fromarray(low).save(folder / f"{i}_le.png")
        Image.fromarray(disc(30).astype(np.uint8) * 255).save(folder / f"{i}_mask.png")
        rows.append(
            {
                "patient": f"p{i}",
                "malignancy": "malignant",
                "recombined": f"{i}_re.png",
                "low_energy": f"{i}_le.png",
                "mask": f"{i}_mask.png",
                "spacing_mm": "0.1",
            }
        )
    return rows


def test_fit_contrast_writes_what_insert_and_batch_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [*listed(tmp_path, 6), {"patient": "q", "malignancy": "benign", "recombined": "absent.png", "radius": "9",
                                   "x": "50", "y": "50"}]  # fmt: skip
    out = tmp_path / "contrast.json"
    assert main(["fit-contrast", "--lesions", str(write_list(tmp_path, rows)), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "6 lesions of 6 patients" in printed
    assert "lesions.csv line 8" in printed
    body = json.loads(out.read_text())
    fitted = ContrastDistribution.from_json(body["malignant"])
    assert sorted(fitted.values) == pytest.approx(1.02 + 0.01 * np.arange(6), abs=0.01)
    assert ContrastDistribution.from_json(body["benign"]).is_prior
    assert body["left_out"][0]["lesion"] == "lesions.csv line 8"
    assert main(["fit-contrast", "--lesions", str(tmp_path), "--out", str(out)]) == 1
    assert "already there" in capsys.readouterr().err


def test_fit_clusters_writes_parameters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "clusters.json"
    arguments = ["fit-clusters", "--lesions", str(write_list(tmp_path, listed(tmp_path, 6))), "--out", str(out)]
    assert main(arguments) == 0
    assert "6 clusters of 6 patients; measured" in capsys.readouterr().out
    body = json.loads(out.read_text())
    facts = body["measured"]["malignant"]
    assert (facts["n"], facts["patients"], facts["prior"]) == (6, 6, False)
    assert facts["medians"]["count"]["low"] <= facts["medians"]["count"]["value"]
    parameters = ClusterParameters.from_json(body["malignant"])
    assert parameters.source == "measured on 6 clusters of 6 patients"
    assert ClusterParameters.from_json(body["benign"]) == PARAMETERS["benign"]


def test_measured_files_replace_the_priors_of_insert(tmp_path: Path) -> None:
    write_phantom_set(tmp_path / "set", sites={"A": 1}, size="test", seed=3, plan=((),))
    lesion_list = str(write_list(tmp_path, listed(tmp_path, 6)))
    for name in ("contrast", "clusters"):
        assert main([f"fit-{name}", "--lesions", lesion_list, "--out", str(tmp_path / f"{name}.json")]) == 0
    views = tmp_path / "set" / "A" / "PH-A-001"
    arguments = [
        "insert", "--low-energy", str(views / "L_CC_low_energy.dcm"), "--recombined",
        str(views / "L_CC_recombined.dcm"), "--lesion-free", "--seed", "5",
        "--contrast", str(tmp_path / "contrast.json"), "--clusters", str(tmp_path / "clusters.json"),
    ]  # fmt: skip
    sources = {}
    for kind in ("benign", "malignant"):
        assert main([*arguments, "--type", kind, "--out", str(tmp_path / kind)]) == 0
        record = json.loads(next((tmp_path / kind).glob("*_record.json")).read_text())
        sources[kind] = (record["cluster_parameters"]["source"], record["enhancement"]["distribution"] == "prior")
    assert sources == {"benign": ("prior", True), "malignant": ("measured on 6 clusters of 6 patients", False)}


@pytest.mark.parametrize(
    ("row", "word"),
    [
        ({"patient": "", "low_energy": "a.png", "radius": "3", "x": "1", "y": "1"}, "no patient"),
        ({"patient": "p", "low_energy": "a.png"}, "no outline"),
        ({"patient": "p", "low_energy": "a.png", "malignancy": "bad", "radius": "3", "x": "1", "y": "1"}, "malignancy"),
        ({"patient": "p", "low_energy": "a.png", "radius": "-3", "x": "1", "y": "1"}, "radius"),
        ({"patient": "p", "low_energy": "a.png", "polygons": "[[1,2]]"}, "line 2"),
        ({"patient": "p", "low_energy": "a.png", "polygons": "[[[1,2],[3,4]]]"}, "three points"),
        ({"patient": "p", "low_energy": "a.png", "polygons": "[[[1,2],[3,4],[NaN,5]]]"}, "finite"),
        ({"patient": "p", "low_energy": "a.png", "radius": "nan", "x": "1", "y": "1"}, "radius"),
        ({"patient": "p", "low_energy": "a.png", "polygons": "9" * 200_000}, "not a CSV file"),
        ({"patient": "p", "low_energy": "a.png", "radius": "3", "x": "1", "y": "1", "spacing_mm": "9"}, "spacing_mm"),
        ({"patient": "p", "picture": "a.png"}, "unknown columns picture"),
        ({"patient": "p", "malignancy": "benign"}, "low_energy or recombined"),
    ],
)
def test_a_line_that_cannot_be_understood_names_its_fault(tmp_path: Path, row, word) -> None:
    with pytest.raises(UnreadableLesions, match=word):
        read_lesions(write_list(tmp_path, [row]))


def test_outlines_come_as_mask_polygons_or_circle(tmp_path: Path) -> None:
    Image.fromarray(np.full((50, 60), 9, np.uint8)).save(tmp_path / "a.png")
    square = np.zeros((50, 60), np.uint8)
    square[10:20, 30:40] = 255
    Image.fromarray(square).save(tmp_path / "m.png")
    common = {"patient": "p", "low_energy": "a.png"}
    polygon = json.dumps([[[30, 10], [40, 10], [40, 20], [30, 20]]])
    rows = read_lesions(
        write_list(
            tmp_path,
            [
                common | {"mask": "m.png"},
                common | {"polygons": polygon},
                common | {"x": "20", "y": "20", "radius": "8"},
                common | {"x": "500", "y": "500", "radius": "8"},
            ],
        )
    )
    by_mask, by_polygon, by_circle = (load(row, "low_energy").mask for row in rows[:3])
    assert np.array_equal(by_mask, square > 0)
    assert np.array_equal(by_polygon, square > 0)
    assert by_circle.sum() == pytest.approx(np.pi * 64, rel=0.05)
    assert ndimage.center_of_mass(by_circle) == pytest.approx((19.5, 19.5), abs=0.5)
    with pytest.raises(UnreadableLesions, match="no pixel"):
        load(rows[3], "low_energy")
    with pytest.raises(UnreadableLesions, match="no recombined"):
        load(rows[0], "recombined")


def test_a_folder_without_lesions_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit-contrast", "--lesions", str(tmp_path), "--out", str(tmp_path / "x.json")]) == 1
    assert capsys.readouterr().err.startswith("unreadable-lesions: ")


def test_coarse_pixels_keep_the_particle_sizes_of_the_prior() -> None:
    clusters = [AnnotatedLesion(calcified(i, 8), disc(60), f"p{i}", "benign", f"{i}", 0.2) for i in range(5)]
    fit = fit_clusters(clusters)[0]["benign"]
    assert not fit.is_prior
    assert fit.parameters.particle_median_mm == PARAMETERS["benign"].particle_median_mm
    assert "particle_diameter_mm" in fit.medians
