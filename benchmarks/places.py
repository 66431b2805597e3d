"""Does the place of a cluster tell that it is synthetic? Chosen cells against evenly drawn ones, on phantoms.

For several ways to draw, over 100 small phantom views (seeds from 1000 on; the suite uses others), 20 draws each: AUC
of each coordinate of the chosen cell against cells drawn evenly, and how good the texture of the chosen cells is.

Run: ``OMP_NUM_THREADS=1 python -m benchmarks.places``
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from simulation.host import Host, prepare_host
from simulation.phantom import phantom_patient
from simulation.settings import SimulationSettings
from simulation.site_selection import rank_cells
from simulation.texture import CellFeatures, cell_features

FIRST_SEED, PATIENTS, DRAWS = 1000, 50, 20
COORDINATES = ("depth", "height", "distance from the nipple", "distance from the middle")
WAYS = (
    (0.05, 1.0, False),
    (0.25, 1.0, False),
    (0.5, 5.0, False),
    (0.1, 1.0, True),
    (0.25, 1.0, True),
    (0.5, 5.0, True),
)


@dataclass(frozen=True, eq=False)
class Measured:
    host: Host
    features: CellFeatures
    positions: NDArray[np.float64]


def measured_hosts() -> list[Measured]:
    found = []
    for seed in range(FIRST_SEED, FIRST_SEED + PATIENTS):
        side = "LR"[seed % 2]
        for view in phantom_patient(seed=seed, site="AB"[seed % 2], size="small", views=((side, "CC"), (side, "MLO"))):
            settings = SimulationSettings()
            host = prepare_host(view.pair, lesion_free=True, exclusion=None, settings=settings)
            features = cell_features(host.low_energy, [cell.box for cell in host.cells], bin_count=settings.bin_count)
            found.append(Measured(host, features, _positions(host)))
    return found


def _positions(host: Host) -> NDArray[np.float64]:
    x, y = np.array([cell.centre for cell in host.cells]).T
    rows = np.flatnonzero(host.breast.any(1))
    height = (y - rows[0]) / np.ptp(rows)
    from_nipple = np.hypot(x - host.area.nipple[0], y - host.area.nipple[1])
    return np.stack([x / host.area.depth_px, height, from_nipple / host.area.depth_px, np.abs(height - 0.5)], axis=1)


def judge(hosts: list[Measured], fraction: float, temperature: float, parts: bool) -> tuple[list[float], float]:
    """AUC of each coordinate, and the mean share of cells with a weaker texture score than the chosen one."""
    settings = SimulationSettings(best_fraction=fraction, temperature=temperature)
    chosen, even, weaker = [], [], []
    for index, one in enumerate(hosts):
        centres = np.array([cell.centre for cell in one.host.cells])
        rng = np.random.default_rng(index)
        for _ in range(DRAWS):
            malignancy = ("benign", "malignant")[index // 2 % 2]
            ranking = rank_cells(one.features, malignancy, rng, settings, centres=centres if parts else None)
            first = ranking.order[0]
            chosen.append(one.positions[first])
            even.append(one.positions[rng.integers(len(centres))])
            weaker.append(float((ranking.scores < ranking.scores[first]).mean()))
    values = np.concatenate([np.array(chosen), np.array(even)])
    labels = np.repeat([1, 0], len(chosen))
    return [float(roc_auc_score(labels, values[:, k])) for k in range(len(COORDINATES))], float(np.mean(weaker))


def main() -> None:
    hosts = measured_hosts()
    print(f"{len(hosts)} views, {DRAWS} draws each; AUC of {', '.join(COORDINATES)}; mean texture percentile")
    for fraction, temperature, parts in WAYS:
        areas, percentile = judge(hosts, fraction, temperature, parts)
        words = "within parts of the breast" if parts else "over the whole breast"
        shown = "  ".join(f"{area:.3f}" for area in areas)
        print(f"best {fraction:4.0%}, temperature {temperature:g}, {words:26s} {shown}   {percentile:.2f}")


if __name__ == "__main__":
    main()
