"""Calcifications measured inside an outline, against known ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from simulation.analysed_host import analyse_host
from simulation.case import simulate
from simulation.cluster_measurement import blur_fwhm_mm, measure_cluster
from simulation.phantom import phantom_patient
from simulation.vendor import profile_of

SPACING = 0.1
PLACES = ((60.5, 62.0), (90.0, 70.3), (75.2, 100.0), (110.0, 110.0), (64.0, 130.5))


def discs(radius_mm: float, height: float = 300.0, *, noise: float = 20.0, places=PLACES) -> np.ndarray:
    """Bright discs at (x, y) on correlated noise, drawn eight times finer and averaged."""
    rng = np.random.default_rng(5)
    image = 2000 + noise * rng.standard_normal((180, 180))
    image += 3 * noise * ndimage.gaussian_filter(rng.standard_normal((180, 180)), 12) * 12
    fine = (np.arange(180 * 8) + 0.5) / 8
    for x, y in places:
        inside = (fine[None] - x) ** 2 + (fine[:, None] - y) ** 2 <= (radius_mm / SPACING) ** 2
        image += height * inside.reshape(180, 8, 180, 8).mean((1, 3))
    return np.rint(image).astype(np.uint16)


def outline() -> np.ndarray:
    mask = np.zeros((180, 180), bool)
    mask[45:145, 45:130] = True
    return mask


def test_places_and_distances_are_those_that_were_drawn() -> None:
    found = measure_cluster(discs(0.2), outline(), SPACING)
    assert found.count == len(PLACES)
    known, measured = np.array(PLACES), np.array([(spot.x, spot.y) for spot in found.spots])
    assert cdist(known, measured).min(1).max() < 1.0
    distances = cdist(known, known)
    assert found.diameter_mm == pytest.approx(distances.max() * SPACING, abs=0.1)
    np.fill_diagonal(distances, np.inf)
    assert sorted(found.nearest_mm) == pytest.approx(sorted(distances.min(1) * SPACING), abs=0.1)


@pytest.mark.parametrize("radius", [0.15, 0.25, 0.4])
def test_widths_follow_the_discs(radius) -> None:
    spots = measure_cluster(discs(radius), outline(), SPACING).spots
    assert np.median([spot.fwhm_mm for spot in spots]) == pytest.approx(2 * radius, rel=0.2)


def test_contrast_follows_the_height() -> None:
    weak, strong = (measure_cluster(discs(0.3, height), outline(), SPACING).spots for height in (200.0, 600.0))
    ratio = np.median([s.peak_contrast for s in strong]) / np.median([s.peak_contrast for s in weak])
    assert ratio == pytest.approx(3, rel=0.25)
    assert np.median([s.contrast_to_noise for s in strong]) > 2 * np.median([s.contrast_to_noise for s in weak])


def test_noise_alone_gives_almost_nothing() -> None:
    counts = [measure_cluster(discs(0.2, 0.0, places=PLACES[:1]), outline(), SPACING).count]
    rng = np.random.default_rng(1)
    for _ in range(8):
        image = np.rint(2000 + 20 * rng.standard_normal((180, 180))).astype(np.uint16)
        counts.append(measure_cluster(image, outline(), SPACING).count)
    assert np.mean(counts) < 0.5


def test_only_the_outline_counts_and_a_line_is_no_calcification() -> None:
    image = discs(0.2)
    half = outline()
    half[:, 85:] = False
    assert measure_cluster(image, half, SPACING).count == sum(x < 85 for x, _ in PLACES)
    lined = discs(0.2, 0.0)
    lined[40:150, 80:83] += 200
    assert measure_cluster(lined, outline(), SPACING).count <= 2


def test_a_cluster_of_one_has_no_distances() -> None:
    found = measure_cluster(discs(0.25, places=PLACES[:1]), outline(), SPACING)
    assert (found.count, found.diameter_mm, found.nearest_mm) == (1, 0.0, ())


def test_a_wrong_outline_is_an_error() -> None:
    with pytest.raises(ValueError, match="agree"):
        measure_cluster(discs(0.2), np.ones((10, 10), bool), SPACING)
    with pytest.raises(ValueError, match="empty"):
        measure_cluster(discs(0.2), np.zeros((180, 180), bool), SPACING)


def test_the_blur_is_that_of_a_gaussian_with_the_same_mtf() -> None:
    width = blur_fwhm_mm(profile_of("ge-essential"), 0.1)
    sigma = width / 2.355
    assert np.exp(-2 * (np.pi * sigma * 2) ** 2) == pytest.approx(0.59, abs=0.01)
    assert blur_fwhm_mm(None, 0.2) == 0.2


@pytest.mark.slow
def test_inserted_calcifications_are_found_again() -> None:
    """Precision and recall on a full-size phantom; figures on more cases are in docs/simulation.md."""
    pair = phantom_patient(seed=1, site="A", size="full", views=(("L", "CC"),))[0].pair
    analysed = analyse_host(pair, lesion_free=True)
    spacing = pair.spacing_mm[0]
    hits = inserted = visible = visible_hits = measured = 0
    for variant in range(8):
        made = simulate(
            pair,
            malignancy=("benign", "malignant")[variant % 2],
            seed=3,
            variant=variant,
            lesion_free=True,
            analysed=analysed,
        )
        known = np.array([(item.x, item.y) for item in made.calcifications])
        spots = measure_cluster(made.pair.low_energy, made.mask, spacing, profile_of(pair.vendor)).spots
        distance = cdist(known, np.array([(spot.x, spot.y) for spot in spots]).reshape(-1, 2)) * spacing
        rows, columns = linear_sum_assignment(distance)
        matched = {int(r) for r, c in zip(rows, columns, strict=True) if distance[r, c] < 0.4}
        strong = {
            index
            for index, item in enumerate(made.record["cluster"]["calcifications"])
            if item["contrast_to_noise"] > 3 and item["morphology"] != "amorphous"
        }
        hits, inserted, measured = hits + len(matched), inserted + len(known), measured + len(spots)
        visible, visible_hits = visible + len(strong), visible_hits + len(strong & matched)
    assert hits / measured > 0.8
    assert visible_hits / visible > 0.65
