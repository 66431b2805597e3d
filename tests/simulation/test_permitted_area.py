"""Where cells may lie."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from simulation.host import Host, prepare_host
from simulation.pectoral import find_pectoral
from simulation.phantom import PhantomView, phantom_patient
from simulation.settings import SimulationSettings
from simulation.skin_folds import skin_folds
from simulation.suspect_spots import bright_spots, crowded


def prepared(view: PhantomView, **changes: object) -> Host:
    return prepare_host(view.pair, lesion_free=True, exclusion=None, settings=SimulationSettings(**changes))


def true_muscle(view: PhantomView, host: Host) -> np.ndarray:
    muscle = view.truth.pectoral > 0.5
    return muscle[:, ::-1] if host.flipped else muscle


@pytest.mark.slow
def test_no_cell_of_forty_oblique_views_touches_the_muscle() -> None:
    corners = 0
    for seed in range(100, 120):
        for site in ("A", "B"):
            view = phantom_patient(seed=seed, site=site, size="small", views=(("R", "MLO"),))[0]
            host = prepared(view)
            muscle = true_muscle(view, host)
            assert not any(muscle[cell.slices].any() for cell in host.cells), (seed, site)
            corners += host.area.pectoral == "corner"
    assert corners <= 8


def test_cells_keep_their_distances(host: PhantomView) -> None:
    found = prepared(host, skin_margin_mm=10.0, edge_margin_mm=6.0, nipple_margin_mm=12.0)
    spacing = host.pair.spacing_mm[0]
    # the skin, not the picture's own edge at the chest wall
    inside = np.pad(host.truth.breast, ((0, 0), (200, 0)), mode="edge")
    depth = ndimage.distance_transform_edt(inside)[:, 200:] * spacing
    # one working pixel of doubt about the outline
    assert depth[found.area.mask].min() >= 10.0 - 1.0
    rows, columns = np.nonzero(found.area.mask)
    assert min(rows.min(), columns.min()) * spacing >= 6.0 - spacing
    x, y = found.area.nipple
    assert np.hypot(columns + 0.5 - x, rows + 0.5 - y).min() * spacing >= 12.0


def test_the_nipple_is_found(host: PhantomView) -> None:
    found = prepared(host)
    distance = np.hypot(found.area.nipple[0] - host.truth.nipple[0], found.area.nipple[1] - host.truth.nipple[1])
    assert distance * host.pair.spacing_mm[0] < 8


def test_a_muscle_with_a_bent_border_is_followed() -> None:
    y, x = np.mgrid[:500, :400]
    breast = (x / 330) ** 2 + ((y - 250) / 260) ** 2 < 1
    border = 0.45 * (330 - y) + 18 * np.sin(y / 60)
    muscle = breast & (x < border)
    rng = np.random.default_rng(2)
    image = np.where(breast, 1000 + 500 * muscle + rng.normal(0, 60, breast.shape), 20).astype(np.float32)
    found = find_pectoral(image, breast, 0.4)
    assert found.found == "line"
    assert (muscle & ~found.mask).sum() < 0.002 * muscle.sum()
    # 3 mm around it and a little at the tip
    assert (found.mask & breast).sum() < muscle.sum() + 0.12 * breast.sum()


def test_a_fold_in_the_axilla_is_left_out_and_a_mass_is_not() -> None:
    y, x = np.mgrid[:500, :400]
    breast = (x / 330) ** 2 + ((y - 250) / 260) ** 2 < 1
    rng = np.random.default_rng(3)
    image = np.where(breast, 1000 + ndimage.gaussian_filter(rng.normal(0, 500, breast.shape), 6), 20)
    fold = breast & (np.abs(y - 70 - 0.3 * x) < 4) & (x < 290)
    mass = np.hypot(x - 120, y - 300) < 20
    image = np.where(fold | mass, image + 400, image).astype(np.float32)
    found = skin_folds(image, breast, "MLO", 0.4)
    assert found[fold].mean() > 0.8
    assert not found[mass].any()
    assert (found & breast).sum() < 0.1 * breast.sum()


def test_round_spots_are_found_and_lines_are_not() -> None:
    rng = np.random.default_rng(4)
    image = 1000 + rng.normal(0, 15, (400, 400))
    spots = [(100, 100), (110, 125), (125, 105), (95, 120), (118, 112), (300, 300)]
    bright = np.zeros(image.shape)
    for place in spots:
        bright[place] = 1
    image += 3000 * ndimage.gaussian_filter(bright, 1.0)
    image[199:202, 50:350] += 400
    found = bright_spots(image.clip(0, 4095).astype(np.uint16), np.ones(image.shape, bool), 0.2)
    assert found is not None
    for row, column in spots:
        assert np.hypot(found.x - column - 0.5, found.y - row - 0.5).min() < 1.5
    assert len(found) <= len(spots) + 12  # four deviations are reached by noise now and then
    assert not ((np.abs(found.y - 200.5) < 2) & (np.abs(found.x - 200) < 140)).any()
    crowd = crowded(found, (100, 100), 4, 0.2)
    assert crowd[28, 28]
    assert not crowd[75, 75]


def test_spots_are_not_looked_for_in_coarse_pixels() -> None:
    assert bright_spots(np.zeros((50, 50), np.uint16), np.ones((50, 50), bool), 0.4) is None
