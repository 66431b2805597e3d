"""One simulated case: the steps of S000, section 2.2, in their order."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from imaging.contours import mask_to_polygons
from imaging.pair import CEMPair
from simulation.calcification import (
    Calcification,
    Malignancy,
    draw_calcification,
    lateral_scale,
    reach_px,
    thickness_scale,
)
from simulation.candidates import find_candidates
from simulation.cluster import GrownCluster, grow_cluster
from simulation.cluster_plan import ClusterPlan, draw_plan, particle_morphology, spread_scale
from simulation.enhancement import ContrastDistribution, Enhancement, enhance
from simulation.errors import (
    BreastTooSmall,
    InsertionRejected,
    InvalidSettings,
    NoMatchingPlacement,
    NoSuitableCell,
)
from simulation.host import Host, prepare_host
from simulation.insertion import Calibration, Insertion, calibrate, insert_calcifications
from simulation.lesion_mask import LesionMask, lesion_mask
from simulation.placement import Placement, locate
from simulation.provenance import SCHEMA, json_sha256, pixels_sha256, versions
from simulation.randomness import generator
from simulation.settings import SimulationSettings
from simulation.site_selection import Ranking, rank_cells
from simulation.texture.features import FEATURE_NAMES, cell_features
from simulation.texture.grid import Cell

Polygon = tuple[tuple[float, float], ...]

MINIMUM_VISIBLE = 5
MINIMUM_MEDIAN_CNR = 1.5
VISIBLE_CNR = 2.0
MAXIMUM_CLIPPED = 0.005


@dataclass(frozen=True, eq=False)
class SimulatedCase:
    """A synthetic view and the truth about it.

    Attributes
    ----------
    pair : CEMPair
        As the host, with the cluster in the low-energy and its enhancement in the recombined image.
    mask : ndarray of bool, shape (rows, columns)
        Lesion outline.
    polygons : tuple of polygons
        Of the mask; (x, y) in continuous pixels, first point not repeated.
    calcifications : tuple of Calcification
        In the pixels of `pair`.
    support : ndarray of bool, shape (rows, columns)
        Pixels of the 2D binary model of the calcifications.
    record : dict
        JSON-ready and complete: every resolved parameter, seed, versions, hashes.
    placement : Placement
        To hand to the second view as `partner`.
    """

    pair: CEMPair
    mask: NDArray[np.bool_]
    polygons: tuple[Polygon, ...]
    calcifications: tuple[Calcification, ...]
    support: NDArray[np.bool_]
    record: dict[str, Any]
    placement: Placement


@dataclass(frozen=True, eq=False)
class _Attempt:
    """One accepted cluster in host orientation."""

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
    outline: LesionMask


def simulate(
    pair: CEMPair,
    *,
    malignancy: Malignancy,
    seed: int,
    lesion_free: bool,
    lesion_type: Literal["cluster"] = "cluster",
    variant: int = 0,
    settings: SimulationSettings | None = None,
    exclusion: NDArray[np.bool_] | None = None,
    contrast: ContrastDistribution | None = None,
    partner: Placement | None = None,
) -> SimulatedCase:
    """Insert one synthetic microcalcification cluster into a view.

    Grid of cells, radiomics ranking, candidates, growth of a cluster, insertion in the low-energy image as if
    ray-traced, lesion outline, enhancement in the recombined image (S000, section 2.2).

    Parameters
    ----------
    pair : CEMPair
        Host view.
    malignancy : {"benign", "malignant"}
        Parameter set of the cluster and class of the enhancement.
    seed : int
        With the same pair, variant and settings gives the same bytes; the host's content is part of the stream, so
        that one seed serves a whole batch.
    lesion_free : bool
        Whether the caller asserts that the host has no lesion.
    lesion_type : {"cluster"}
    variant : int
        Another cluster in the same host.
    settings : SimulationSettings, optional
    exclusion : ndarray of bool, shape (rows, columns), optional
        Neither calcifications nor the lesion outline touch it; replaces the lesion-free assertion.
    contrast : ContrastDistribution, optional
        Measured relative contrasts of the class; the prior when None.
    partner : Placement, optional
        Placement of the same lesion in the other view: plan, contrast and nipple distance follow it.

    Returns
    -------
    SimulatedCase

    Raises
    ------
    SimulationError
        One of its subclasses, with the reason.
    """
    settings = settings or SimulationSettings()
    _check_arguments(pair, lesion_type, malignancy, seed, variant, contrast, partner)
    host = prepare_host(pair, lesion_free=lesion_free, exclusion=exclusion, settings=settings)
    try:
        calibration = calibrate(
            host.low_energy, host.breast, host.maximum, host.profile, host.spacing_mm, kind=settings.calibration
        )
    except ValueError as error:
        raise (InvalidSettings if settings.calibration == "lut" else BreastTooSmall)(str(error)) from error
    stream = _Stream(seed, int(host.sha256[:15], 16), variant)
    ranking = _rank(host, malignancy, settings, partner, stream)
    attempt = _search(host, malignancy, settings, partner, calibration, ranking, stream)
    distribution = contrast or ContrastDistribution.prior(malignancy)
    wanted = partner.contrast if partner else distribution.sample(stream("contrast"))
    sigma = max(settings.smoothing_px * 0.1 / host.spacing_mm, 1.0)
    enhancement = enhance(
        host.recombined,
        attempt.outline.mask,
        wanted,
        maximum=host.maximum,
        sigma_px=sigma,
        blend=settings.blend,
        rng=stream("enhancement"),
    )
    distance, relative = _location(host, attempt.cluster)
    placement = Placement(
        pair.laterality, pair.view_position, distance, relative, attempt.plan, wanted, attempt.packing
    )
    result = _turned_back(pair, host, attempt, enhancement)
    record = {
        "schema": SCHEMA,
        "versions": versions(),
        "seed": seed,
        "variant": variant,
        "lesion_type": lesion_type,
        "malignancy": malignancy,
        "settings": settings.to_json(),
        "settings_sha256": json_sha256(settings.to_json()),
        "host": _host_record(pair, host, lesion_free),
        "calibration": dataclasses.asdict(calibration),
        "site": _site_record(host, ranking, attempt),
        "cluster": _cluster_record(host, attempt, result.calcifications),
        "mask": {
            "enlargement": attempt.outline.enlargement,
            "area_mm2": attempt.outline.area_mm2,
            "polygons": [[list(point) for point in polygon] for polygon in result.polygons],
        },
        "enhancement": {
            "distribution": "prior" if distribution.is_prior else distribution.to_json(),
            "from_partner": partner is not None,
            "requested": wanted,
            "realised": enhancement.realised,
            "contrast_before": enhancement.contrast_before,
            "contrast_after": enhancement.contrast_after,
            "ring_level": enhancement.ring_level,
            "blend": settings.blend,
            "sigma_px": sigma,
        },
        "placement": placement.to_json(),
        "partner": partner.to_json() if partner else None,
        "warnings": _warnings(settings, calibration, attempt),
        "output_sha256": pixels_sha256(result.pair.low_energy, result.pair.recombined),
    }
    # plain JSON values only, so that a record read back equals the one handed out
    return dataclasses.replace(result, record=json.loads(json.dumps(record)), placement=placement)


class _Stream:
    """Named random streams of one case."""

    def __init__(self, seed: int, host: int, variant: int) -> None:
        self.seed, self.host, self.variant = seed, host, variant

    def __call__(self, *path: str | int) -> np.random.Generator:
        return generator(self.seed, "case", self.host, self.variant, *path)


def _check_arguments(
    pair: CEMPair,
    lesion_type: str,
    malignancy: str,
    seed: int,
    variant: int,
    contrast: ContrastDistribution | None,
    partner: Placement | None,
) -> None:
    if lesion_type != "cluster":
        raise InvalidSettings(f"lesion_type is {lesion_type!r}; only clusters are simulated")
    if malignancy not in ("benign", "malignant"):
        raise InvalidSettings(f"malignancy is {malignancy!r}; choose benign or malignant")
    if seed < 0 or variant < 0:
        raise InvalidSettings("seed and variant must not be negative")
    if contrast is not None and contrast.malignancy != malignancy:
        raise InvalidSettings(f"the contrasts were measured on {contrast.malignancy} lesions, not {malignancy}")
    if partner is not None and partner.laterality != pair.laterality:
        raise InvalidSettings("the partner view shows the other breast")


def _rank(
    host: Host,
    malignancy: Malignancy,
    settings: SimulationSettings,
    partner: Placement | None,
    stream: _Stream,
) -> Ranking:
    """Rank cells by texture; with a partner only those at its nipple distance."""
    if partner is not None:
        located = [_locate_cell(host, cell) for cell in host.cells]
        near = [
            index
            for index, (distance, _) in enumerate(located)
            if abs(distance - partner.nipple_distance_mm) <= settings.two_view_tolerance_mm
        ]
        if not near:
            raise NoMatchingPlacement(
                f"no cell of the {host_name(host)} lies {partner.nipple_distance_mm:.0f} mm from the nipple "
                f"(+-{settings.two_view_tolerance_mm:g} mm), as the cluster of the partner view does"
            )
        # the features of all cells set the scale, so the choice does not depend on how many match
        features = cell_features(host.low_energy, host.cells, bin_count=settings.bin_count)
        penalty = np.array([0.5 * abs(relative - partner.relative_position) for _, relative in located])
        ranking = rank_cells(features, malignancy, stream("site"), settings, penalty=penalty)
        keep = set(near)
        return Ranking(ranking.scores, tuple(index for index in ranking.order if index in keep))
    features = cell_features(host.low_energy, host.cells, bin_count=settings.bin_count)
    return rank_cells(features, malignancy, stream("site"), settings)


def host_name(host: Host) -> str:
    """What messages call the view: its size, never an identifier."""
    rows, columns = host.low_energy.shape
    return f"{rows} x {columns} view"


def _locate_cell(host: Host, cell: Cell) -> tuple[float, float]:
    return locate(*cell.centre, host.area.nipple, host.area.depth_px, host.spacing_mm)


def _location(host: Host, cluster: GrownCluster) -> tuple[float, float]:
    x, y = cluster.points.mean(0)
    return locate(float(x), float(y), host.area.nipple, host.area.depth_px, host.spacing_mm)


def _search(
    host: Host,
    malignancy: Malignancy,
    settings: SimulationSettings,
    partner: Placement | None,
    calibration: Calibration,
    ranking: Ranking,
    stream: _Stream,
) -> _Attempt:
    """Try ranked cells until one takes a cluster that passes its checks."""
    reasons: dict[str, int] = {}
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
            if isinstance(outcome, _Attempt):
                return outcome
            reasons[outcome] = reasons.get(outcome, 0) + 1
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
) -> _Attempt | str:
    """One cluster in one cell, or the reason why it was not accepted."""
    cell = host.cells[index]
    plan = (
        partner.plan if partner else draw_plan(stream("plan"), malignancy, spread_scale=spread_scale(host.spacing_mm))
    )
    region = _search_region(host, cell, plan)
    candidates = find_candidates(host.low_energy, region, host.area.mask, stream("candidates"), wanted=plan.count)
    cluster = grow_cluster(
        candidates, plan, host.area.mask, stream("growth"), spacing_mm=host.spacing_mm, nipple=host.area.nipple
    )
    if cluster is None:
        return "too few places for the calcifications"
    if partner is not None:
        distance, _ = _location(host, cluster)
        if abs(distance - partner.nipple_distance_mm) > settings.two_view_tolerance_mm:
            return "cluster grew away from the partner's nipple distance"
    particles = _particles(host, malignancy, settings, plan, cluster, stream("particles"))
    packing = (
        partner.packing if partner else float(stream("packing").uniform(settings.packing_low, settings.packing_high))
    )
    if len(particles) < MINIMUM_VISIBLE:
        return "too few places for the calcifications"
    insertion = insert_calcifications(
        host.low_energy,
        particles,
        maximum=host.maximum,
        profile=host.profile,
        spacing_mm=host.spacing_mm,
        packing=packing,
        calibration=calibration,
        rng=stream("noise"),
        noise_consistency=settings.noise_consistency,
    )
    ratios = np.array(insertion.contrast_to_noise)
    if insertion.clipped_fraction > MAXIMUM_CLIPPED:
        return "insertion saturates"
    if np.median(ratios) < MINIMUM_MEDIAN_CNR or (ratios > VISIBLE_CNR).sum() < MINIMUM_VISIBLE:
        return "insertion too faint against the local noise"
    outline = lesion_mask(
        insertion.support,
        spacing_mm=host.spacing_mm,
        breast=host.breast,
        enlargement=settings.mask_enlargement,
        dilation_mm=settings.mask_dilation_mm,
    )
    if host.exclusion is not None and bool((outline.mask & host.exclusion).any()):
        return "outline touches the exclusion mask"
    return _Attempt(
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
        outline,
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


def _turned_back(pair: CEMPair, host: Host, attempt: _Attempt, enhancement: Enhancement) -> SimulatedCase:
    """The result in the orientation of the host pair; record and placement are filled in by the caller."""

    def turn(image: NDArray[Any]) -> NDArray[Any]:
        return np.ascontiguousarray(image[:, ::-1]) if host.flipped else image

    columns = host.low_energy.shape[1]
    particles = attempt.particles
    if host.flipped:
        particles = [
            dataclasses.replace(particle, x=columns - particle.x, angle=np.pi - particle.angle)
            for particle in particles
        ]
    mask = turn(attempt.outline.mask)
    polygons = tuple(tuple((float(x), float(y)) for x, y in polygon) for polygon in mask_to_polygons(mask))
    changed = dataclasses.replace(pair, low_energy=turn(attempt.insertion.image), recombined=turn(enhancement.image))
    nowhere = Placement(pair.laterality, pair.view_position, 0.0, 0.0, attempt.plan, 1.0, attempt.packing)
    return SimulatedCase(changed, mask, polygons, tuple(particles), turn(attempt.insertion.support), {}, nowhere)


def _host_record(pair: CEMPair, host: Host, lesion_free: bool) -> dict[str, Any]:
    return {
        "sha256": pixels_sha256(pair.low_energy, pair.recombined),
        "rows": pair.shape[0],
        "columns": pair.shape[1],
        "laterality": pair.laterality,
        "view_position": pair.view_position,
        "bits_stored": pair.bits_stored,
        "vendor": pair.vendor,
        "spacing_mm": host.spacing_mm,
        "chest_wall": "right" if host.flipped else "left",
        "lesion_free_asserted": lesion_free,
        "exclusion_pixels": 0 if host.exclusion is None else int(host.exclusion.sum()),
        "pectoral": host.area.pectoral,
        "assumptions": list(host.assumptions),
        "profile": host.profile.to_json(),
    }


def _site_record(host: Host, ranking: Ranking, attempt: _Attempt) -> dict[str, Any]:
    cell = attempt.cell
    columns = host.low_energy.shape[1]
    left = columns - cell.column - cell.size if host.flipped else cell.column
    return {
        "features": list(FEATURE_NAMES),
        "cell_px": cell.size,
        "overlap": host.overlap,
        "cells": len(host.cells),
        "box": [left, cell.row, left + cell.size, cell.row + cell.size],
        "score": float(ranking.scores[attempt.cell_index]),
        "score_rank": int((ranking.scores > ranking.scores[attempt.cell_index]).sum()) + 1,
        "cells_rejected_before": attempt.rank,
    }


def _cluster_record(host: Host, attempt: _Attempt, calcifications: tuple[Calcification, ...]) -> dict[str, Any]:
    insertion = attempt.insertion
    listed = [
        {**particle.to_json(), "tau_max": tau, "contrast_to_noise": ratio}
        for particle, tau, ratio in zip(calcifications, insertion.tau_max, insertion.contrast_to_noise, strict=True)
    ]
    return {
        "plan": dataclasses.asdict(attempt.plan),
        "count": len(listed),
        "from_candidates": attempt.cluster.from_candidates,
        "candidates": attempt.candidates,
        "candidate_percentile": attempt.percentile,
        "diameter_mm": attempt.cluster.diameter_mm,
        "packing": attempt.packing,
        "lateral_scale": lateral_scale(host.spacing_mm),
        "thickness_scale": thickness_scale(host.spacing_mm),
        "spread_scale": spread_scale(host.spacing_mm),
        "median_contrast_to_noise": float(np.median(insertion.contrast_to_noise)),
        "clipped_fraction": insertion.clipped_fraction,
        "mean_shift": insertion.mean_shift,
        "maximum_thickness_um": float(insertion.layer.thickness_um.max()),
        "calcifications": listed,
    }


def _warnings(settings: SimulationSettings, calibration: Calibration, attempt: _Attempt) -> list[str]:
    found = []
    if settings.blend == "s000":
        found.append(
            "blend s000 smooths the recombined image inside the mask: the missing noise marks every synthetic lesion"
        )
    if calibration.kind == "anatomy":
        found.append(f"contrast calibrated on the spread of the anatomy and less certain: {calibration.reason}")
    if settings.site_selection == "best":
        found.append("site selection best: a host always gets its cluster at the same place")
    if attempt.outline.area_mm2 > 1600:
        found.append("the lesion outline is larger than 16 cm2")
    return found
