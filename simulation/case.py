"""One simulated case: the steps of S000, section 2.2, in their order."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from imaging.contours import mask_to_polygons
from imaging.pair import CEMPair
from simulation.analysed_host import AnalysedHost, analyse_host
from simulation.attempt import Attempt, Stream, host_name, locate_cell, locate_cluster, search
from simulation.calcification import (
    Calcification,
    Malignancy,
)
from simulation.case_checks import checks_of
from simulation.case_enhancement import enhance_case, enhancement_warnings
from simulation.case_record import cluster_record, host_record, site_record, warnings_of
from simulation.cluster_parameters import PARAMETERS, ClusterParameters
from simulation.enhancement import ContrastDistribution
from simulation.errors import InvalidSettings, NoMatchingPlacement
from simulation.host import Host, turned
from simulation.placement import Placement
from simulation.provenance import SCHEMA, json_sha256, pixels_sha256, versions
from simulation.recombined_edit import Enhancement
from simulation.settings import SimulationSettings
from simulation.site_selection import Ranking, grey_level_warnings, rank_cells
from simulation.site_weights import SiteWeights

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
    seconds : dict of str to float
        Process CPU time of each stage; not part of the record, which is the same for every run.
    """

    pair: CEMPair
    mask: NDArray[np.bool_]
    polygons: tuple[Polygon, ...]
    calcifications: tuple[Calcification, ...]
    support: NDArray[np.bool_]
    record: dict[str, Any]
    placement: Placement
    seconds: dict[str, float]


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
    analysed: AnalysedHost | None = None,
    source: Mapping[str, Any] | None = None,
    site_weights: SiteWeights | None = None,
    clusters: ClusterParameters | None = None,
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
    analysed : AnalysedHost, optional
        Of this pair, exclusion and settings (`simulation.analysed_host.analyse_host`): makes a further variant cheap
        and leaves the result as it is.
    source : mapping, optional
        JSON-ready facts about the files of the host, kept in the record; no identifiers.
    site_weights : SiteWeights, optional
        Ranking of cells learnt from real clusters; the prior one when None.
    clusters : ClusterParameters, optional
        Measured on real clusters of the class; the prior, with the sizes of `settings.size_prior`, when None.

    Returns
    -------
    SimulatedCase

    Raises
    ------
    SimulationError
        One of its subclasses, with the reason.
    """
    settings = settings or SimulationSettings()
    _check_arguments(pair, lesion_type, malignancy, seed, variant, contrast, partner, clusters)
    clock = _Clock()
    if analysed is None:
        analysed = analyse_host(pair, lesion_free=lesion_free, exclusion=exclusion, settings=settings)
    elif not analysed.serves(pair, lesion_free=lesion_free, exclusion=exclusion, settings=settings):
        raise InvalidSettings(
            "the analysed host belongs to another pair, exclusion mask or other settings; analyse this pair"
        )
    host, calibration = analysed.host, analysed.calibration
    clock.lap("analysis")
    stream = Stream(seed, int(host.sha256[:15], 16), variant)
    ranking = _rank(analysed, malignancy, settings, partner, stream, site_weights)
    parameters = clusters or PARAMETERS[malignancy].with_sizes(settings.size_prior)
    attempt = search(host, pair.view_position, parameters, settings, partner, calibration, ranking, stream)
    clock.lap("cluster and insertion")
    enhancement, rim, enhancement_record = enhance_case(host, attempt, malignancy, settings, contrast, partner, stream)
    distance, relative = locate_cluster(host, attempt.cluster)
    placement = Placement(
        pair.laterality,
        pair.view_position,
        distance,
        relative,
        attempt.plan,
        attempt.form,
        enhancement_record["requested"],
        attempt.packing,
        enhancement_record["form"],
        rim,
    )
    result = _turned_back(pair, host, attempt, enhancement)
    clock.lap("enhancement")
    record = {
        "schema": SCHEMA,
        "versions": versions(),
        "seed": seed,
        "variant": variant,
        "random": {"generator": "PCG64", "root_seed": seed, "path": ["case", stream.host, variant]},
        "lesion_type": lesion_type,
        "malignancy": malignancy,
        "settings": settings.to_json(),
        "settings_sha256": json_sha256(settings.to_json()),
        "insertion": settings.insertion,
        "host": host_record(analysed, source),
        "calibration": dataclasses.asdict(calibration),
        "site": site_record(analysed, ranking, attempt, malignancy, site_weights),
        "cluster_parameters": parameters.to_json(),
        "cluster": cluster_record(host, attempt, result.calcifications),
        "mask": {
            "enlargement": attempt.outline.enlargement,
            "area_mm2": attempt.outline.area_mm2,
            "clipped_fraction": attempt.outline.clipped,
            "polygons": [[list(point) for point in polygon] for polygon in result.polygons],
            "sha256": pixels_sha256(np.packbits(result.mask, axis=1)),
        },
        "enhancement": enhancement_record,
        "checks": checks_of(host, attempt, enhancement, float(enhancement_record["sigma_px"])),
        "placement": placement.to_json(),
        "partner": partner.to_json() if partner else None,
        "warnings": warnings_of(host, settings, calibration, attempt)
        + grey_level_warnings(analysed.features)
        + enhancement_warnings(settings, enhancement),
        "output_sha256": pixels_sha256(result.pair.low_energy, result.pair.recombined),
    }
    # plain JSON values only, so that a record read back equals the one handed out
    plain = json.loads(json.dumps(record))
    clock.lap("record")
    return dataclasses.replace(result, record=plain, placement=placement, seconds=clock.seconds)


class _Clock:
    """Process CPU time of consecutive stages."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.process_time()

    def lap(self, stage: str) -> None:
        now = time.process_time()
        self.seconds[stage] = now - self._last
        self._last = now


def _check_arguments(
    pair: CEMPair,
    lesion_type: str,
    malignancy: str,
    seed: int,
    variant: int,
    contrast: ContrastDistribution | None,
    partner: Placement | None,
    clusters: ClusterParameters | None,
) -> None:
    if lesion_type != "cluster":
        raise InvalidSettings(f"lesion_type is {lesion_type!r}; only clusters are simulated")
    if malignancy not in ("benign", "malignant"):
        raise InvalidSettings(f"malignancy is {malignancy!r}; choose benign or malignant")
    if seed < 0 or variant < 0:
        raise InvalidSettings("seed and variant must not be negative")
    if contrast is not None and contrast.malignancy != malignancy:
        raise InvalidSettings(f"the contrasts were measured on {contrast.malignancy} lesions, not {malignancy}")
    if clusters is not None and clusters.malignancy != malignancy:
        raise InvalidSettings(f"the cluster parameters are those of {clusters.malignancy} clusters, not {malignancy}")
    if partner is not None and partner.laterality != pair.laterality:
        raise InvalidSettings("the partner view shows the other breast")


def _rank(
    analysed: AnalysedHost,
    malignancy: Malignancy,
    settings: SimulationSettings,
    partner: Placement | None,
    stream: Stream,
    weights: SiteWeights | None,
) -> Ranking:
    """Rank cells by texture; with a partner only those at its nipple distance."""
    host, features = analysed.host, analysed.features
    centres = np.array([cell.centre for cell in host.cells])
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
        penalty = np.array([0.5 * abs(relative - partner.relative_position) for _, relative in located])
        ranking = rank_cells(
            features, malignancy, stream("site"), settings, centres=centres, penalty=penalty, weights=weights
        )
        keep = set(near)
        return Ranking(ranking.scores, tuple(index for index in ranking.order if index in keep))
    return rank_cells(features, malignancy, stream("site"), settings, centres=centres, weights=weights)


def _turned_back(pair: CEMPair, host: Host, attempt: Attempt, enhancement: Enhancement) -> SimulatedCase:
    """The result in the orientation of the host pair; record and placement are filled in by the caller."""

    def turn(image: NDArray[Any]) -> NDArray[Any]:
        return turned(image, host.flipped)

    columns = host.low_energy.shape[1]
    particles = attempt.particles
    if host.flipped:
        particles = [particle.mirrored(columns) for particle in particles]
    mask = turn(attempt.outline.mask)
    polygons = tuple(tuple((float(x), float(y)) for x, y in polygon) for polygon in mask_to_polygons(mask))
    changed = dataclasses.replace(pair, low_energy=turn(attempt.insertion.image), recombined=turn(enhancement.image))
    nowhere = Placement(pair.laterality, pair.view_position, 0.0, 0.0, attempt.plan, attempt.form, 1.0, attempt.packing)
    return SimulatedCase(changed, mask, polygons, tuple(particles), turn(attempt.insertion.support), {}, nowhere, {})
