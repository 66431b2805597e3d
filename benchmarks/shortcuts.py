"""Does an edited region give itself away? One-feature AUC of edited against untouched regions.

Edited: outlines of simulated cases. Untouched: the same outlines on the same hosts with insertion off, so that place
and form are drawn by the same rule and only the edit differs. Hosts are lesion-free phantoms of both sites and both
views: the small size (0.4 mm pixels), the same windowed to 8 bit with left-out grey codes, and 0.1 mm pixels on a
detector of half the field. The recombined image is edited with relative contrast 1, for enhancement itself is signal.
Positions are compared with the centres of cells drawn evenly. The literal recombined edit of S000 is the
negative control. Intervals: bootstrap over hosts.

Run: ``OMP_NUM_THREADS=1 python -m benchmarks.shortcuts [--hosts 100] [--variants 7] [--kinds small,windowed,fine]``
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.metrics import roc_auc_score

from imaging.pair import CEMPair, ViewPosition
from simulation.analysed_host import AnalysedHost, analyse_host
from simulation.case import SimulatedCase, simulate
from simulation.enhancement import ContrastDistribution
from simulation.errors import SimulationError
from simulation.phantom import phantom_patient
from simulation.phantom.acquisition import expose
from simulation.phantom.anatomy import draw_breast, outline
from simulation.phantom.patient import VENDOR, Site
from simulation.phantom.presentation import BITS_STORED, low_energy_image, recombined_image
from simulation.phantom.tissue import tissue
from simulation.randomness import generator
from simulation.realism.shortcuts import SEAM_PX
from simulation.settings import SimulationSettings
from simulation.vendor import PROFILES

KINDS = ("small", "windowed", "fine")
LIMIT = 0.55
FINE_SHAPE = (1150, 960)
SURROUND_MM = 1.0


def host_pair(kind: str, index: int) -> CEMPair:
    """Lesion-free host number `index`; sites and views take turns."""
    site: Site = "A" if index % 2 == 0 else "B"
    view: ViewPosition = "CC" if index % 4 < 2 else "MLO"
    if kind == "fine":
        return _fine_pair(site, view, 900 + index)
    pair = phantom_patient(seed=900 + index, site=site, size="small", views=(("L", view),))[0].pair
    return windowed(pair) if kind == "windowed" else pair


def _fine_pair(site: Site, view: ViewPosition, seed: int) -> CEMPair:
    """A breast on a detector of half the field, with full-size pixels."""
    profile, breast, spacing = PROFILES[VENDOR[site]], draw_breast(seed), 0.1
    form = outline(breast, view, FINE_SHAPE, spacing)
    filling = tissue(breast, form, view, spacing, seed=seed, side="L")
    nothing = np.zeros(FINE_SHAPE, np.float32)
    exposure = expose(filling, form.thickness_cm, nothing, profile, spacing, seed=seed)
    low = low_energy_image(exposure, form, profile, spacing)
    recombined = recombined_image(exposure, form, profile, spacing)
    return CEMPair(low, recombined, "L", view, (spacing, spacing), BITS_STORED, VENDOR[site])


def windowed(pair: CEMPair) -> CEMPair:
    """8-bit pair as an export gives it: first 180 levels, then stretched, so that some grey codes are left out."""

    def export(image: NDArray[Any]) -> NDArray[np.uint8]:
        tissue_values = image[image > 0]
        low, high = np.percentile(tissue_values, [0.5, 99.5])
        level = np.clip(np.rint((image - low) / (high - low) * 179), 0, 179)
        return np.where(image > 0, np.maximum(np.rint(level * 254 / 179) + 1, 1), 0).astype(np.uint8)

    return dataclasses.replace(
        pair, low_energy=export(pair.low_energy), recombined=export(pair.recombined), bits_stored=8
    )


@dataclass
class Table:
    """Feature values of both sides, with the host each comes from."""

    edited: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    untouched: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    hosts: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def add(self, name: str, host: int, edited: float, untouched: float) -> None:
        """One region; left out where either side cannot be measured."""
        if np.isfinite(edited) and np.isfinite(untouched):
            self.edited[name].append(edited)
            self.untouched[name].append(untouched)
            self.hosts[name].append(host)


def cases(
    make: Callable[[int], CEMPair], hosts: int, variants: int, **changes: Any
) -> Iterator[tuple[int, AnalysedHost, SimulatedCase]]:
    """Cases on hosts that `make` gives by number, with relative contrast 1, both classes in turn."""
    settings = dataclasses.replace(SimulationSettings(), **changes)
    for index in range(hosts):
        pair = make(index)
        try:
            analysed = analyse_host(pair, lesion_free=True, settings=settings)
        except SimulationError as error:
            print(f"host {index}: {error.code}", file=sys.stderr)
            continue
        for variant in range(variants):
            malignancy = "malignant" if variant % 2 else "benign"
            try:
                case = simulate(
                    pair,
                    malignancy=malignancy,  # type: ignore[arg-type]
                    seed=1,
                    variant=variant,
                    lesion_free=True,
                    settings=settings,
                    contrast=ContrastDistribution.fit([1.0, 1.0, 1.0], malignancy),  # type: ignore[arg-type]
                    analysed=analysed,
                )
            except SimulationError as error:
                print(f"host {index}, variant {variant}: {error.code}", file=sys.stderr)
                continue
            yield index, analysed, case


def image_features(image: NDArray[Any], mask: NDArray[np.bool_], skip: NDArray[np.bool_]) -> dict[str, float]:
    """Noise, grey codes, border gradient and parity of a region; `skip` marks calcifications and their surround."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    box = (slice(max(rows[0] - 12, 0), rows[-1] + 13), slice(max(columns[0] - 12, 0), columns[-1] + 13))
    patch, inside, left_out = image[box].astype(np.float64), mask[box], skip[box]
    kept = inside & ~left_out
    smooth = ndimage.convolve(patch, np.outer([1, 2, 1], [1, 2, 1]) / 16)
    fine = patch - smooth
    # the soft edge of an enhancing lesion is signal; a seam is in the fine structure
    slope = np.hypot(*np.gradient(patch - ndimage.gaussian_filter(patch, SEAM_PX)))
    depth = ndimage.distance_transform_edt(inside) - ndimage.distance_transform_edt(~inside)
    free = ~left_out & (image[box] > 0)
    border, beside = (np.abs(depth) <= 1.5) & free, (np.abs(depth) > 3) & (np.abs(depth) <= 8) & free
    values = image[box][kept]
    found = {"noise": np.nan, "grey codes": np.nan, "border": np.nan, "parity": np.nan}
    if values.size >= 30:
        found["noise"] = float(np.std(fine[kept]))
        low, high = np.percentile(values, [10, 90])
        middle = values[(values >= low) & (values <= high)]
        elsewhere = np.zeros(int(image.max()) + 1, bool)
        outside = image.copy()
        outside[mask] = 0
        elsewhere[np.unique(outside)] = True
        # codes that only this region has, and codes it leaves out of its own range
        found["grey codes"] = float((~elsewhere[middle]).mean() - len(np.unique(middle)) / (high - low + 1))
        found["parity"] = float((values % 2).mean())
    if border.sum() >= 20 and beside.sum() >= 20:
        found["border"] = float(slope[border].mean() / max(slope[beside].mean(), 1e-6))
    return found


def compare(kind: str, hosts: int, variants: int, **changes: Any) -> tuple[Table, list[dict[str, float]]]:
    """Features of both images on both sides, and where the clusters lie."""
    table, places = Table(), []
    for index, analysed, case in cases(partial(host_pair, kind), hosts, variants, **changes):
        spacing = analysed.host.spacing_mm
        reach = max(2, round(SURROUND_MM / spacing))
        near = ndimage.maximum_filter(case.support, 2 * reach + 1)
        nothing = np.zeros_like(near)
        for name, edited, untouched, skip in (
            ("low-energy", case.pair.low_energy, analysed.pair.low_energy, near),
            ("recombined", case.pair.recombined, analysed.pair.recombined, nothing),
        ):
            after, before = image_features(edited, case.mask, skip), image_features(untouched, case.mask, skip)
            for feature in after:
                table.add(f"{name} {feature}", index, after[feature], before[feature])
        places.append(_location(index, analysed, case))
        for feature, value in _position(analysed, *_random_place(analysed, index, len(places))).items():
            table.add(f"location {feature}", index, places[-1][feature], value)
    return table, places


def _location(index: int, analysed: AnalysedHost, case: SimulatedCase) -> dict[str, float]:
    rows, columns = np.nonzero(case.mask[:, ::-1] if analysed.host.flipped else case.mask)
    return {"host": index, **_position(analysed, columns.mean() + 0.5, rows.mean() + 0.5)}


def _random_place(analysed: AnalysedHost, index: int, number: int) -> tuple[float, float]:
    """Centre of any cell of the host: a place where a cluster could lie, chosen without looking at texture."""
    cells = analysed.host.cells
    return cells[int(generator(index, "shortcuts", number).integers(len(cells)))].centre


def _position(analysed: AnalysedHost, x: float, y: float) -> dict[str, float]:
    area, breast = analysed.host.area, analysed.host.breast
    rows = np.flatnonzero(breast.any(1))
    return {
        "depth": x / area.depth_px,
        "height": (y - rows[0]) / (rows[-1] - rows[0]),
        "nipple distance": float(np.hypot(x - area.nipple[0], y - area.nipple[1])) / area.depth_px,
    }


def auc_with_interval(table: Table, name: str, *, resamples: int = 300) -> dict[str, float]:
    """AUC of one feature, and the bootstrap interval over hosts."""
    edited, untouched = np.array(table.edited[name]), np.array(table.untouched[name])
    hosts = np.array(table.hosts[name])
    groups = [np.flatnonzero(hosts == host) for host in np.unique(hosts)]
    rng = np.random.default_rng(0)

    def auc(chosen: NDArray[Any]) -> float:
        labels = np.r_[np.ones(len(chosen)), np.zeros(len(chosen))]
        return float(roc_auc_score(labels, np.r_[edited[chosen], untouched[chosen]]))

    drawn = [
        auc(np.concatenate([groups[i] for i in rng.integers(len(groups), size=len(groups))])) for _ in range(resamples)
    ]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return {"auc": auc(np.arange(len(hosts))), "low": float(low), "high": float(high), "a_side": len(hosts)}


def spread(places: list[dict[str, float]]) -> dict[str, float]:
    """How the clusters of all hosts spread: share in each quarter of the breast, and of the fullest of 16 fields."""
    depth = np.array([place["depth"] for place in places])
    height = np.array([place["height"] for place in places])
    fields = np.histogram2d(depth, height, bins=4, range=[[0, 1], [0, 1]])[0] / len(places)
    return {
        "upper_front": float(((depth > 0.5) & (height < 0.5)).mean()),
        "upper_back": float(((depth <= 0.5) & (height < 0.5)).mean()),
        "lower_front": float(((depth > 0.5) & (height >= 0.5)).mean()),
        "lower_back": float(((depth <= 0.5) & (height >= 0.5)).mean()),
        "fullest_sixteenth": float(fields.max()),
    }


def run(kind: str, hosts: int, variants: int) -> dict[str, Any]:
    """All features of one kind of host, and the negative control on a fifth of them."""
    table, places = compare(kind, hosts, variants)
    literal, _ = compare(kind, max(hosts // 5, 4), variants, blend="literal")
    return {
        "features": {name: auc_with_interval(table, name) for name in table.edited},
        "spread": spread(places),
        "literal recombined noise": auc_with_interval(literal, "recombined noise"),
    }


def main() -> int:
    """Exit status 1 if a feature tells edited from untouched regions."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--hosts", type=int, default=100)
    parser.add_argument("--variants", type=int, default=7)
    parser.add_argument("--kinds", default=",".join(KINDS))
    arguments = parser.parse_args()
    started, result, missed = time.process_time(), {}, []
    for kind in arguments.kinds.split(","):
        result[kind] = run(kind, arguments.hosts, arguments.variants)
        missed += [
            f"{kind}: {name}"
            for name, found in result[kind]["features"].items()
            if abs(found["auc"] - 0.5) > LIMIT - 0.5
        ]
    print(json.dumps(result | {"cpu_seconds": round(time.process_time() - started, 1)}, indent=1))
    if missed:
        print(f"above {LIMIT}: {', '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
