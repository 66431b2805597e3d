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
from webapp.datasets import selectors as datasets
from webapp.datasets.models import DatasetVersion

PACKAGES = (
    "torch",
    "torchvision",
    "safetensors",
    "numpy",
    "scipy",
    "scikit-image",
    "scikit-learn",
    "opencv-python-headless",
    "statsmodels",
    "pydicom",
    "django",
)
"""Packages that decide numbers."""
SOURCES = ("imaging", "simulation", "detection", "webapp")
SUFFIXES = frozenset({".py", ".json", ".toml"})


@cache
def source_hash(root: Path) -> str:
    """SHA-256 over every source file and preset of the four packages, by path and content.

    Raises
    ------
    UserError
        If a package is missing or a file cannot be read.
    """
    digest = hashlib.sha256()
    for package in SOURCES:
        found = [path for path in (root / package).rglob("*") if path.suffix in SUFFIXES]
        if not found:
            raise UserError(f"The code version cannot be recorded: the sources of {package} are not where they run.")
        for path in sorted(found):
            if "__pycache__" in path.parts:
                continue
            digest.update(path.relative_to(root).as_posix().encode())
            try:
                digest.update(path.read_bytes())
            except OSError as error:
                raise UserError(
                    f"The code version cannot be recorded: {path.relative_to(root)} cannot be read."
                ) from error
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


def code_version() -> tuple[str, str]:
    """Commit (empty outside a checkout) and digest of the sources of this installation.

    Raises
    ------
    UserError
        If the sources cannot be read.
    """
    return git_commit(settings.ROOT), source_hash(settings.ROOT)


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


def of_run() -> dict[str, Any]:
    """Code and packages of this process, which may be newer than those of the launch.

    Raises
    ------
    UserError
        If the sources cannot be read or a package is not installed.
    """
    commit, sources = code_version()
    return {"commit": commit, "source_hash": sources, "environment": environment()}


def record(dataset_version: DatasetVersion, seeds: list[int]) -> dict[str, Any]:
    """The reproducibility record of an experiment.

    Raises
    ------
    UserError
        If code version, data hash, seeds or environment cannot be recorded: the experiment must not start.
    """
    _require_data(dataset_version)
    _require_seeds(seeds)
    commit, sources = code_version()
    return {
        "source_hash": sources,
        "commit": commit,
        "data_hash": dataset_version.content_hash,
        "seeds": seeds,
        "environment": environment(),
    }


def _require_data(dataset_version: DatasetVersion) -> None:
    if not dataset_version.content_hash:
        raise UserError("The data cannot be recorded: freeze the dataset version first.", field="version")
    if datasets.content_hash(dataset_version) != dataset_version.content_hash:
        raise UserError(
            f"The data cannot be recorded: what {dataset_version} contains does not give the hash it was frozen with. "
            "Make a new version of it.",
            field="version",
        )
    failed = [f"{check.count} {check.name}" for check in datasets.leakage_checks(dataset_version) if not check.passed]
    if failed:
        raise UserError(f"{dataset_version} leaks: {', '.join(failed)}. Make a new version of it.", field="version")


def _require_seeds(seeds: list[int]) -> None:
    if not seeds:
        raise UserError("The seeds cannot be recorded: give at least one.", field="seeds")
    if len(set(seeds)) != len(seeds) or any(type(seed) is not int or seed < 0 for seed in seeds):
        raise UserError(
            "The seeds cannot be recorded: every run of an arm needs a whole number of its own, from 0.", field="seeds"
        )
