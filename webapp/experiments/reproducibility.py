"""What must be known before an experiment may start: code, data, environment."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from django.conf import settings

from webapp.core.errors import UserError
from webapp.datasets.models import DatasetVersion

PACKAGES = ("torch", "torchvision", "numpy", "scipy", "scikit-image", "opencv-python-headless", "pydicom", "django")
SOURCES = ("imaging", "simulation", "detection", "webapp")


@cache
def source_hash(root: Path) -> str:
    """SHA-256 over every source file and preset of the four packages, by path and content."""
    digest = hashlib.sha256()
    for package in SOURCES:
        for path in sorted((root / package).rglob("*")):
            if path.suffix in {".py", ".json", ".toml"} and "__pycache__" not in path.parts:
                digest.update(path.relative_to(root).as_posix().encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()


def git_commit(root: Path) -> str:
    """The commit checked out, with ``+changes`` where the working tree differs; empty outside a checkout."""
    try:
        commit = subprocess.run(
            ["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10, check=True
        ).stdout.strip()
        changed = subprocess.run(
            ["git", "-C", str(root), "status", "--porcelain", "--untracked-files=no"],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
    return commit + ("+changes" if changed else "")


def environment() -> dict[str, str]:
    """Python, platform and the versions of the packages that decide numbers.

    Raises
    ------
    UserError
        If one of them is not installed.
    """
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError as error:
            raise UserError(
                f"The environment cannot be recorded: package {name} is not installed. Install requirements.txt."
            ) from error
    return found


def record(dataset_version: DatasetVersion, seeds: list[int]) -> dict[str, Any]:
    """The reproducibility record of an experiment.

    Raises
    ------
    UserError
        If code version, data hash, seeds or environment cannot be recorded: the experiment must not start.
    """
    if not dataset_version.content_hash:
        raise UserError("The data cannot be recorded: freeze the dataset version first.", field="version")
    if not seeds:
        raise UserError("Give at least one seed.", field="seeds")
    root: Path = settings.ROOT
    return {
        "source_hash": source_hash(root),
        "commit": git_commit(root),
        "data_hash": dataset_version.content_hash,
        "seeds": seeds,
        "environment": environment(),
    }
