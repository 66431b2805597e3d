"""Phantoms: time of a pair at each size, texture and noise beside those of real CEM pairs.

    OMP_NUM_THREADS=1 python -m benchmarks.phantoms [--patients N] [--real FOLDER]

Times are process CPU time of one core; the peer is one plain 1/f**3 field at the same pixels, the least that a random
background costs. The slope of the low-energy image is that of the power spectrum between 0.15 and 0.9 lp/mm in Hann
windows of 25.6 mm (256 pixels of 0.1 mm) inside the breast, FOR PRESENTATION. Recombined images are measured so after
averaging to the pixel size that the real images are assumed to have (240 mm along the long side).
"""

from __future__ import annotations

import argparse
import csv
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from imaging.breast import breast_mask
from imaging.errors import ImagingError
from simulation.phantom import PhantomView, phantom_patient
from simulation.phantom.fields import FieldGrid
from simulation.phantom.patient import Site, Size, image_geometry

ROI_MM = 25.6
BAND_LP_MM = (0.15, 0.9)
# Long side of an image whose pixel size is not stated, as the simulation assumes it.
LONG_SIDE_MM = 240.0
# Skin, and what registration and windowing did to it, is left out by this margin.
MARGIN_MM = 4.7


@dataclass(frozen=True)
class Measured:
    """Recombined slope and relative noise of one image, and its low-energy slope."""

    low_energy_slope: float
    slope: float
    noise: float


def spectral_slope(image: NDArray, area: NDArray[np.bool_], spacing_mm: float) -> tuple[float, int]:
    """Slope of the mean power spectrum of the windows that lie in `area`, and their number.

    Raises
    ------
    ValueError
        If no window fits into the area.
    """
    side = round(ROI_MM / spacing_mm)
    window = np.outer(np.hanning(side), np.hanning(side))
    frequency = np.hypot(fft.fftfreq(side, spacing_mm)[:, None], fft.fftfreq(side, spacing_mm)[None, :])
    covered = cv2.integral(area.astype(np.uint8))
    power, count = np.zeros((side, side)), 0
    for row in range(0, area.shape[0] - side + 1, side // 2):
        for column in range(0, area.shape[1] - side + 1, side // 2):
            inside = (
                covered[row + side, column + side]
                - covered[row, column + side]
                - covered[row + side, column]
                + covered[row, column]
            )
            if inside < 0.995 * side * side:
                continue
            roi = image[row : row + side, column : column + side].astype(float)
            power += np.abs(fft.fft2((roi - roi.mean()) * window)) ** 2
            count += 1
    if count == 0:
        raise ValueError("no window lies in the breast")
    edges = np.geomspace(*BAND_LP_MM, 16)
    bins = np.digitize(frequency, edges)
    points = [
        (np.log(frequency[bins == index].mean()), np.log(power[bins == index].mean()))
        for index in range(1, 16)
        if (bins == index).any()
    ]
    return -float(np.polyfit(*np.transpose(points), 1)[0]), count


def relative_noise(image: NDArray, area: NDArray[np.bool_]) -> float:
    """Noise over the 1-99 % range of the breast: 10th percentile of the local standard deviation of a high-pass."""
    plain = image.astype(np.float32)
    kernel = np.array([1, 2, 1], np.float32) / 4
    high_pass = plain - cv2.sepFilter2D(plain, -1, kernel, kernel)
    local = np.sqrt(np.maximum(ndimage.uniform_filter(high_pass**2, 15), 0))
    return float(np.percentile(local[area], 10) / np.ptp(np.percentile(plain[area], (1, 99))))


def display_range(view: PhantomView) -> float:
    """Part of the display range between the 1st and the 99th percentile of the breast, low-energy image."""
    values = view.pair.low_energy[view.truth.breast]
    return float(np.ptp(np.percentile(values, (1, 99)))) / (2**view.pair.bits_stored - 1)


def measure_view(view: PhantomView, spacing_mm: float) -> Measured:
    """Measures of a phantom; the recombined image is averaged to pixels of `spacing_mm` first."""
    own = view.pair.spacing_mm[0]
    area = _inner(view.truth.breast, own) & (view.truth.pectoral < 0.05)
    shape = (round(area.shape[1] * own / spacing_mm), round(area.shape[0] * own / spacing_mm))
    coarse = cv2.resize(view.pair.recombined.astype(np.float32), shape, interpolation=cv2.INTER_AREA)
    coarse_area = cv2.resize(area.astype(np.uint8), shape, interpolation=cv2.INTER_NEAREST) > 0
    return Measured(
        spectral_slope(view.pair.low_energy, area, own)[0],
        spectral_slope(coarse, coarse_area, spacing_mm)[0],
        relative_noise(coarse, coarse_area),
    )


def real_pairs(folder: Path) -> Iterator[tuple[str, float, Path, Path]]:
    """(set, assumed pixel size in mm, low-energy file, recombined file) of the real pairs in a data folder."""
    for low_energy in sorted((folder / "cem-pairs-1024").glob("*/*_LE.png")):
        yield (
            "cem-pairs-1024",
            LONG_SIDE_MM / 1024,
            low_energy,
            low_energy.with_name(low_energy.name.replace("LE", "RE")),
        )
    table = folder / "cdd-cesm-512" / "pairs.csv"
    if table.exists():
        with table.open() as lines:
            for row in csv.DictReader(lines):
                yield (
                    "cdd-cesm-512",
                    LONG_SIDE_MM / 512,
                    table.parent / row["low_energy"],
                    table.parent / row["recombined"],
                )


def measure_real(folder: Path, *, most: int = 120) -> dict[str, list[Measured]]:
    """Measures of real pairs by set, at most `most` of each; a pair without room for a window is left out."""
    found: dict[str, list[Measured]] = {}
    for name, spacing_mm, low_path, recombined_path in real_pairs(folder):
        if len(found.setdefault(name, [])) >= most:
            continue
        low, recombined = cv2.imread(str(low_path), 0), cv2.imread(str(recombined_path), 0)
        try:
            area = _inner(breast_mask(recombined), spacing_mm)
            found[name].append(
                Measured(
                    spectral_slope(low, area, spacing_mm)[0],
                    spectral_slope(recombined, area, spacing_mm)[0],
                    relative_noise(recombined, area),
                )
            )
        except (ImagingError, ValueError):
            continue
    return found


def central_range(values: list[float]) -> tuple[float, float]:
    """2.5th and 97.5th percentile."""
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)


def _inner(breast: NDArray[np.bool_], spacing_mm: float) -> NDArray[np.bool_]:
    # the chest wall is no skin: repeated edges keep the tissue there
    padded = np.pad(breast, 1, mode="edge").astype(np.uint8)
    return cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1] * spacing_mm > MARGIN_MM


def _times(size: Size, patients: int) -> None:
    for site in ("A", "B"):
        known: Site = site
        pairs, started = 0, time.process_time()
        for seed in range(patients):
            pairs += len(phantom_patient(seed=seed, site=known, size=size, views=(("L", "CC"), ("L", "MLO"))))
        pair = (time.process_time() - started) / pairs
        shape, spacing = image_geometry(known, size)
        started = time.process_time()
        for seed in range(3):
            FieldGrid(shape, spacing).power_law(np.random.default_rng(seed), exponent=3.0, corner_lp_mm=0.02)
        plain = (time.process_time() - started) / 3
        times = f"{pair:6.3f} s CPU per pair ({pairs} pairs), {pair / plain:4.1f} x a plain 1/f^3 field"
        print(f"{size:6s} site {site}  {times}")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=8, help="of each site, for the full-size figures")
    parser.add_argument("--real", type=Path, default=Path(os.environ.get("CEM_SHARED_DATA", "../shared/data")))
    options = parser.parse_args()
    for size, patients in (("test", 6), ("small", 6), ("full", 2)):
        _times(size, patients)
    views = [
        view
        for site in ("A", "B")
        for seed in range(options.patients)
        for view in phantom_patient(seed=seed, site=site, size="full", views=(("L", ("CC", "MLO")[seed % 2]),))
    ]
    ranges = [display_range(view) for view in views]
    print(f"1-99 % of the breast over the display range: least {min(ranges):.2f}, median {np.median(ranges):.2f}")
    for spacing_mm in (LONG_SIDE_MM / 1024, LONG_SIDE_MM / 512):
        measured = [measure_view(view, spacing_mm) for view in views]
        _show(f"phantoms at {spacing_mm:.2f} mm", measured)
    for name, found in measure_real(options.real).items():
        if found:
            _show(name, found)


def _show(name: str, measured: list[Measured]) -> None:
    parts = [f"{name} (n = {len(measured)}):"]
    for field, label in (
        ("low_energy_slope", "low-energy slope"),
        ("slope", "recombined slope"),
        ("noise", "recombined noise"),
    ):
        values = [getattr(one, field) for one in measured]
        low, high = central_range(values)
        parts.append(f"{label} {np.median(values):.3f} [{low:.3f}, {high:.3f}]")
    print(" ".join(parts))


if __name__ == "__main__":
    main()
