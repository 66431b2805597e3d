"""The web process stays small."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
LOAD = """
import sys
import django
django.setup()
from django.urls import get_resolver
get_resolver().url_patterns
import webapp.asgi
print(sorted({"torch", "torchvision", "radiomics", "SimpleITK", "xgboost"} & sys.modules.keys()))
"""


def test_the_web_process_loads_no_torch_and_no_radiomics(tmp_path: Path) -> None:
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "webapp.settings", "CEMLAB_DATA": str(tmp_path)}

    loaded = subprocess.run(
        [sys.executable, "-c", LOAD], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )

    assert loaded.stdout.strip().splitlines()[-1] == "[]"
