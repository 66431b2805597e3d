"""Preprocessing against the published 256-pass algorithm, in the same run, on one core.

The published steps are written here as the papers describe them: Otsu's threshold, the largest of all contours,
percentile window, one pass over the image for each of 256 grey levels, CLAHE. Prints one line of JSON with process
CPU seconds (best of the repetitions) and the agreement of the two outputs; exits with 1 when a target is missed.

Run: ``python -m benchmarks.preprocessing``
"""

from __future__ import annotations

import json
import sys
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import threshold_otsu

from benchmarks.timing import timed
from imaging.pair import CEMPair
from imaging.preprocessing import PRESETS, Preset, preprocess

ROWS, COLUMNS = 2850, 2394
LEAST_SPEED_UP = 20.0
MOST_DIFFERENT = 0.001


def test_pair(seed: int = 0) -> CEMPair:
    """A 12-bit pair of 2850 × 2394 pixels: half-disk of correlated tissue, noise everywhere."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:ROWS, :COLUMNS].astype(np.float32)
    distance = np.hypot(x / 1500, (y - ROWS / 2) / 1250)
    inside = distance < 1
    thickness = np.sqrt(np.clip(1 - distance**4, 0, 1))

    def field(sigma: float) -> NDArray[np.float32]:
        coarse = ndimage.gaussian_filter(rng.standard_normal((ROWS // 8, COLUMNS // 8)), sigma)
        return np.asarray(cv2.resize((coarse / coarse.std()).astype(np.float32), (COLUMNS, ROWS)))

    low = inside * (1400 + 900 * thickness + 220 * field(12) + 120 * field(3))
    recombined = inside * (1900 + 150 * thickness + 90 * field(20) + 40 * field(2))
    noise = rng.standard_normal((2, ROWS, COLUMNS)).astype(np.float32)
    images = [
        np.clip(image + 12 * part * inside, 0, 4095).astype(np.uint16)
        for image, part in zip((low, recombined), noise, strict=True)
    ]
    return CEMPair(images[0], images[1], "L", "CC", (0.1, 0.1), 12, "ge-pristina")


def published(pair: CEMPair, preset: Preset) -> NDArray[np.uint8]:
    """The published algorithm, step by step."""
    source = pair.low_energy if preset.mask_from == "low_energy" else pair.recombined
    foreground = (source >= threshold_otsu(source)).astype(np.uint8)
    contours, _ = cv2.findContours(foreground, cv2.RETR_TREE, cv2.CHAIN_APPROX_NONE)
    mask = np.zeros(source.shape, dtype=np.uint8)
    cv2.drawContours(mask, [max(contours, key=cv2.contourArea)], -1, 1, cv2.FILLED)
    images = {"low_energy": pair.low_energy * mask, "recombined": pair.recombined * mask}
    where = np.argwhere(images["recombined"] > 0)
    (row0, column0), (row1, column1) = where.min(axis=0), where.max(axis=0) + 1
    levels = {name: _windowed(image[row0:row1, column0:column1]) for name, image in images.items()}
    return np.dstack(
        [
            cv2.createCLAHE(channel.clip_limit, (preset.tiles, preset.tiles)).apply(levels[channel.image])
            for channel in preset.channels
        ]
    )


def _windowed(image: NDArray[Any]) -> NDArray[np.uint8]:
    positive = image[image > 0]
    low, high = np.percentile(positive, 1), np.percentile(positive, 99)
    clipped = np.clip(image.astype(np.float64), low, high)
    if len(np.unique(clipped)) > 256:
        edges = np.linspace(clipped.min(), clipped.max(), 257)
        binned = np.zeros(clipped.shape)
        for level in range(256):
            upper = clipped <= edges[level + 1] if level == 255 else clipped < edges[level + 1]
            binned[(clipped >= edges[level]) & upper] = level
        clipped = binned
    scaled = (clipped - clipped.min()) / (clipped.max() - clipped.min()) * 255
    return np.rint(scaled).astype(np.uint8)


def main() -> int:
    """Run the comparison and print it."""
    cv2.setNumThreads(1)
    pair = test_pair()
    report: dict[str, Any] = {"benchmark": "preprocessing", "shape": [ROWS, COLUMNS], "cores": 1, "presets": {}}
    passed = True
    for name, preset in PRESETS.items():
        ours, prepared = timed(lambda preset=preset: preprocess(pair, preset), 5)
        theirs, expected = timed(lambda preset=preset: published(pair, preset), 2)
        same_shape = prepared.channels.shape == expected.shape
        off = np.abs(prepared.channels.astype(int) - expected.astype(int)) if same_shape else np.array([255])
        different = float((off > 1).mean())
        report["presets"][name] = {
            "seconds": round(ours, 4),
            "published_seconds": round(theirs, 3),
            "speed_up": round(theirs / ours, 1),
            "more_than_one_level_off": different,
            "largest_difference": int(off.max()),
            "mask": prepared.mask_source,
        }
        passed &= theirs / ours >= LEAST_SPEED_UP and different <= MOST_DIFFERENT and same_shape
    report["passed"] = bool(passed)
    print(json.dumps(report))
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
