"""Single calcifications and what they cast on the detector."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulation.calcification import (
    Calcification,
    draw_calcification,
    lateral_scale,
    reach_px,
    render,
)
from simulation.particle import half_extent
from tests.simulation.solid_balls import solid_ball

ROUND = solid_ball(20.0, 20.0, 0.8)


def test_a_sphere_casts_the_mean_transmission_of_its_chords() -> None:
    layer = render([ROUND], (40, 40), spacing_mm=0.1, attenuation_per_mm=1.0)
    # oracle: chord 2 sqrt(r^2 - d^2) on a fine grid, transmission averaged over the disc's pixels
    fine = (np.arange(40 * 50) + 0.5) / 50 - 20
    chord = 2 * np.sqrt(np.clip(0.4**2 - (fine[None] * 0.1) ** 2 - (fine[:, None] * 0.1) ** 2, 0, None))
    expected = -np.log(np.exp(-chord).reshape(40, 50, 40, 50).mean((1, 3)))
    assert np.abs(layer.tau - expected).max() < 0.01
    # volume of the sphere
    volume = layer.thickness_um.sum() / 1000 * 0.1**2
    assert volume == pytest.approx(4 / 3 * np.pi * 0.4**3, rel=0.01)


def test_a_shift_by_whole_pixels_shifts_the_drawing() -> None:
    moved = solid_ball(23.0, 18.0, 0.8)
    first = render([ROUND], (40, 40), spacing_mm=0.1, attenuation_per_mm=1.0).tau
    second = render([moved], (40, 40), spacing_mm=0.1, attenuation_per_mm=1.0).tau
    assert np.allclose(np.roll(first, (-2, 3), (0, 1)), second)


def test_the_centre_of_mass_is_where_it_was_asked_for() -> None:
    place = solid_ball(20.3, 17.8, 0.6)
    tau = render([place], (40, 40), spacing_mm=0.1, attenuation_per_mm=0.1).tau
    rows, columns = np.mgrid[:40, :40] + 0.5
    assert (tau * columns).sum() / tau.sum() == pytest.approx(20.3, abs=0.02)
    assert (tau * rows).sum() / tau.sum() == pytest.approx(17.8, abs=0.02)


@given(
    seed=st.integers(0, 10_000),
    malignancy=st.sampled_from(["benign", "malignant"]),
    morphology=st.sampled_from(["punctate", "amorphous", "coarse", "pleomorphic", "linear"]),
    spacing=st.sampled_from([0.07, 0.1, 0.4, 0.8]),
)
@settings(max_examples=60, deadline=None)
def test_every_form_is_drawn_whole_with_a_support(seed, malignancy, morphology, spacing) -> None:
    rng = np.random.default_rng(seed)
    particle = draw_calcification(rng, malignancy, x=80.2, y=79.6, morphology=morphology)
    reach = int(reach_px(particle, spacing)) + 2
    shape = (2 * reach + 4, 2 * reach + 4)
    origin = (79 - reach - 2, 80 - reach - 2)
    layer = render([particle], shape, spacing_mm=spacing, attenuation_per_mm=1.0, origin=origin)
    assert layer.support.any()
    assert (layer.tau >= 0).all()
    # nothing is cut off at the border of the drawing
    edge = np.ones(shape, bool)
    edge[1:-1, 1:-1] = False
    assert (layer.tau[edge] < 0.02 * layer.tau.max()).all()


def test_a_particle_that_reaches_beyond_the_region_is_an_error_not_a_wrap() -> None:
    with pytest.raises(ValueError, match="beyond"):
        render([ROUND], (22, 40), spacing_mm=0.1, attenuation_per_mm=1.0)


def test_particles_are_enlarged_only_on_coarse_pixels() -> None:
    assert lateral_scale(0.07) == lateral_scale(0.1) == 1.0
    assert lateral_scale(0.8) > 4


@pytest.mark.parametrize(("prior", "smaller"), [("s000", True), ("comedo", False)])
def test_the_size_prior_sets_which_class_is_smaller(prior, smaller) -> None:
    rng = np.random.default_rng(0)

    def median(malignancy: str) -> float:
        drawn = [
            draw_calcification(rng, malignancy, x=0, y=0, morphology="punctate", size_prior=prior).diameter_mm
            for _ in range(300)
        ]
        return float(np.median(drawn))

    assert (median("malignant") < median("benign")) == smaller


def drawn(seed: int, malignancy: str, morphology: str) -> Calcification:
    rng = np.random.default_rng(seed)
    return draw_calcification(rng, malignancy, x=40.0, y=40.0, morphology=morphology)


def drawn_volume(particle: Calcification, spacing: float = 0.1) -> float:
    layer = render([particle], (80, 80), spacing_mm=spacing, attenuation_per_mm=1.0)
    return float(layer.thickness_um.sum(dtype=np.float64)) / 1000 * spacing**2


@pytest.mark.parametrize("morphology", ["punctate", "coarse", "pleomorphic", "linear", "branching"])
@pytest.mark.parametrize("malignancy", ["benign", "malignant"])
def test_the_thickness_map_holds_the_volume_of_the_body(malignancy: str, morphology: str) -> None:
    particle = drawn(3, malignancy, morphology)
    # oracle: points of a fine lattice that lie in any of the spheroids
    low, high = half_extent(particle.body)
    axes = [np.linspace(a, b, 121)[:-1] + (b - a) / 240 for a, b in zip(low, high, strict=True)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), -1)
    inside = np.zeros(points.shape[:3], bool)
    for part in particle.body:
        offset = points - part.centre
        along = offset @ np.array(part.axis)
        across = (offset**2).sum(-1) - along**2
        inside |= (along / part.length) ** 2 + across / part.radius**2 <= 1
    assert drawn_volume(particle) == pytest.approx(inside.mean() * np.prod(high - low), rel=0.02)


def test_the_haze_of_an_amorphous_calcification_holds_the_volume_of_its_density() -> None:
    particle = drawn(5, "benign", "amorphous")
    (haze,) = particle.body
    # integral of 1 - r^2 over an ellipsoid
    assert drawn_volume(particle) == pytest.approx(8 * np.pi / 15 * haze.length * haze.radius**2, rel=0.01)


@pytest.mark.parametrize("morphology", ["punctate", "amorphous", "coarse", "pleomorphic", "linear"])
def test_a_shift_by_parts_of_a_pixel_keeps_volume_and_moves_the_centre_of_mass(morphology: str) -> None:
    particle = drawn(7, "malignant", morphology)
    rows, columns = np.mgrid[:80, :80] + 0.5
    volumes, offsets = [], []
    for shift in (0.0, 0.13, 0.5, 0.77):
        moved = replace(particle, x=particle.x + shift, y=particle.y - shift)
        thickness = render([moved], (80, 80), spacing_mm=0.1, attenuation_per_mm=1.0).thickness_um.astype(np.float64)
        mass = thickness.sum()
        volumes.append(mass)
        offsets.append(((thickness * columns).sum() / mass - moved.x, (thickness * rows).sum() / mass - moved.y))
    assert np.ptp(volumes) < 0.02 * np.mean(volumes)
    assert np.ptp(offsets, axis=0).max() < 0.02


@given(
    seed=st.integers(0, 10_000),
    malignancy=st.sampled_from(["benign", "malignant"]),
    morphology=st.sampled_from(["punctate", "coarse", "pleomorphic", "linear"]),
)
@settings(max_examples=40, deadline=None)
def test_a_solid_body_covers_the_area_of_its_diameter(seed: int, malignancy: str, morphology: str) -> None:
    particle = drawn(seed, malignancy, morphology)
    layer = render([particle], (320, 320), spacing_mm=0.01, attenuation_per_mm=1.0, origin=(-120, -120))
    area = layer.support.sum() * 0.01**2
    assert 2 * np.sqrt(area / np.pi) == pytest.approx(particle.diameter_mm, rel=0.1)


def test_malignant_calcifications_are_rougher_and_branching_ones_longer() -> None:
    def bumpiness(malignancy: str) -> float:
        values = []
        for seed in range(60):
            core, *bumps = drawn(seed, malignancy, "pleomorphic").body
            reach = [np.hypot(*(np.array(b.centre) - core.centre)[:2]) + b.radius for b in bumps]
            values.append(np.std(reach) / core.radius)
        return float(np.mean(values))

    assert bumpiness("malignant") > bumpiness("benign")
    thin, round_ = (drawn(1, "malignant", name).aspect for name in ("linear", "punctate"))
    assert thin >= 3 > 1.3 >= round_


def test_amorphous_calcifications_are_half_as_strong_as_solid_ones() -> None:
    ratios = []
    for seed in range(40):
        hazy, solid = (drawn(seed, "benign", name) for name in ("amorphous", "punctate"))
        peak = [
            float(render([one], (80, 80), spacing_mm=0.02, attenuation_per_mm=0.01, origin=(0, 0)).tau.max())
            for one in (hazy, replace(solid, density=1.0))
        ]
        ratios.append(peak[0] / peak[1])
    assert 0.35 < np.median(ratios) < 0.65
