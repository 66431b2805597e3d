"""Candidate places: vesselness against scikit-image, and what makes a place a candidate."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.filters import frangi

from simulation.candidates import find_candidates, vesselness


def textured(shape: tuple[int, int] = (160, 150)) -> np.ndarray:
    """Noise with three ridges and a few spots."""
    rng = np.random.default_rng(0)
    image = 1000 + 8 * rng.standard_normal(shape)
    image[50, 20:120] += 90
    image[20:140, 70] += 60
    for k in range(60):
        image[60 + k, 20 + k] += 70
    for row, column in ((100, 30), (120, 110), (30, 100)):
        image[row - 1 : row + 2, column - 1 : column + 2] += 150
    return image.astype(np.float32)


def test_vesselness_is_that_of_scikit_image() -> None:
    image = textured()
    ours, _ = vesselness(image, sigmas=(1.0, 2.0, 3.0), beta=0.5, gamma=20.0)
    theirs = frangi(image.astype(np.float64), sigmas=(1, 2, 3), beta=0.5, gamma=20.0, black_ridges=False)
    inner = (slice(14, -14), slice(14, -14))
    # other kernels of the same derivatives: scikit-image differentiates twice, which blurs the pixel grid less
    assert np.corrcoef(ours[inner].ravel(), theirs[inner].ravel())[0, 1] > 0.99
    assert np.quantile(np.abs(ours - theirs)[inner], 0.95) < 0.05


@pytest.mark.parametrize("scale", [2.0, 3.0])
def test_above_one_pixel_the_scales_agree_one_by_one(scale: float) -> None:
    image = textured()
    ours, _ = vesselness(image, sigmas=(scale,), beta=0.5, gamma=20.0)
    theirs = frangi(image.astype(np.float64), sigmas=(scale,), beta=0.5, gamma=20.0, black_ridges=False)
    inner = (slice(14, -14), slice(14, -14))
    assert np.abs(ours - theirs)[inner].max() < 0.02


def test_dark_lines_are_no_vessels() -> None:
    image = np.full((60, 60), 500.0, np.float32)
    image[30] -= 100
    ours, _ = vesselness(image, sigmas=(1.0, 2.0), beta=0.5, gamma=20.0)
    assert ours[30, 20:40].max() < 1e-3


def test_bright_spots_and_ridges_are_candidates_and_forbidden_pixels_are_not() -> None:
    rng = np.random.default_rng(0)
    image = 1000 + 5 * rng.standard_normal((120, 120))
    image[50, 40:80] += 120
    image[70, 60] += 200
    permitted = np.ones(image.shape, bool)
    permitted[:45] = False
    found = find_candidates(image, (slice(30, 90), slice(30, 90)), permitted, rng, wanted=5)
    assert (found.y >= 45).all()
    assert np.hypot(found.x - 60.5, found.y - 70.5).min() < 2
    near = np.flatnonzero((np.abs(found.y - 50.5) < 1.5) & (found.x > 45) & (found.x < 75))
    assert near.size
    # the direction follows the ridge, which runs along x
    assert np.abs(np.cos(found.direction[near])).mean() > 0.95
    assert (np.diff(found.score) <= 0).all()
    assert len(found.x) == len(found)


def test_the_percentile_falls_until_there_are_three_times_as_many_as_wanted() -> None:
    image = textured()
    region = (slice(12, 140), slice(12, 138))
    few, many = (
        find_candidates(image, region, np.ones(image.shape, bool), np.random.default_rng(1), wanted=wanted)
        for wanted in (3, 400)
    )
    assert few.percentile == 80
    assert many.percentile == 60
    assert len(many) > len(few) >= 9


def test_nowhere_permitted_gives_no_candidates() -> None:
    image = textured()
    found = find_candidates(
        image, (slice(20, 80), slice(20, 80)), np.zeros(image.shape, bool), np.random.default_rng(0), wanted=5
    )
    assert len(found) == 0
