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
from simulation.attempt import Attempt, Stream, host_name, locate_cell, locate_cluster, search
from simulation.calcification import (
    Calcification,
    Malignancy,
)
from simulation.case_record import cluster_record, host_record, site_record, warnings_of
from simulation.enhancement import ContrastDistribution, Enhancement, enhance
from simulation.errors import (
    BreastTooSmall,
    InvalidSettings,
    NoMatchingPlacement,
)
from simulation.host import Host, prepare_host
from simulation.insertion import calibrate
from simulation.placement import Placement
from simulation.provenance import SCHEMA, json_sha256, pixels_sha256, versions
from simulation.settings import SimulationSettings
from simulation.site_selection import Ranking, rank_cells
from simulation.texture.features import cell_features

Polygon = tuple[tuple[float, float], ...]


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
    stream = Stream(seed, int(host.sha256[:15], 16), variant)
    ranking = _rank(host, malignancy, settings, partner, stream)
    attempt = search(host, malignancy, settings, partner, calibration, ranking, stream)
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
    distance, relative = locate_cluster(host, attempt.cluster)
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
        "host": host_record(pair, host, lesion_free),
        "calibration": dataclasses.asdict(calibration),
        "site": site_record(host, ranking, attempt),
        "cluster": cluster_record(host, attempt, result.calcifications),
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
        "warnings": warnings_of(settings, calibration, attempt),
        "output_sha256": pixels_sha256(result.pair.low_energy, result.pair.recombined),
    }
    # plain JSON values only, so that a record read back equals the one handed out
    return dataclasses.replace(result, record=json.loads(json.dumps(record)), placement=placement)


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
    stream: Stream,
) -> Ranking:
    """Rank cells by texture; with a partner only those at its nipple distance."""
    if partner is not None:
        located = [locate_cell(host, cell) for cell in host.cells]
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


def _turned_back(pair: CEMPair, host: Host, attempt: Attempt, enhancement: Enhancement) -> SimulatedCase:
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
