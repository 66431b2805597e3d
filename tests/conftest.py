"""Fixtures for every test."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with the real images for internal tests; skips with the reason where it is absent."""
    folder = Path(os.environ.get("CEM_SHARED_DATA", ROOT.parent / "shared" / "data")).resolve()
    if not folder.is_dir():
        pytest.skip(f"real test images absent: {folder.name} (set CEM_SHARED_DATA)")
    return folder
