"""Phantom hosts shared by the simulation tests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from imaging.dicom_writing import ImageIdentity, write_pair
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


@pytest.fixture
def files(host: PhantomView, tmp_path: Path) -> Callable[..., tuple[Path, Path]]:
    """Two DICOM files of the host; `change` edits both headers, `low` the low-energy one only."""

    def write(
        change: Callable[[Dataset], None] | None = None, low: Callable[[Dataset], None] | None = None
    ) -> tuple[Path, Path]:
        written = write_pair(host.pair, tmp_path, identity=ImageIdentity("T-1", "TEST^ONE", date(2024, 1, 2), "1"))
        for path, edits in ((written.low_energy, (change, low)), (written.recombined, (change,))):
            dataset = pydicom.dcmread(path)
            for edit in edits:
                if edit is not None:
                    edit(dataset)
            dataset.save_as(path)
        return written.low_energy, written.recombined

    return write
