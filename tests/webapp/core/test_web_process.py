"""The web process stays small."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
LOAD = """
import sys
import django
django.setup()
from django.urls import get_resolver
def walk(patterns):
    for pattern in patterns:
        walk(getattr(pattern, "url_patterns", []))
walk(get_resolver().url_patterns)
import webapp.asgi
print(*sorted(sys.modules))
"""
NEVER = {"torch", "torchvision", "radiomics", "SimpleITK", "xgboost"}
"""Not in the web process at all."""
ON_USE = {"cv2", "scipy", "skimage", "statsmodels", "imagecodecs", "pydicom", "PIL", "pandas", "sklearn", "reportlab"}
"""Loaded by the request or the job that needs them, so that the process and every command start fast."""
PARTS = {"simulation.case", "simulation.settings", "simulation.phantom", "detection.evaluation.test_set"}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Modules of a web process that has started and knows its addresses."""
    data = tmp_path_factory.mktemp("data")
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "webapp.settings", "CEMLAB_DATA": str(data)}
    process = subprocess.run(
        [sys.executable, "-c", LOAD], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return set(process.stdout.split())


def test_the_web_process_knows_its_pages_and_its_jobs(loaded: set[str]) -> None:
    assert {"webapp.viewer.views", "webapp.api.views.cases", "webapp.cases.jobs", "webapp.experiments.jobs"} <= loaded


def test_the_web_process_loads_no_torch_and_no_radiomics(loaded: set[str]) -> None:
    assert not NEVER & loaded


def test_the_web_process_starts_without_image_codecs_scipy_and_the_simulation(loaded: set[str]) -> None:
    assert not (ON_USE | PARTS) & loaded
