"""What must not matter: hanging, laterality, photometric interpretation, threads, processes, a kept analysis."""

from __future__ import annotations

import dataclasses
import hashlib
import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imaging.dicom_writing import ImageIdentity, write_pair
from imaging.pair import CEMPair
from imaging.reading import read_pixels
from simulation.analysed_host import HostCache, analyse_host
from simulation.case import SimulatedCase, simulate
from simulation.errors import ConflictingLaterality, InvalidSettings
from simulation.files import read_host, write_case
from simulation.phantom import PhantomView, phantom_patient
from simulation.settings import SimulationSettings

QUICK = SimulationSettings(maximum_cells=24)


@pytest.fixture(scope="module")
def pairs() -> list[CEMPair]:
    """Lesion-free views of both sites, sides and positions."""
    found = []
    for seed, site, side in ((21, "A", "L"), (22, "B", "R")):
        views = phantom_patient(seed=seed, site=site, size="test", views=((side, "CC"), (side, "MLO")))
        found += [view.pair for view in views]
    return found


def _simulate(pair: CEMPair, **choices) -> SimulatedCase:
    return simulate(pair, **({"malignancy": "malignant", "seed": 1, "lesion_free": True, "settings": QUICK} | choices))


def _is_mirror_image(one: SimulatedCase, other: SimulatedCase) -> bool:
    columns = one.mask.shape[1]
    positions = [(columns - c.x, c.y, c.diameter_mm) for c in one.calcifications]
    return (
        np.array_equal(one.pair.low_energy[:, ::-1], other.pair.low_energy)
        and np.array_equal(one.pair.recombined[:, ::-1], other.pair.recombined)
        and np.array_equal(one.mask[:, ::-1], other.mask)
        and np.array_equal(one.support[:, ::-1], other.support)
        and np.allclose(positions, [(c.x, c.y, c.diameter_mm) for c in other.calcifications])
    )


given_hosts = given(
    index=st.integers(0, 3), seed=st.integers(0, 2**32 - 1), malignancy=st.sampled_from(("benign", "malignant"))
)
few = settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@few
@given_hosts
def test_a_left_breast_shown_as_a_right_one_gives_the_mirrored_case(
    pairs: list[CEMPair], index: int, seed: int, malignancy: str
) -> None:
    made = _simulate(pairs[index], seed=seed, malignancy=malignancy)
    other = _simulate(pairs[index].mirrored(), seed=seed, malignancy=malignancy)
    assert _is_mirror_image(made, other)
    assert other.record["host"]["laterality"] != made.record["host"]["laterality"]


def test_a_flipped_picture_that_keeps_its_laterality_is_refused(pairs: list[CEMPair]) -> None:
    for pair in pairs:
        with pytest.raises(ConflictingLaterality):
            _simulate(dataclasses.replace(pair.mirrored(), laterality=pair.laterality))


@pytest.mark.parametrize("columns", [283, 287, 288])
def test_the_mirrored_case_does_not_depend_on_the_width_of_the_picture(pairs: list[CEMPair], columns: int) -> None:
    pair = pairs[0]
    cut = dataclasses.replace(
        pair,
        low_energy=np.ascontiguousarray(pair.low_energy[:, :columns][:, :240]),
        recombined=np.ascontiguousarray(pair.recombined[:, :columns][:, :240]),
    )
    odd = np.pad(cut.low_energy, ((0, 0), (0, columns - 240))), np.pad(cut.recombined, ((0, 0), (0, columns - 240)))
    wide = dataclasses.replace(pair, low_energy=odd[0], recombined=odd[1])
    assert _is_mirror_image(_simulate(wide), _simulate(wide.mirrored()))


@pytest.mark.parametrize("index", range(4))
def test_a_monochrome1_host_gives_the_same_picture_stored_inverted(
    pairs: list[CEMPair], index: int, tmp_path: Path
) -> None:
    pair = pairs[index]
    written = {}
    for photometric in ("MONOCHROME2", "MONOCHROME1"):
        identity = ImageIdentity("P", "P^P", date(2020, 1, 1), seed=photometric)
        host = write_pair(pair, tmp_path / photometric, identity=identity, photometric=photometric)
        read, source = read_host(host.low_energy, host.recombined)
        case = _simulate(read, source=source.to_json())
        written[photometric] = write_case(case, tmp_path / f"out-{photometric}", source=source)
    for role in ("low_energy", "recombined"):
        plain, inverted = (read_pixels(written[name][role]) for name in ("MONOCHROME2", "MONOCHROME1"))
        assert (plain.photometric, inverted.photometric) == ("MONOCHROME2", "MONOCHROME1")
        assert np.array_equal(plain.pixels, inverted.pixels)
    masks = [written[name]["mask"].read_bytes() for name in written]
    assert masks[0] == masks[1]


@given(seed=st.integers(0, 2**32 - 1), index=st.integers(0, 3))
@few
def test_both_images_are_those_of_the_host_outside_the_region(pairs: list[CEMPair], index: int, seed: int) -> None:
    pair = pairs[index]
    made = _simulate(pair, seed=seed)
    rows, columns = np.nonzero(made.mask)
    # the vendor's enhancement reaches three sigma of 2 mm, the recombined edge eight sigma of its own
    pad = int(np.ceil(6 / pair.spacing_mm[0])) + 12
    outside = np.ones(made.mask.shape, bool)
    outside[max(rows.min() - pad, 0) : rows.max() + pad, max(columns.min() - pad, 0) : columns.max() + pad] = False
    assert np.array_equal(made.pair.low_energy[outside], pair.low_energy[outside])
    assert np.array_equal(made.pair.recombined[outside], pair.recombined[outside])


def test_a_kept_analysis_gives_the_same_case(pairs: list[CEMPair]) -> None:
    analysed = analyse_host(pairs[1], lesion_free=True, settings=QUICK)
    for variant in range(3):
        fresh = _simulate(pairs[1], variant=variant)
        kept = _simulate(pairs[1], variant=variant, analysed=analysed)
        assert kept.record == fresh.record
        assert np.array_equal(kept.pair.low_energy, fresh.pair.low_energy)


def test_an_analysis_serves_settings_that_act_after_it_and_no_others(pairs: list[CEMPair]) -> None:
    analysed = analyse_host(pairs[0], lesion_free=True, settings=QUICK)
    _simulate(pairs[0], analysed=analysed, settings=dataclasses.replace(QUICK, blend="literal"))
    copied = dataclasses.replace(pairs[0], low_energy=pairs[0].low_energy.copy())
    _simulate(copied, analysed=analysed)
    for pair, choices in (
        (pairs[1], {}),
        (pairs[0], {"settings": dataclasses.replace(QUICK, skin_margin_mm=9.0)}),
        (pairs[0], {"settings": dataclasses.replace(QUICK, bin_count=16)}),
        (pairs[0], {"exclusion": np.zeros(pairs[0].shape, bool)}),
        (dataclasses.replace(pairs[0], spacing_mm=(0.7, 0.7)), {}),
    ):
        with pytest.raises(InvalidSettings, match="analysed host"):
            _simulate(pair, analysed=analysed, **choices)


def test_the_cache_keeps_the_hosts_used_last(pairs: list[CEMPair]) -> None:
    cache, made = HostCache(size=2), []

    def analyse(name: str):
        made.append(name)
        return analyse_host(pairs[0], lesion_free=True, settings=QUICK)

    for name in ("a", "b", "a", "c", "a", "b"):
        cache.get(name, lambda name=name: analyse(name))
    assert made == ["a", "b", "c", "b"]


def test_a_control_is_the_host_with_place_plan_and_outline_of_the_case(pairs: list[CEMPair]) -> None:
    for pair in pairs:
        case = _simulate(pair)
        control = _simulate(pair, settings=dataclasses.replace(QUICK, insertion="off"))
        assert np.array_equal(control.pair.low_energy, pair.low_energy)
        assert np.array_equal(control.pair.recombined, pair.recombined)
        assert np.array_equal(control.mask, case.mask)
        assert control.placement == case.placement
        assert control.record["insertion"] == "off"
        assert any("control" in text for text in control.record["warnings"])


_IN_A_NEW_PROCESS = """
import hashlib, sys
from simulation.case import simulate
from simulation.phantom import phantom_patient
from simulation.settings import SimulationSettings
pair = phantom_patient(seed=21, site="A", size="test", views=(("L", "CC"),))[0].pair
case = simulate(pair, malignancy="malignant", seed=1, lesion_free=True, settings=SimulationSettings(maximum_cells=24))
print(hashlib.sha256(case.pair.low_energy.tobytes() + case.pair.recombined.tobytes()).hexdigest())
"""


@pytest.mark.slow
@pytest.mark.parametrize("threads", ["1", "4"])
def test_processes_and_threads_do_not_matter(threads: str, monkeypatch: pytest.MonkeyPatch) -> None:
    host: PhantomView = phantom_patient(seed=21, site="A", size="test", views=(("L", "CC"),))[0]
    case = _simulate(host.pair)
    expected = hashlib.sha256(case.pair.low_energy.tobytes() + case.pair.recombined.tobytes()).hexdigest()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        monkeypatch.setenv(name, threads)
    done = subprocess.run([sys.executable, "-c", _IN_A_NEW_PROCESS], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == expected
