"""The 93 radiomics features of cells against pyradiomics: equal numbers, and how much faster.

Equality: every feature of cells of phantoms, of real images where they are at hand (``CEM_SHARED_DATA``), and of made
cells: flat, two-level, float, negative, with more than 100 levels; sizes 32, 64, 128 and not square; bins of 25, of 5
and 32 bins. Speed: process CPU time on one core, against ``RadiomicsFeatureExtractor`` on cropped cells and against its
usual use with the full image and a full-size mask for each cell. A full-size view with all its cells is timed too.

Run: ``OMP_NUM_THREADS=1 python -m benchmarks.texture``
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.timing import timed
from simulation.host import prepare_host
from simulation.phantom import phantom_patient
from simulation.settings import SimulationSettings
from simulation.texture import FEATURE_NAMES, cell_features
from simulation.texture.features import Engine
from simulation.texture.reference import extractor, padded_mask, volume

LARGEST_DIFFERENCE = 1e-6
LEAST_CELLS = 500
LEAST_CROP, LEAST_FULL = 30, 250
# a difference is relative to the value, or to this where the value is (nearly) 0
SMALLEST_VALUE = 1e-6
SHAPES = ((32, 32), (64, 64), (128, 128), (48, 96))
Bins = dict[str, Any]
Cells = list[tuple[int, int, int, int]]
BINS: tuple[Bins, ...] = ({"bin_width": 25.0}, {"bin_width": 5.0}, {"bin_count": 32})
# narrow bins on 12-bit values make hundreds of levels, for which pyradiomics takes seconds a cell
WIDE = (BINS[0], BINS[2])
ENGINES: tuple[Engine, ...] = ("numba", "numpy")


def spread_cells(inside: NDArray[np.bool_], shape: tuple[int, int], count: int) -> Cells:
    """Up to `count` cells evenly spread over the places where a cell's corners and centre are inside."""
    height, width = shape
    step = max(8, min(shape) // 4)
    found = [
        (row, column, height, width)
        for row in range(0, inside.shape[0] - height, step)
        for column in range(0, inside.shape[1] - width, step)
        if inside[row : row + height : height - 1, column : column + width : width - 1].all()
        and inside[row + height // 2, column + width // 2]
    ]
    chosen = np.linspace(0, len(found) - 1, min(count, len(found))).round().astype(int)
    return [found[index] for index in dict.fromkeys(chosen.tolist())]


def phantom_cells(each: int) -> Iterator[tuple[str, NDArray[Any], Cells, tuple[Bins, ...]]]:
    """Cells of low-energy and recombined phantoms of both sites, also as float and as negative numbers."""
    for site in ("A", "B"):
        pair = phantom_patient(seed=21, site=site, size="small", views=(("L", "CC"),))[0].pair  # type: ignore[arg-type]
        low = pair.low_energy
        inside = cv2.GaussianBlur(low, (0, 0), 4) > 0.2 * pair.maximum
        for shape in SHAPES:
            cells = spread_cells(inside, shape, each)
            yield "phantom", low, cells, WIDE
            yield "phantom", pair.recombined, cells, WIDE
            yield "float", low.astype(np.float64) * 0.37 + np.pi, cells, WIDE
            yield "negative", low.astype(np.int16) - 3000, cells, WIDE


def real_cells(each: int) -> Iterator[tuple[str, NDArray[Any], Cells, tuple[Bins, ...]]]:
    """Cells of real 8-bit images; none where the folder is absent."""
    root = Path(os.environ.get("CEM_SHARED_DATA", "../shared/data"))
    paths = [
        path
        for pattern in ("cdd-cesm-le-fullres/*.jpg", "mini-mias/*.pgm", "cem-pairs-1024/*/*.png")
        for path in sorted(root.glob(pattern))[:2]
    ]
    for path in paths:
        image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        inside = cv2.GaussianBlur(image, (0, 0), 8) > 40
        for shape in SHAPES[1:]:
            yield "real", image, spread_cells(inside, shape, each), BINS


def made_cells() -> Iterator[tuple[str, NDArray[Any], Cells, tuple[Bins, ...]]]:
    """Cells on which formulas divide by zero or lose digits."""
    rng = np.random.default_rng(5)
    rows, columns = np.mgrid[:64, :64]
    for value in (0, 7, 25, 100, 4095):
        yield "flat", np.full((64, 64), value, np.uint16), [(0, 0, 64, 64), (3, 5, 32, 48)], BINS
    for value in (-12.5, 0.1, 1000 / 3):
        yield "flat", np.full((64, 64), value), [(0, 0, 64, 64)], BINS
    spot = np.full((64, 64), 100, np.uint16)
    spot[20, 30] = spot[0, 0] = 900
    for pattern in (
        rows % 2,
        columns % 2,
        (rows + columns) % 2,
        rows // 32,
        rng.integers(0, 2, (64, 64)),
        rng.random((64, 64)) < 0.02,
    ):
        yield "two-level", (100 + 60 * pattern).astype(np.uint16), [(0, 0, 64, 64), (1, 3, 32, 48), (5, 5, 2, 3)], BINS
    yield "two-level", spot, [(0, 0, 64, 64), (10, 10, 32, 32)], BINS
    many = rng.integers(0, 800, (160, 160)).astype(np.uint16)
    smooth = (2000 + 400 * np.sin(np.arange(160) / 25.0)[:, None] * np.cos(np.arange(160) / 31.0)).astype(np.uint16)
    for image in (many, smooth + many // 40):
        yield "more than 100 levels", image, [(0, 0, 64, 64), (40, 20, 48, 96), (96, 0, 32, 32), (90, 90, 64, 64)], BINS


def relative_difference(found: NDArray[np.float64], expected: NDArray[np.float64]) -> NDArray[np.float64]:
    """Relative difference of each feature of each cell; infinite where only one is a number."""
    both = np.isnan(found) & np.isnan(expected)
    off = np.abs(found - expected) / np.maximum(np.abs(expected), SMALLEST_VALUE)
    return np.where(both, 0.0, np.where(np.isfinite(off), off, np.inf))


def equality(each: int) -> dict[str, Any]:
    """Largest difference of both engines from pyradiomics over all kinds of cells, `each` for an image and size."""
    worst = {engine: np.zeros(len(FEATURE_NAMES)) for engine in ENGINES}
    kinds: dict[str, dict[str, Any]] = {}
    for source in (phantom_cells(each), real_cells(each), made_cells()):
        for kind, image, cells, several in source:
            entry = kinds.setdefault(kind, {"cells": 0, "compared": 0, "most_levels": 0, "largest_difference": 0.0})
            entry["cells"] += len(cells)
            for bins in several:
                expected = cell_features(image, cells, **bins, spacing=(0.1, 0.2), engine="pyradiomics")
                entry["compared"] += len(cells)
                entry["most_levels"] = max(entry["most_levels"], int(expected.grey_levels.max(initial=0)))
                for engine in ENGINES:
                    found = cell_features(image, cells, **bins, spacing=(0.1, 0.2), engine=engine)
                    off = relative_difference(found.values, expected.values).max(axis=0, initial=0.0)
                    entry["largest_difference"] = max(entry["largest_difference"], float(off.max()))
                    worst[engine] = np.maximum(worst[engine], off)
    return {
        "cells": sum(entry["cells"] for entry in kinds.values()),
        "compared": sum(entry["compared"] for entry in kinds.values()),
        "engines": {
            engine: {"largest_difference": float(off.max()), "worst_feature": FEATURE_NAMES[int(off.argmax())]}
            for engine, off in worst.items()
        },
        "kinds": kinds,
    }


def speed(image: NDArray[Any], inside: NDArray[np.bool_], size: int, bins: dict[str, Any]) -> dict[str, Any]:
    """Milliseconds of CPU time for a cell, ours and pyradiomics' two ways, in one run."""
    cells = spread_cells(inside, (size, size), 40)
    few = cells[:: max(1, len(cells) // 4)][:4]
    made = extractor(**bins)
    plane = image.astype(np.float64)
    crops = [
        (volume(np.pad(plane[r : r + h, c : c + w], 1, mode="edge")), volume(padded_mask(h, w))) for r, c, h, w in cells
    ]
    whole = volume(plane)
    masks = []
    for row, column, height, width in few:
        mask = np.zeros(plane.shape, np.uint8)
        mask[row : row + height, column : column + width] = 1
        masks.append(volume(mask))
    cell_features(image, cells, **bins)  # compiled before it is timed
    ours = timed(lambda: cell_features(image, cells, **bins), 7)[0] / len(cells)
    plain = timed(lambda: cell_features(image, cells, **bins, engine="numpy"), 2)[0] / len(cells)
    crop = timed(lambda: [made.execute(*crop) for crop in crops], 2)[0] / len(cells)
    full = timed(lambda: [made.execute(whole, mask) for mask in masks], 1)[0] / len(few)
    return {
        "ms": round(1e3 * ours, 3),
        "numpy_ms": round(1e3 * plain, 2),
        "pyradiomics_crop_ms": round(1e3 * crop, 2),
        "pyradiomics_full_mask_ms": round(1e3 * full, 1),
        "times_faster_than_crop": round(crop / ours, 1),
        "times_faster_than_full_mask": round(full / ours),
    }


def main() -> int:
    """Exit status 1 if the features differ or the speed is missed."""
    cv2.setNumThreads(1)
    report: dict[str, Any] = {"benchmark": "texture", "cores": 1, "speed": {}}
    start = time.process_time()
    cell_features(np.arange(64, dtype=np.uint16).reshape(8, 8), [(0, 0, 8, 8)])
    report["first_call_seconds"] = round(time.process_time() - start, 2)
    report["equality"] = equality(15)
    view = phantom_patient(seed=5, site="A", size="full", views=(("L", "CC"),))[0]
    host = prepare_host(view.pair, lesion_free=True, exclusion=None, settings=SimulationSettings())
    for size in (64, 128):
        for bins in WIDE:
            name = f"{size} px, " + ", ".join(f"{key} {value:g}" for key, value in bins.items())
            report["speed"][name] = speed(host.low_energy, host.area.mask, size, bins)
    view = phantom_patient(seed=5, site="B", size="full", views=(("L", "CC"),))[0]
    host = prepare_host(view.pair, lesion_free=True, exclusion=None, settings=SimulationSettings())
    boxes = [cell.box for cell in host.cells]
    report["full_view"] = {
        "shape": list(host.low_energy.shape),
        "cells": len(boxes),
        "cell_px": boxes[0][2],
        "seconds": round(timed(lambda: cell_features(host.low_energy, boxes, bin_count=32), 5)[0], 3),
    }
    usual = [report["speed"][f"{size} px, bin_width 25"] for size in (64, 128)]
    report["passed"] = bool(
        report["equality"]["cells"] >= LEAST_CELLS
        and all(part["largest_difference"] <= LARGEST_DIFFERENCE for part in report["equality"]["engines"].values())
        and usual[0]["times_faster_than_crop"] >= LEAST_CROP
        and all(part["times_faster_than_full_mask"] >= LEAST_FULL for part in usual)
    )
    print(json.dumps(report, indent=1))
    return 0 if report["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
