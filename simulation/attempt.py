"""Trying ranked cells until one takes a cluster that passes its own checks (S000, section 2.2)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from simulation.calcification import (
    Calcification,
    Malignancy,
    draw_calcification,
    reach_px,
)
from simulation.calibration import Calibration
from simulation.candidates import find_candidates
from simulation.cluster import GrownCluster, grow_cluster
from simulation.cluster_plan import ClusterPlan, draw_plan, particle_morphology, spread_scale
from simulation.errors import (
    InsertionRejected,
    NoSuitableCell,
)
from simulation.host import Host
from simulation.insertion import MINIMUM_VISIBLE, Insertion, insert_calcifications, insert_within_limits
from simulation.lesion_mask import LesionMask, lesion_mask
from simulation.placement import Placement, locate
from simulation.randomness import generator
from simulation.settings import SimulationSettings
from simulation.site_selection import Ranking
from simulation.texture.grid import Cell

# Of the area of a lesion outline.
MAXIMUM_OUTLINE_CLIPPED = 0.05


@dataclass(frozen=True, eq=False)
class Attempt:
    """One accepted cluster in host orientation.

    Attributes
    ----------
    checked : Insertion
        The one that was accepted; `insertion` is the one that is written, without attenuation in a control.
    rejected : tuple of (int, int, str)
        Cells tried before, in this order: index, number of the attempt in the cell, reason.
    """

    cell: Cell
    cell_index: int
    rank: int
    plan: ClusterPlan
    cluster: GrownCluster
    candidates: int
    percentile: float
    packing: float
    particles: list[Calcification]
    insertion: Insertion
    checked: Insertion
    outline: LesionMask
    rejected: tuple[tuple[int, int, str], ...] = ()


class Stream:
    """Named random streams of one case."""

    def __init__(self, seed: int, host: int, variant: int) -> None:
        self.seed, self.host, self.variant = seed, host, variant

    def __call__(self, *path: str | int) -> np.random.Generator:
        return generator(self.seed, "case", self.host, self.variant, *path)


def host_name(host: Host) -> str:
    """What messages call the view: its size, never an identifier."""
    rows, columns = host.low_energy.shape
    return f"{rows} x {columns} view"


def locate_cell(host: Host, cell: Cell) -> tuple[float, float]:
    return locate(*cell.centre, host.area.nipple, host.area.depth_px, host.spacing_mm)


def locate_cluster(host: Host, cluster: GrownCluster) -> tuple[float, float]:
    x, y = cluster.points.mean(0)
    return locate(float(x), float(y), host.area.nipple, host.area.depth_px, host.spacing_mm)


def search(
    host: Host,
    malignancy: Malignancy,
    settings: SimulationSettings,
    partner: Placement | None,
    calibration: Calibration,
    ranking: Ranking,
    stream: Stream,
) -> Attempt:
    """Try ranked cells until one takes a cluster that passes its checks."""
    rejected: list[tuple[int, int, str]] = []
    for rank, index in enumerate(ranking.order[: settings.cells_tried]):
        for number in range(settings.attempts_per_cell):
            outcome = _attempt(
                host,
                malignancy,
                settings,
                partner,
                calibration,
                index,
                rank,
                lambda *p, n=number, i=index: stream("cell", i, n, *p),
            )
            if isinstance(outcome, Attempt):
                return replace(outcome, rejected=tuple(rejected))
            rejected.append((index, number, outcome))
    reasons = Counter(reason for _, _, reason in rejected)
    told = "; ".join(f"{reason} ({count})" for reason, count in sorted(reasons.items()))
    kind = InsertionRejected if any(reason.startswith("insertion") for reason in reasons) else NoSuitableCell
    raise kind(f"{min(len(ranking.order), settings.cells_tried)} cells tried, none took a cluster: {told}")


def _attempt(
    host: Host,
    malignancy: Malignancy,
    settings: SimulationSettings,
    partner: Placement | None,
    calibration: Calibration,
    index: int,
    rank: int,
    stream: Any,
) -> Attempt | str:
    """One cluster in one cell, or the reason why it was not accepted."""
    cell = host.cells[index]
    plan = (
        partner.plan if partner else draw_plan(stream("plan"), malignancy, spread_scale=spread_scale(host.spacing_mm))
    )
    if host.most_calcifications is not None and partner is None:
        plan = replace(plan, count=min(plan.count, host.most_calcifications))
    region = _search_region(host, cell, plan)
    candidates = find_candidates(host.low_energy, region, host.area.mask, stream("candidates"), wanted=plan.count)
    cluster = grow_cluster(
        candidates, plan, host.area.mask, stream("growth"), spacing_mm=host.spacing_mm, nipple=host.area.nipple
    )
    if cluster is None:
        return "too few places for the calcifications"
    if partner is not None:
        distance, _ = locate_cluster(host, cluster)
        if abs(distance - partner.nipple_distance_mm) > settings.two_view_tolerance_mm:
            return "cluster grew away from the partner's nipple distance"
    particles = _particles(host, malignancy, settings, plan, cluster, stream("particles"))
    packing = (
        partner.packing if partner else float(stream("packing").uniform(settings.packing_low, settings.packing_high))
    )
    if len(particles) < MINIMUM_VISIBLE:
        return "too few places for the calcifications"
    insertion = _insert(host, settings, calibration, particles, packing, stream("noise"))
    if insertion.shortcoming:
        return insertion.shortcoming
    packing, checked = insertion.packing, insertion
    if settings.insertion == "off":  # everything was decided as for a lesion; the same path now writes none
        insertion = _insert(host, settings, calibration, particles, 0.0, stream("noise"))
    outline = lesion_mask(
        insertion.support,
        spacing_mm=host.spacing_mm,
        breast=host.breast,
        enlargement=settings.mask_enlargement,
        dilation_mm=settings.mask_dilation_mm,
    )
    if host.exclusion is not None and bool((outline.mask & host.exclusion).any()):
        return "outline touches the exclusion mask"
    if outline.clipped > MAXIMUM_OUTLINE_CLIPPED:
        return "outline leaves the breast"
    return Attempt(
        cell,
        index,
        rank,
        plan,
        cluster,
        len(candidates),
        candidates.percentile,
        packing,
        particles,
        insertion,
        checked,
        outline,
    )


def _insert(
    host: Host,
    settings: SimulationSettings,
    calibration: Calibration,
    particles: list[Calcification],
    packing: float,
    rng: np.random.Generator,
) -> Insertion:
    insert = insert_within_limits if packing else insert_calcifications
    return insert(
        host.low_energy,
        particles,
        maximum=host.maximum,
        profile=host.profile,
        spacing_mm=host.spacing_mm,
        packing=packing,
        calibration=calibration,
        rng=rng,
        noise_consistency=settings.noise_consistency,
    )


def _search_region(host: Host, cell: Cell, plan: ClusterPlan) -> tuple[slice, slice]:
    """The cell, widened where the planned cluster is larger than it."""
    half = int(np.ceil(max(cell.size, plan.diameter_mm / host.spacing_mm) / 2))
    x, y = cell.centre
    rows, columns = host.low_energy.shape
    return (
        slice(max(int(y) - half, 0), min(int(y) + half, rows)),
        slice(max(int(x) - half, 0), min(int(x) + half, columns)),
    )


def _particles(
    host: Host,
    malignancy: Malignancy,
    settings: SimulationSettings,
    plan: ClusterPlan,
    cluster: GrownCluster,
    rng: np.random.Generator,
) -> list[Calcification]:
    drawn = []
    rows, columns = host.low_energy.shape
    for (x, y), direction in zip(cluster.points, cluster.directions, strict=True):
        particle = draw_calcification(
            rng,
            malignancy,
            x=float(x),
            y=float(y),
            morphology=particle_morphology(rng, plan, malignancy),
            comedo=plan.comedo,
            size_prior=settings.size_prior,
            direction=float(direction),
        )
        reach = reach_px(particle, host.spacing_mm) + 2
        if reach <= x <= columns - reach and reach <= y <= rows - reach:
            drawn.append(particle)
    return drawn
