"""Trying ranked cells until one takes a cluster that passes its own checks (S000, section 2.2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist

from imaging.pair import ViewPosition
from simulation.calcification import Calcification, reach_px
from simulation.calibration import Calibration
from simulation.candidates import find_candidates
from simulation.cluster import GrownCluster, grow_cluster, least_diameter_mm
from simulation.cluster_form import ClusterForm, form_from_view
from simulation.cluster_parameters import ClusterParameters
from simulation.cluster_plan import ClusterPlan, draw_plan, spread_scale
from simulation.errors import InsertionRejected, NoSuitableCell
from simulation.host import Host
from simulation.insertion import Insertion, insert_calcifications, insert_within_limits
from simulation.lesion_mask import LesionMask, lesion_mask
from simulation.placement import Placement, locate
from simulation.randomness import generator
from simulation.settings import SimulationSettings
from simulation.site_selection import Ranking
from simulation.texture.grid import Cell

SURROUND_MM = 2.4
"""Image that a cluster has around it on each side."""
MASK_AREA_MM2 = (10.0, 1600.0)
MAXIMUM_OUTLINE_CLIPPED = 0.05
EASIER_DIAMETER = 0.75
"""Factor on the diameter of a plan that half of the cells did not take."""
_SHIFTS = 24


@dataclass(frozen=True, eq=False)
class Attempt:
    """One accepted cluster in host orientation.

    Attributes
    ----------
    form : ClusterForm
        The calcifications in three dimensions; `particles` are their projection.
    cluster : GrownCluster
        Their places in this view.
    checked : Insertion
        The one that was accepted; `insertion` is the one that is written, without attenuation in a control.
    rejected : tuple of (int, int, str)
        Cells tried before, in this order: index, number of the attempt in the cell, reason.
    """

    cell: Cell
    cell_index: int
    rank: int
    plan: ClusterPlan
    form: ClusterForm
    cluster: GrownCluster
    candidates: int
    percentile: float
    packing: float
    particles: list[Calcification]
    insertion: Insertion
    checked: Insertion
    outline: LesionMask
    rejected: tuple[tuple[int, int, str], ...] = ()


@dataclass(frozen=True, eq=False)
class _Placed:
    """Calcifications with their places in this view, before they are inserted."""

    plan: ClusterPlan
    form: ClusterForm
    cluster: GrownCluster
    particles: list[Calcification]
    candidates: int
    percentile: float


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
    view_position: ViewPosition,
    parameters: ClusterParameters,
    settings: SimulationSettings,
    partner: Placement | None,
    calibration: Calibration,
    ranking: Ranking,
    stream: Stream,
) -> Attempt:
    """Try ranked cells until one takes a cluster that passes its checks.

    The plan is drawn once, so that clusters that are hard to place do not become rare; when half of the cells did
    not take it, smaller clusters of newly drawn morphology are tried in the other half.

    Raises
    ------
    NoSuitableCell, InsertionRejected
        With the reasons of all cells tried.
    """
    plan = partner.plan if partner else _draw_plan(host, parameters, stream("plan"))
    cells = ranking.order[: settings.cells_tried]
    rejected: list[tuple[int, int, str]] = []
    for rank, index in enumerate(cells):
        for number in range(settings.attempts_per_cell):
            named = partial(stream, "cell", index, number)
            if partner is not None:
                placed = _follow(host, view_position, settings, partner, index, named)
            else:
                if 2 * rank >= len(cells):
                    other = _draw_plan(host, parameters, named("plan"))
                    plan_here = replace(other, diameter_mm=EASIER_DIAMETER * plan.diameter_mm, count=plan.count)
                else:
                    plan_here = plan
                placed = _grow(host, view_position, settings, parameters, plan_here, index, named)
            outcome: Attempt | str
            if isinstance(placed, str):
                outcome = placed
            else:
                packing = partner.packing if partner else _packing(settings, named("packing"))
                outcome = _insert_checked(host, settings, calibration, placed, packing, index, rank, named)
            if isinstance(outcome, Attempt):
                return replace(outcome, rejected=tuple(rejected))
            rejected.append((index, number, outcome))
    reasons = Counter(reason for _, _, reason in rejected)
    told = "; ".join(f"{reason} ({count})" for reason, count in sorted(reasons.items()))
    kind = InsertionRejected if any(reason.startswith("insertion") for reason in reasons) else NoSuitableCell
    raise kind(f"{len(cells)} cells tried, none took a cluster: {told}. Try another seed, view or smaller margins")


def _draw_plan(host: Host, parameters: ClusterParameters, rng: np.random.Generator) -> ClusterPlan:
    scale = spread_scale(host.spacing_mm)
    plan = draw_plan(rng, parameters.malignancy, spread_scale=scale, parameters=parameters)
    if host.most_calcifications is not None:
        plan = replace(plan, count=min(plan.count, host.most_calcifications))
    # many calcifications in a narrow cluster would lie on top of each other, most of all on coarse pixels
    return replace(plan, diameter_mm=max(plan.diameter_mm, least_diameter_mm(plan.count, host.spacing_mm)))


def _packing(settings: SimulationSettings, rng: np.random.Generator) -> float:
    return float(rng.uniform(settings.packing_low, settings.packing_high))


def _grow(
    host: Host,
    view_position: ViewPosition,
    settings: SimulationSettings,
    parameters: ClusterParameters,
    plan: ClusterPlan,
    index: int,
    stream: Callable[..., np.random.Generator],
) -> _Placed | str:
    """The first view of a cluster: candidates of the image fix the places, the plan the depth; or the reason."""
    region = _search_region(host, host.cells[index], plan.diameter_mm)
    candidates = find_candidates(host.low_energy, region, host.area.mask, stream("candidates"), wanted=plan.count)
    cluster = grow_cluster(
        candidates, plan, host.area.mask, stream("growth"), spacing_mm=host.spacing_mm, nipple=host.area.nipple
    )
    if cluster is None:
        return "too few places for the calcifications"
    form = form_from_view(
        stream("particles"),
        plan,
        parameters,
        in_plane_mm=cluster.points * host.spacing_mm,
        directions=cluster.directions,
        view_position=view_position,
        angle_deg=settings.oblique_angle_deg,
    )
    x, y = cluster.points.mean(0)
    particles = form.project(
        view_position, centre=(float(x), float(y)), spacing_mm=host.spacing_mm, angle_deg=settings.oblique_angle_deg
    )
    return _Placed(plan, form, cluster, particles, len(candidates), candidates.percentile)


def _follow(
    host: Host,
    view_position: ViewPosition,
    settings: SimulationSettings,
    partner: Placement,
    index: int,
    stream: Callable[..., np.random.Generator],
) -> _Placed | str:
    """The second view of a cluster: its form, projected into the cell where all of it fits; or the reason."""
    cell = host.cells[index]
    shifts = stream("place").uniform(-0.35, 0.35, (_SHIFTS, 2)) * cell.size
    shifts[0] = 0
    particles = partner.form.project(
        view_position, centre=cell.centre, spacing_mm=host.spacing_mm, angle_deg=settings.oblique_angle_deg
    )
    points = np.array([(particle.x, particle.y) for particle in particles])
    far = False
    for shift in shifts:
        moved = points + shift
        cluster = GrownCluster(
            moved, np.array([particle.angle for particle in particles]), 0, float(pdist(moved).max()) * host.spacing_mm
        )
        distance, _ = locate_cluster(host, cluster)
        if abs(distance - partner.nipple_distance_mm) > settings.two_view_tolerance_mm:
            far = True
        elif _all_permitted(host, moved):
            there = [replace(one, x=one.x + float(shift[0]), y=one.y + float(shift[1])) for one in particles]
            return _Placed(partner.plan, partner.form, cluster, there, 0, 0.0)
    return "the partner's nipple distance is not kept" if far else "the cluster of the partner view does not fit"


def _all_permitted(host: Host, points: NDArray[np.float64]) -> bool:
    column, row = np.floor(points).astype(int).T
    rows, columns = host.low_energy.shape
    if row.min() < 0 or column.min() < 0 or row.max() >= rows or column.max() >= columns:
        return False
    return bool(host.area.mask[row, column].all())


def _insert_checked(
    host: Host,
    settings: SimulationSettings,
    calibration: Calibration,
    placed: _Placed,
    packing: float,
    index: int,
    rank: int,
    stream: Callable[..., np.random.Generator],
) -> Attempt | str:
    """Insert and outline placed calcifications, or the reason why they were not accepted."""
    rows, columns = host.low_energy.shape
    for one in placed.particles:
        reach = reach_px(one, host.spacing_mm) + 2
        if not (reach <= one.x <= columns - reach and reach <= one.y <= rows - reach):
            return "a calcification reaches beyond the image"
    insertion = _insert(host, settings, calibration, placed.particles, packing, stream("noise"))
    if insertion.shortcoming:
        return insertion.shortcoming
    packing, checked = insertion.packing, insertion
    if settings.insertion == "off":  # everything was decided as for a lesion; the same path now writes none
        insertion = _insert(host, settings, calibration, placed.particles, 0.0, stream("noise"))
    outline = lesion_mask(
        insertion.support,
        spacing_mm=host.spacing_mm,
        breast=host.breast,
        enlargement=settings.mask_enlargement,
        dilation_mm=settings.mask_dilation_mm,
    )
    # clusters are laid wider on coarse pixels, and so are their outlines
    least, most = MASK_AREA_MM2[0], MASK_AREA_MM2[1] * spread_scale(host.spacing_mm) ** 2
    if not least <= outline.area_mm2 <= most:
        return f"outline not within {least / 100:g} to {most / 100:.3g} cm2"
    if outline.clipped > MAXIMUM_OUTLINE_CLIPPED:
        return "outline leaves the breast"
    if host.exclusion is not None and bool((outline.mask & host.exclusion).any()):
        return "outline touches the exclusion mask"
    return Attempt(
        host.cells[index],
        index,
        rank,
        placed.plan,
        placed.form,
        placed.cluster,
        placed.candidates,
        placed.percentile,
        packing,
        placed.particles,
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
        codes=host.low_energy_codes,
    )


def _search_region(host: Host, cell: Cell, diameter_mm: float) -> tuple[slice, slice]:
    """The cell, widened where the planned cluster is larger than it, shifted so that its surroundings fit as well."""
    half = int(np.ceil(max(cell.size, diameter_mm / host.spacing_mm) / 2))
    room = half + int(np.ceil(SURROUND_MM / host.spacing_mm))
    x, y = cell.centre
    rows, columns = host.low_energy.shape
    along, across = _within(int(y), room, rows), _within(int(x), room, columns)
    return (
        slice(max(along - half, 0), min(along + half, rows)),
        slice(max(across - half, 0), min(across + half, columns)),
    )


def _within(centre: int, room: int, length: int) -> int:
    """Nearest centre that keeps `room` on both sides; the middle where there is not that much."""
    return length // 2 if 2 * room > length else min(max(centre, room), length - room)
