"""Phantom hosts shared by the simulation tests."""

from __future__ import annotations

import pytest

from simulation.case import SimulatedCase, simulate
from simulation.phantom import PhantomView, phantom_patient


@pytest.fixture(scope="session")
def host() -> PhantomView:
    """A lesion-free CC view of site A, small."""
    return phantom_patient(seed=11, site="A", size="small", views=(("L", "CC"),))[0]


@pytest.fixture(scope="session")
def breast_views() -> list[PhantomView]:
    """Lesion-free CC and MLO of the same right breast, test size."""
    return phantom_patient(seed=12, site="B", size="test", views=(("R", "CC"), ("R", "MLO")))


@pytest.fixture(scope="session")
def case(host: PhantomView) -> SimulatedCase:
    """A malignant cluster in the host."""
    return simulate(host.pair, malignancy="malignant", seed=7, lesion_free=True)
