"""Every real host gives a case or a reason: outcomes, times and a contact sheet to look at.

Three sources, none of which is CEM in DICOM: full-resolution low-energy pictures without findings (CDD-CESM, no
recombined image, no pixel size: 0.1 mm taken), digitised film without calcifications (mini-MIAS, 0.2 mm, not CEM; its
lesions are kept clear by 10 mm), and windowed CEM pairs of 512 x 1024 pixels. Where there is no recombined image a
stand-in is paired: a constant with noise inside the breast. Its enhancement therefore shows that the code runs and
nothing about CEM. The sheet shows real pixels: write it outside the repository.

Run: ``python -m benchmarks.real_hosts [--data ../shared/data] [--sheet OUT.png] [--every N] [--only NAME]``
"""

from __future__ import annotations

import argparse
import csv
import os
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from imaging.breast import breast_mask, chest_wall_side
from imaging.pair import CEMPair
from imaging.reading import read_pair, read_pixels
from simulation.case import SimulatedCase, simulate
from simulation.errors import SimulationError

LESION_MARGIN_MM = 10.0
FULL_RESOLUTION_MM = 0.1
FILM_MM = 0.2
_CROP = 220


@dataclass(frozen=True, eq=False)
class RealHost:
    """One host with what is known of its lesions."""

    source: str
    name: str
    pair: CEMPair
    exclusion: NDArray[np.bool_] | None


def stand_in(low_energy: NDArray[Any]) -> NDArray[np.uint8]:
    """A constant with noise inside the breast, 0 outside."""
    noise = np.random.default_rng(0).normal(110, 4, low_energy.shape)
    return np.where(breast_mask(low_energy), noise, 0).clip(0, 255).astype(np.uint8)


def full_resolution(data: Path) -> Iterator[RealHost]:
    """Normals of CDD-CESM at full resolution, low energy only."""
    folder = data / "cdd-cesm-le-fullres"
    for row in csv.DictReader((folder / "images.csv").read_text().splitlines()):
        if row["group"] == "normal":
            pixels = read_pixels(folder / row["file"]).pixels
            # the files of the normals do not tell left from right
            side: Any = "L" if chest_wall_side(breast_mask(pixels)) == "left" else "R"
            spacing = (FULL_RESOLUTION_MM, FULL_RESOLUTION_MM)
            yield RealHost(
                "cdd-cesm-le-fullres", row["file"], CEMPair(pixels, stand_in(pixels), side, "CC", spacing, 8), None
            )


def film(data: Path) -> Iterator[RealHost]:
    """mini-MIAS without calcifications; odd numbers are left breasts."""
    folder = data / "mini-mias"
    entries: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in csv.DictReader((folder / "truth.csv").read_text().splitlines()):
        entries[row["image"]].append(row)
    for name, rows in entries.items():
        if any(row["cls"] == "CALC" for row in rows):
            continue
        pixels = read_pixels(folder / f"{name}.pgm").pixels
        # the left breast is filmed with the chest wall on the right
        side: Any = "L" if chest_wall_side(breast_mask(pixels)) == "left" else "R"
        exclusion = np.zeros(pixels.shape, np.uint8)
        for row in rows:
            if row["x"]:
                radius = round(float(row["radius"]) + LESION_MARGIN_MM / FILM_MM)
                cv2.circle(exclusion, (round(float(row["x"])), round(float(row["y_top"]))), radius, 1, -1)
        pair = CEMPair(pixels, stand_in(pixels), side, "MLO", (FILM_MM, FILM_MM), 8)
        yield RealHost("mini-mias", name, pair, exclusion > 0 if exclusion.any() else None)


def windowed_pairs(data: Path) -> Iterator[RealHost]:
    """The six CEM pairs; nothing is known about lesions, so that they are taken as they are."""
    for path in sorted((data / "cem-pairs-1024").rglob("*_LE.png")):
        view: Any = path.stem.split("_")[1]
        side: Any = "L" if chest_wall_side(breast_mask(read_pixels(path).pixels)) == "left" else "R"
        recombined = path.with_name(path.name.replace("_LE", "_RE"))
        yield RealHost(
            "cem-pairs-1024", path.stem, read_pair(path, recombined, laterality=side, view_position=view), None
        )


def tile(host: RealHost, case: SimulatedCase) -> NDArray[np.uint8]:
    """Host, synthetic, difference and recombined around the cluster, side by side."""
    rows, columns = np.nonzero(case.mask)
    half = max(_CROP // 2, int(np.ptp(rows)) // 2 + 20, int(np.ptp(columns)) // 2 + 20)
    y, x = int(rows.mean()), int(columns.mean())
    part = np.s_[max(y - half, 0) : y + half, max(x - half, 0) : x + half]
    before, after = host.pair.low_energy[part].astype(float), case.pair.low_energy[part].astype(float)
    low, high = np.percentile(before, (0.5, 99.8))
    shown = [(image - low) / max(high - low, 1) for image in (before, after)]
    change = after - before
    shown.append(0.5 + change / (2 * max(np.abs(change).max(), 1)))
    recombined = case.pair.recombined[part].astype(float)
    low, high = np.percentile(recombined, (0.5, 99.8))
    shown.append((recombined - low) / max(high - low, 1))
    pictures = [
        cv2.resize((image.clip(0, 1) * 255).astype(np.uint8), (_CROP, _CROP), interpolation=cv2.INTER_AREA)
        for image in shown
    ]
    strip = np.concatenate(pictures, axis=1)
    text = f"{host.name} {case.record['malignancy']} n={len(case.calcifications)}"
    return np.asarray(cv2.putText(strip, text, (3, 12), 0, 0.4, 255))


def main() -> int:
    """Run all hosts, print the table, write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("CEM_SHARED_DATA", "../shared/data")))
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--every", type=int, default=1, help="only every Nth host of a source")
    parser.add_argument("--only", help="one source")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if not options.data.is_dir():
        print(f"no real images at {options.data.name}; give --data", file=sys.stderr)
        return 1
    outcomes: dict[str, Counter[str]] = defaultdict(Counter)
    seconds: dict[str, list[float]] = defaultdict(list)
    notes: Counter[str] = Counter()
    tiles = []
    for source in (full_resolution, film, windowed_pairs):
        for index, host in enumerate(source(options.data)):
            if index % options.every or (options.only and host.source != options.only):
                continue
            started = time.process_time()
            try:
                case = simulate(
                    host.pair,
                    malignancy="malignant" if index % 2 else "benign",
                    seed=options.seed,
                    lesion_free=host.exclusion is None,
                    exclusion=host.exclusion,
                )
            except SimulationError as error:
                outcomes[host.source][error.code] += 1
                print(f"{host.source:20} {host.name:16} {error.code}: {error}")
            else:
                outcomes[host.source]["case"] += 1
                # numbers differ from host to host, kinds of notes do not
                notes.update(re.sub(r"[\d.]+", "#", text) for text in case.record["host"]["assumptions"])
                tiles.append(tile(host, case))
            seconds[host.source].append(time.process_time() - started)
    for name, counts in outcomes.items():
        spent = np.array(seconds[name])
        total = sum(counts.values())
        print(f"{name}: {counts['case']} of {total} hosts gave a case; {dict(counts)}; ", end="")
        print(f"CPU per host median {np.median(spent):.2f} s, most {spent.max():.2f} s")
    for text, count in notes.most_common():
        print(f"{count:4}  {text}")
    if options.sheet is not None and tiles:
        if len(tiles) % 2:
            tiles.append(np.zeros_like(tiles[0]))
        rows = [np.concatenate(tiles[index : index + 2], axis=1) for index in range(0, len(tiles), 2)]
        cv2.imwrite(str(options.sheet), np.concatenate(rows, axis=0))
    return 0


if __name__ == "__main__":
    sys.exit(main())
