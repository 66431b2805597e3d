"""Images made for the tests of the ground floor."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from imaging.dicom_writing import ImageIdentity, write_pair
from imaging.pair import CEMPair


def breast_picture(rows: int = 480, columns: int = 400, *, seed: int = 0, air: int = 40) -> np.ndarray:
    """A left breast: half-ellipse at the left edge, 12 bits."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:rows, :columns]
    inside = true_breast(rows, columns)
    image = np.full((rows, columns), float(air))
    image[inside] = 1400 + 500 * np.sin(x[inside] / 23) * np.cos(y[inside] / 31)
    image += rng.normal(0, 6, image.shape)
    return np.clip(image, 0, 4095).astype(np.uint16)


def true_breast(rows: int = 480, columns: int = 400) -> np.ndarray:
    y, x = np.mgrid[:rows, :columns]
    return (x / (0.72 * columns)) ** 2 + ((y - rows / 2) / (0.42 * rows)) ** 2 < 1


@pytest.fixture
def pair() -> CEMPair:
    low = breast_picture(seed=1)
    recombined = np.where(true_breast(), low // 4 + 1800, 0).astype(np.uint16)
    return CEMPair(low, recombined, "L", "MLO", (0.1, 0.1), 12, "ge-essential")


@pytest.fixture
def identity() -> ImageIdentity:
    return ImageIdentity(
        patient_id="HOSP-4711-XY",
        patient_name="Vandenberg^Johanna^Maria",
        study_date=date(2019, 5, 20),
        seed="7",
        study="visit-1",
        institution="St. Elsewhere Hospital",
        patient_age=93,
        accession_number="ACC998877",
    )


@pytest.fixture
def write(tmp_path: Path, pair: CEMPair, identity: ImageIdentity) -> Callable[..., Path]:
    """Writes the low-energy image of the pair and returns its path; keyword arguments go to `write_pair`."""

    def written(**options: object) -> Path:
        return write_pair(pair, tmp_path / "view", identity=identity, **options).low_energy  # type: ignore[arg-type]

    return written
