"""What the record of a case says of host, site and cluster."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from simulation.analysed_host import AnalysedHost
from simulation.attempt import Attempt
from simulation.calcification import (
    Calcification,
    Malignancy,
    lateral_scale,
    thickness_scale,
)
from simulation.calibration import Calibration
from simulation.cluster_plan import spread_scale
from simulation.host import Host
from simulation.settings import SimulationSettings
from simulation.site_selection import Ranking, ranking_record
from simulation.site_weights import SiteWeights
from simulation.texture.grid import Cell


def host_record(analysed: AnalysedHost, source: Mapping[str, Any] | None) -> dict[str, Any]:
    pair, host = analysed.pair, analysed.host
    return {
        "sha256": analysed.host_sha256,
        "source": None if source is None else dict(source),
        "rows": pair.shape[0],
        "columns": pair.shape[1],
        "laterality": pair.laterality,
        "view_position": pair.view_position,
        "bits_stored": pair.bits_stored,
        "vendor": pair.vendor,
        "spacing_mm": host.spacing_mm,
        "chest_wall": "right" if host.flipped else "left",
        "lesion_free_asserted": analysed.lesion_free,
        "exclusion_pixels": 0 if host.exclusion is None else int(host.exclusion.sum()),
        "pectoral": host.area.pectoral,
        "assumptions": list(host.assumptions),
        "profile": host.profile.to_json(),
    }


def site_record(
    analysed: AnalysedHost,
    ranking: Ranking,
    attempt: Attempt,
    malignancy: Malignancy,
    weights: SiteWeights | None,
) -> dict[str, Any]:
    host, cell = analysed.host, attempt.cell
    ranks = np.empty(len(ranking.scores), int)
    ranks[np.argsort(-ranking.scores, kind="stable")] = np.arange(1, len(ranking.scores) + 1)
    return {
        **ranking_record(analysed.features, malignancy, weights),
        "features_sha256": analysed.features_sha256,
        "cell_px": cell.size,
        "overlap": host.overlap,
        "cells": len(host.cells),
        "box": _box(host, cell),
        "score": float(ranking.scores[attempt.cell_index]),
        "score_rank": int(ranks[attempt.cell_index]),
        "cells_rejected_before": attempt.rank,
        "rejected": [
            {"box": _box(host, host.cells[index]), "score_rank": int(ranks[index]), "attempt": number, "reason": reason}
            for index, number, reason in attempt.rejected
        ],
    }


def _box(host: Host, cell: Cell) -> list[int]:
    """(x1, y1, x2, y2) of a cell in the picture as it was given."""
    columns = host.low_energy.shape[1]
    left = columns - cell.column - cell.size if host.flipped else cell.column
    return [left, cell.row, left + cell.size, cell.row + cell.size]


def cluster_record(host: Host, attempt: Attempt, calcifications: tuple[Calcification, ...]) -> dict[str, Any]:
    insertion = attempt.insertion
    listed = [
        {**particle.to_json(), "tau_max": tau, "thickness_max_um": thickness, "contrast_to_noise": ratio}
        for particle, tau, thickness, ratio in zip(
            calcifications, insertion.tau_max, insertion.thickness_max_um, insertion.contrast_to_noise, strict=True
        )
    ]
    return {
        "plan": dataclasses.asdict(attempt.plan),
        "count_requested": attempt.plan.count,
        "count": len(listed),
        "from_candidates": attempt.cluster.from_candidates,
        "candidates": attempt.candidates,
        "candidate_percentile": attempt.percentile,
        "diameter_mm": attempt.cluster.diameter_mm,
        "packing": attempt.packing,
        "attenuation_per_mm": insertion.packing * host.profile.hydroxyapatite_low,
        "lateral_scale": lateral_scale(host.spacing_mm),
        "thickness_scale": thickness_scale(host.spacing_mm),
        "spread_scale": spread_scale(host.spacing_mm),
        "median_contrast_to_noise": float(np.median(insertion.contrast_to_noise)),
        "clipped_fraction": insertion.clipped_fraction,
        "mean_shift": insertion.mean_shift,
        "halo_shift": insertion.halo_shift,
        "local_noise": insertion.noise,
        "maximum_thickness_um": float(insertion.layer.thickness_um.max()),
        "calcifications": listed,
    }


def warnings_of(host: Host, settings: SimulationSettings, calibration: Calibration, attempt: Attempt) -> list[str]:
    found = []
    if host.maximum <= 255:
        found.append("8-bit input: grey values were windowed, contrast is approximate; no claims rest on this case")
    if settings.insertion == "off":
        found.append("insertion off: the images are those of the host; this is a control, not a lesion")
    if calibration.kind == "anatomy":
        found.append(f"contrast calibrated on the spread of the anatomy and less certain: {calibration.reason}")
    if settings.site_selection == "best":
        found.append("site selection best: a host always gets its cluster at the same place")
    if attempt.outline.area_mm2 > 1600:
        found.append("the lesion outline is larger than 16 cm2")
    return found
