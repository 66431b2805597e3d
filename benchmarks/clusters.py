"""CPU time of a further cluster in an analysed full-size host, by stage; candidates against scikit-image.

    OMP_NUM_THREADS=1 python -m benchmarks.clusters [--cases 60] [--size full]

Prints process CPU milliseconds per case: candidates, growth, form and projection, drawing, outline, all of it, and the
rest of a case (insertion, recombined edit, record). The vesselness of the candidates is timed against
`skimage.filters.frangi` on the same cell.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from skimage.filters import frangi

from simulation.analysed_host import AnalysedHost, analyse_host
from simulation.calcification import render
from simulation.candidates import find_candidates, vesselness
from simulation.case import simulate
from simulation.cluster import grow_cluster
from simulation.cluster_form import form_from_view
from simulation.cluster_parameters import PARAMETERS, Malignancy
from simulation.cluster_plan import draw_plan
from simulation.errors import SimulationError
from simulation.lesion_mask import lesion_mask
from simulation.phantom import phantom_patient
from simulation.randomness import generator

STAGES = ("candidates", "growth", "form", "drawing", "outline")


def timed(spent: dict[str, float], stage: str, work: Callable[[], Any]) -> Any:
    """Result of `work`, whose process CPU time is added to a stage."""
    start = time.process_time()
    result = work()
    spent[stage] = spent.get(stage, 0.0) + time.process_time() - start
    return result


def one_cluster(found: AnalysedHost, malignancy: Malignancy, number: int, spent: dict[str, float]) -> bool:
    """Every step of a cluster but its insertion; whether the cell took it."""
    host, parameters = found.host, PARAMETERS[malignancy]
    rng = generator(number, "benchmark")
    plan = draw_plan(rng, malignancy)
    cell = host.cells[int(rng.integers(len(host.cells)))]
    half = int(max(cell.size, plan.diameter_mm / host.spacing_mm) / 2)
    x, y = (int(value) for value in cell.centre)
    region = slice(max(y - half, 0), y + half), slice(max(x - half, 0), x + half)
    candidates = timed(
        spent,
        "candidates",
        lambda: find_candidates(host.low_energy, region, host.area.mask, rng, wanted=plan.count),
    )
    cluster = timed(
        spent,
        "growth",
        lambda: grow_cluster(
            candidates, plan, host.area.mask, rng, spacing_mm=host.spacing_mm, nipple=host.area.nipple
        ),
    )
    if cluster is None:
        return False
    places = cluster.points * host.spacing_mm
    form = timed(
        spent,
        "form",
        lambda: form_from_view(
            rng, plan, parameters, in_plane_mm=places, directions=cluster.directions, view_position="CC"
        ),
    )
    middle = cluster.points.mean(0)
    shown = timed(
        spent,
        "form",
        lambda: form.project("CC", centre=(float(middle[0]), float(middle[1])), spacing_mm=host.spacing_mm),
    )
    low, high = cluster.points.min(0).astype(int) - 40, cluster.points.max(0).astype(int) + 40
    layer = timed(
        spent,
        "drawing",
        lambda: render(
            shown,
            (high[1] - low[1], high[0] - low[0]),
            spacing_mm=host.spacing_mm,
            attenuation_per_mm=1.0,
            origin=(low[1], low[0]),
        ),
    )
    support = np.zeros(host.low_energy.shape, bool)
    support[low[1] : high[1], low[0] : high[0]] = layer.support
    timed(spent, "outline", lambda: lesion_mask(support, spacing_mm=host.spacing_mm, breast=host.breast))
    return True


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=60)
    parser.add_argument("--size", choices=("full", "small", "test"), default="full")
    options = parser.parse_args()
    view = phantom_patient(seed=3, site="A", size=options.size, views=(("L", "CC"),))[0]
    found = analyse_host(view.pair, lesion_free=True)
    spent: dict[str, float] = {}
    for number in range(3):
        one_cluster(found, "benign", 1000 + number, {})
    taken = sum(
        one_cluster(found, "malignant" if number % 2 else "benign", number, spent) for number in range(options.cases)
    )
    print(f"{view.pair.shape}, {taken} of {options.cases} cells took their cluster; ms CPU per cluster:")
    for stage in STAGES:
        print(f"  {stage:12s} {1000 * spent[stage] / options.cases:7.2f}")
    print(f"  {'all':12s} {1000 * sum(spent.values()) / options.cases:7.2f}")

    whole: dict[str, float] = {}
    refused = 0
    for number in range(options.cases // 2):
        try:
            case = simulate(
                view.pair,
                malignancy="malignant" if number % 2 else "benign",
                seed=1,
                variant=number,
                lesion_free=True,
                analysed=found,
            )
        except SimulationError:
            refused += 1
            continue
        for stage, seconds in case.seconds.items():
            whole[stage] = whole.get(stage, 0.0) + seconds
    made = options.cases // 2 - refused
    print(f"whole further case, {made} made, {refused} refused; ms CPU per case:")
    for stage, seconds in whole.items():
        print(f"  {stage:24s} {1000 * seconds / made:7.2f}")
    print(f"  {'all':24s} {1000 * sum(whole.values()) / made:7.2f}  ({60 * made / sum(whole.values()):.0f} cases/min)")

    crop = np.asarray(view.pair.low_energy[600:752, 300:452] if options.size == "full" else view.pair.low_energy)
    plain = crop.astype(np.float32)
    ours: dict[str, float] = {}
    for _ in range(20):
        timed(ours, "here", lambda: vesselness(plain, sigmas=(1.0, 2.0, 3.0), beta=0.5, gamma=50.0))
    for _ in range(3):
        timed(
            ours,
            "skimage",
            lambda: frangi(plain.astype(float), sigmas=(1, 2, 3), beta=0.5, gamma=50.0, black_ridges=False),
        )
    here, other = 1000 * ours["here"] / 20, 1000 * ours["skimage"] / 3
    print(f"vesselness of {plain.shape}: {here:.2f} ms, scikit-image {other:.2f} ms, {other / here:.0f} times as long")


if __name__ == "__main__":
    main()
