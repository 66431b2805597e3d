"""What the input gate finds out about a host."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imaging.pair import CEMPair
from simulation.host import Host, prepare_host
from simulation.phantom import PhantomView, phantom_patient
from simulation.registration import measure_shift
from simulation.settings import SimulationSettings
from simulation.working_scale import WorkingScale

SMALL = [(size, site) for size in ("test", "small") for site in ("A", "B")]
FULL = [pytest.param("full", site, marks=pytest.mark.slow) for site in ("A", "B")]


def prepared(pair: CEMPair, **changes: object) -> Host:
    return prepare_host(pair, lesion_free=True, exclusion=None, settings=SimulationSettings(**changes))


@pytest.mark.parametrize(("size", "site"), SMALL + FULL)
def test_the_outline_follows_the_true_breast(size: str, site: str) -> None:
    for view in phantom_patient(seed=21, site=site, size=size, views=(("L", "CC"), ("R", "MLO"))):
        host = prepared(view.pair)
        found = host.breast[:, ::-1] if host.flipped else host.breast
        truth = view.truth.breast
        assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) >= 0.98


@pytest.mark.parametrize(("site", "view"), [("A", "CC"), ("B", "MLO")])
def test_a_mirrored_host_is_the_same_host(site: str, view: str) -> None:
    pair = phantom_patient(seed=22, site=site, size="small", views=(("L", view),))[0].pair
    first, second = prepared(pair), prepared(pair.mirrored())
    assert (first.flipped, second.flipped) == (False, True)
    assert first.sha256 == second.sha256
    assert first.cells == second.cells
    assert first.assumptions == second.assumptions
    for name in ("breast", "low_energy", "recombined"):
        assert np.array_equal(getattr(first, name), getattr(second, name))
    assert np.array_equal(first.area.mask, second.area.mask)
    assert first.area.nipple == second.area.nipple


def test_a_host_of_odd_size_is_mirrored_exactly(host: PhantomView) -> None:
    pair = host.pair
    odd = CEMPair(pair.low_energy[1:, :-1], pair.recombined[1:, :-1], "L", "CC", (0.2, 0.2), 12, pair.vendor)
    first, second = prepared(odd), prepared(odd.mirrored())
    assert first.cells == second.cells
    assert np.array_equal(first.area.mask, second.area.mask)


@given(x=st.integers(-9, 9), y=st.integers(-9, 9))
@settings(max_examples=15, deadline=None)
def test_a_known_shift_is_measured_to_half_a_pixel(host: PhantomView, x: int, y: int) -> None:
    moved = np.roll(host.pair.recombined, (y, x), (0, 1))
    spacing = host.pair.spacing_mm[0]
    shift = measure_shift(
        host.pair.low_energy.astype(np.float32), moved.astype(np.float32), prepared(host.pair).breast, spacing
    )
    assert shift.certain
    assert shift.x == pytest.approx(x, abs=0.5)
    assert shift.y == pytest.approx(y, abs=0.5)


def test_unrelated_images_have_no_certain_shift(host: PhantomView) -> None:
    noise = np.random.default_rng(1).normal(2000, 50, host.pair.shape).astype(np.float32)
    breast = prepared(host.pair).breast
    assert not measure_shift(host.pair.low_energy.astype(np.float32), noise, breast, 0.4).certain


@pytest.mark.slow
def test_registered_full_size_phantoms_are_not_refused_and_shifted_ones_are_measured() -> None:
    for site in ("A", "B"):
        pair = phantom_patient(seed=23, site=site, size="full", views=(("R", "CC"),))[0].pair
        scale = WorkingScale.of(pair.shape, 0.1)
        low = scale.reduce(pair.low_energy)
        breast = low > 100
        for moved in ((0, 0), (5, -6)):
            other = scale.reduce(np.roll(pair.recombined, moved, (0, 1)))
            shift = measure_shift(low, other, breast, 0.1 * scale.step)
            assert shift.certain
            assert shift.y * scale.step == pytest.approx(moved[0], abs=1.0)
            assert shift.x * scale.step == pytest.approx(moved[1], abs=1.0)


@given(
    rows=st.integers(40, 90),
    columns=st.integers(40, 90),
    spacing=st.sampled_from([0.05, 0.07, 0.1, 0.2, 0.4, 0.8]),
)
@settings(max_examples=40, deadline=None)
def test_the_working_scale_keeps_places(rows: int, columns: int, spacing: float) -> None:
    scale = WorkingScale.of((rows, columns), spacing)
    assert spacing * scale.step <= 0.45 or scale.step == 1
    image = np.zeros((rows, columns), np.uint16)
    image[rows // 2 :, : columns // 2] = 1000
    small = scale.reduce(image)
    back = scale.enlarge(small > 500)
    assert back.shape == (rows, columns)
    # only the block that the border runs through may be wrong
    assert (back != (image > 500)).sum() <= scale.step * (rows + columns)
