"""The command that compares synthetic with real lesions."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from simulation.__main__ import main
from simulation.case import simulate
from simulation.errors import TooFewLesions
from simulation.files import write_case
from simulation.lesion_table import read_lesions
from simulation.phantom import PhantomView
from simulation.realism.description import SPOT_FEATURES, Description, describe, describe_rows
from simulation.realism.evaluation import evaluate

SIZE = 400


def lesion(seed: int, *, height: float = 300.0, beta: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    """Twelve calcifications on a power-law background, air on the right."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(SIZE)[:, None], np.fft.rfftfreq(SIZE)[None])
    frequency[0, 0] = 1
    spectrum = np.fft.rfft2(rng.standard_normal((SIZE, SIZE))) * frequency ** (-beta / 2)
    spectrum[0, 0] = 0
    field = np.fft.irfft2(spectrum)
    image = 2000 + 150 * field / field.std() + 15 * rng.standard_normal((SIZE, SIZE))
    places = np.zeros((SIZE, SIZE))
    rows, columns = 200 + rng.integers(-40, 40, 12), 120 + rng.integers(-40, 40, 12)
    places[rows, columns] = 1
    spots = ndimage.gaussian_filter(places, 1.2)
    image += height * spots / spots.max()
    image[:, 330:] = 0
    mask = ndimage.binary_dilation(places > 0, iterations=12)
    return np.clip(np.rint(image), 0, 4095).astype(np.uint16), mask


def descriptions(seeds: range, **kind) -> list[Description]:
    return [describe(*lesion(seed, **kind), spacing_mm=0.1, patient=f"p{seed // 2}", bits_stored=12) for seed in seeds]


def test_a_description_holds_every_measure() -> None:
    found = descriptions(range(1))[0]
    assert found.texture.shape == (93,)
    assert found.spots.shape == (found.cluster.count, len(SPOT_FEATURES))
    assert found.cluster.count > 5
    assert 2 < found.slope_outside < 3.6
    assert np.isfinite(found.kurtosis).all()
    assert np.isfinite(found.texture).all()


@pytest.fixture(scope="module")
def real() -> list[Description]:
    return descriptions(range(24))


@pytest.mark.slow
def test_lesions_of_one_kind_are_not_told_apart(real: list[Description]) -> None:
    report = evaluate(real, descriptions(range(100, 124)), resamples=60, trees=60)
    assert all(item.p > 0.01 for item in (*report.slopes, *report.marginals, *report.kurtosis))
    assert all(0.2 < test.forest.value < 0.8 for test in report.classifiers)
    assert report.coverage is not None
    assert report.coverage.median.value > 0.85
    assert report.distance is not None
    assert report.distance.ratio.value < 1.5
    assert not report.not_measured


@pytest.mark.slow
def test_stronger_calcifications_and_another_background_are_found(real: list[Description]) -> None:
    report = evaluate(real, descriptions(range(200, 224), height=700.0, beta=2.0), resamples=60, trees=60)
    marginals = {item.name: item for item in report.marginals}
    assert marginals["contrast to noise"].p < 0.05
    assert all(item.p < 0.05 for item in report.slopes)
    assert report.slopes[1].synthetic_median < report.slopes[1].real_median - 0.5
    assert min(test.forest.low for test in report.classifiers) > 0.7
    assert report.distance is not None
    assert report.distance.ratio.value > 1.5


def test_fewer_than_twenty_lesions_a_side_are_refused(real: list[Description]) -> None:
    with pytest.raises(TooFewLesions, match="19 synthetic"):
        evaluate(real, real[:19])
    with pytest.raises(TooFewLesions, match="5 real"):
        evaluate(real[:5], real)


def test_few_patients_and_unlike_images_are_warned_of(real: list[Description]) -> None:
    lonely = [
        Description(**{**vars(item), "patient": f"q{i % 2}", "bits_stored": 8, "spacing_mm": 0.2})
        for i, item in enumerate(real)
    ]
    report = evaluate(real, lonely, resamples=5, trees=5)
    told = " ".join(report.warnings)
    assert "2 synthetic patients" in told
    assert "other depth" in told
    assert "pixel sizes" in told


def written(folder: Path, seeds: range) -> Path:
    folder.mkdir()
    with (folder / "lesions.csv").open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["patient", "malignancy", "low_energy", "mask", "spacing_mm"])
        for seed in seeds:
            image, mask = lesion(seed)
            Image.fromarray((image // 16).astype(np.uint8)).save(folder / f"{seed}.png")
            Image.fromarray(mask.astype(np.uint8) * 255).save(folder / f"{seed}_mask.png")
            writer.writerow([f"p{seed}", "malignant", f"{seed}.png", f"{seed}_mask.png", "0.1"])
    return folder


@pytest.mark.slow
def test_evaluate_prints_every_measure_and_writes_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sides = [written(tmp_path / name, seeds) for name, seeds in (("real", range(22)), ("made", range(50, 71)))]
    out = tmp_path / "report.json"
    arguments = ["evaluate", "--real", str(sides[0]), "--synthetic", str(sides[1]), "--resamples", "20"]
    assert main([*arguments, "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "22 real lesions of 22 patients, 21 synthetic lesions of 21 hosts" in printed
    assert all(name in printed for name in ("M1", "M2", "M3", "M4", "M5", "M6"))
    assert "none shows that synthetic lesions cannot be told from real" in printed
    body = json.loads(out.read_text())
    assert body["schema"] == "cemlab.realism/1"
    assert body["real"] == {"lesions": 22, "patients": 22}
    assert main([*arguments, "--out", str(out)]) == 1
    assert "already there" in capsys.readouterr().err


def test_evaluate_refuses_too_few_with_its_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    side = written(tmp_path / "few", range(3))
    assert main(["evaluate", "--real", str(side), "--synthetic", str(side)]) == 1
    assert capsys.readouterr().err.startswith("too-few-lesions: 3 real")


def test_simulated_cases_are_read_as_they_were_written(host: PhantomView, tmp_path: Path) -> None:
    made = simulate(host.pair, malignancy="malignant", seed=2, lesion_free=True)
    write_case(made, tmp_path)
    rows = read_lesions(tmp_path)
    assert [(row.malignancy, row.patient) for row in rows] == [("malignant", made.record["host"]["sha256"])]
    found, refused = describe_rows(rows)
    assert not refused
    assert found[0].spacing_mm == pytest.approx(host.pair.spacing_mm[0], rel=1e-3)
    assert found[0].bits_stored == 12
