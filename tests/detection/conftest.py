"""Small sample sets drawn here: a bright half-ellipse of breast with discs in it, as pairs of PNG files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from detection.configuration import MaskRCNNConfiguration
from detection.preset import presets
from detection.sample_set import LesionTarget, Sample, SampleSet

ROWS, COLUMNS = 128, 96

Spot = tuple[str, str, float, float, float]
"""Lesion type, malignancy, centre x, centre y, radius in pixels."""

MASS: Spot = ("mass", "malignant", 40, 50, 13)
CLUSTER: Spot = ("cluster", "benign", 38, 90, 11)


def circle(x: float, y: float, radius: float) -> tuple[tuple[float, float], ...]:
    """A polygon of 24 corners."""
    angles = np.arange(24) * np.pi / 12
    return tuple((float(x + radius * np.cos(a)), float(y + radius * np.sin(a))) for a in angles)


def draw(folder: Path, name: str, spots: Sequence[Spot], seed: int = 0) -> Sample:
    """Write one view and describe it. Chest wall at the left; masses light up in the recombined image."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:ROWS, :COLUMNS] + 0.5
    breast = (x / (COLUMNS * 0.9)) ** 2 + ((y - ROWS / 2) / (ROWS * 0.47)) ** 2 < 1
    low = np.where(breast, 90 + rng.normal(0, 6, breast.shape), 0)
    recombined = np.where(breast, 90 + rng.normal(0, 6, breast.shape), 0)
    lesions = []
    for index, (lesion_type, malignancy, cx, cy, radius) in enumerate(spots):
        inside = (x - cx) ** 2 + (y - cy) ** 2 < radius**2
        if lesion_type == "cluster":
            low[inside & (rng.random(inside.shape) < 0.15)] = 240
        else:
            recombined[inside] += 110
            low[inside] += 50
        lesions.append(
            LesionTarget(
                f"{name}-{index}",
                lesion_type,
                malignancy,
                (circle(cx, cy, radius),),
                (cx - radius, cy - radius, cx + radius, cy + radius),
            )
        )
    paths = []
    for kind, pixels in (("low", low), ("recombined", recombined)):
        paths.append(folder / f"{name}-{kind}.png")
        assert cv2.imwrite(str(paths[-1]), pixels.clip(0, 255).astype(np.uint8))
    return Sample(name, f"patient-{name}", paths[0], paths[1], "L", "CC", None, "phantom", tuple(lesions))


@pytest.fixture
def views(tmp_path: Path) -> Callable[..., SampleSet]:
    """Make a sample set: one view for each list of spots."""
    made = iter(range(1_000_000))

    def make(*spots: Sequence[Spot], name: str = "drawn") -> SampleSet:
        folder = tmp_path / f"set-{next(made)}"
        folder.mkdir()
        samples = (draw(folder, f"{name}-{index}", view, seed=index) for index, view in enumerate(spots))
        return SampleSet(name, tuple(samples))

    return make


def tiny(**changes: Any) -> MaskRCNNConfiguration:
    """A network as small as the schema allows within reason."""
    values: Mapping[str, Any] = {
        **presets()["cpu-quick"].configuration.to_dict()["values"],
        "backbone": "compact",
        "input_min_size": 96,
        "input_max_size": 128,
        "pyramid_channels": 32,
        "box_head_width": 64,
        "proposals_training": 60,
        "proposals_inference": 40,
        "regions_per_image": 32,
        "anchor_sizes": [12, 20, 32, 48, 80],
        "lesion_free_share": 0.0,
        "best_epoch": "validation_loss",
        "epochs": 2,
        "warm_up_steps": 0,
        "batch_size": 2,
        **changes,
    }
    return MaskRCNNConfiguration.from_values(values)


@pytest.fixture
def quiet() -> dict[str, Any]:
    """Arguments of `fit` that nobody listens to."""
    return {"progress": lambda event: None, "should_stop": lambda: False, "device": "cpu"}
