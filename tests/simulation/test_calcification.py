"""Single calcifications and what they cast on the detector."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulation.calcification import draw_calcification, lateral_scale, reach_px, render, round_calcification

ROUND = round_calcification(20.0, 20.0, 0.8)


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
    moved = round_calcification(23.0, 18.0, 0.8)
    first = render([ROUND], (40, 40), spacing_mm=0.1, attenuation_per_mm=1.0).tau
    second = render([moved], (40, 40), spacing_mm=0.1, attenuation_per_mm=1.0).tau
    assert np.allclose(np.roll(first, (-2, 3), (0, 1)), second)


def test_the_centre_of_mass_is_where_it_was_asked_for() -> None:
    place = round_calcification(20.3, 17.8, 0.6)
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
