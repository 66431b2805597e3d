"""Fixtures of the cases tests: a files folder of their own."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings

from tests.webapp.cases.material import Pairs


@pytest.fixture(autouse=True)
def files_root(settings: Settings, tmp_path: Path) -> Path:
    """Stored files go to a folder of this test alone."""
    settings.DATA_ROOT = tmp_path / "data"
    settings.FILES_ROOT = tmp_path / "data" / "files"
    return settings.FILES_ROOT


@pytest.fixture
def pairs(tmp_path: Path) -> Pairs:
    """A folder for pictures with a manifest."""
    folder = tmp_path / "pairs"
    folder.mkdir()
    return Pairs(folder)


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """A folder for DICOM files, named after a patient as hospital exports are."""
    folder = tmp_path / "WINTER_ADA_19600102"
    folder.mkdir()
    return folder
