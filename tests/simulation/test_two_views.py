"""CC and MLO of one breast show one cluster, whichever was made first."""

from __future__ import annotations

import json

import numpy as np
import pytest

from imaging.pair import CEMPair
from simulation.case import SimulatedCase, simulate
from simulation.phantom import PhantomView
from simulation.placement import Placement


def common_axis(case: SimulatedCase) -> np.ndarray:
    """Places along the axis to the nipple in mm from their mean; the chest wall of these views is on the right."""
    x = -np.array([one.x for one in case.calcifications]) * case.record["host"]["spacing_mm"]
    return x - x.mean()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["CC first", "MLO first"])
@pytest.mark.parametrize("malignancy", ["benign", "malignant"])
def test_the_second_view_shows_the_calcifications_of_the_first(
    breast_views: list[PhantomView], order: tuple[int, int], malignancy: str
) -> None:
    pairs = [breast_views[index].pair for index in order]
    first = simulate(pairs[0], malignancy=malignancy, seed=3, lesion_free=True)
    told = Placement.from_json(json.loads(json.dumps(first.placement.to_json())))
    second = simulate(pairs[1], malignancy=malignancy, seed=3, lesion_free=True, partner=told)
    assert len(second.calcifications) == len(first.calcifications)
    assert common_axis(second) == pytest.approx(common_axis(first), abs=1e-6)
    assert [one.diameter_mm for one in second.calcifications] == [one.diameter_mm for one in first.calcifications]
    assert second.placement.form == first.placement.form
    assert abs(second.placement.nipple_distance_mm - first.placement.nipple_distance_mm) <= 10


def test_views_of_the_mirrored_breast_show_the_mirrored_cluster(breast_views: list[PhantomView]) -> None:
    def both(pairs: list[CEMPair]) -> SimulatedCase:
        first = simulate(pairs[0], malignancy="malignant", seed=5, lesion_free=True)
        return simulate(pairs[1], malignancy="malignant", seed=5, lesion_free=True, partner=first.placement)

    pairs = [view.pair for view in breast_views]
    plain, turned = both(pairs), both([pair.mirrored() for pair in pairs])
    assert np.array_equal(plain.pair.low_energy[:, ::-1], turned.pair.low_energy)
    assert np.array_equal(plain.mask[:, ::-1], turned.mask)
