"""What a case was checked for: each value, its limit and whether it holds, for the record."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulation.attempt import Attempt
from simulation.enhancement import box_around, ring_reach
from simulation.host import Host
from simulation.insertion import (
    MAXIMUM_CLIPPED,
    MAXIMUM_SHIFT,
    MEDIAN_CONTRAST_TO_NOISE,
    MINIMUM_VISIBLE,
    VISIBLE_CONTRAST_TO_NOISE,
    Insertion,
)
from simulation.recombined_edit import Enhancement

AREA_MM2 = (10.0, 1600.0)
CONTRAST_TOLERANCE = 0.01


def checks_of(host: Host, attempt: Attempt, enhancement: Enhancement, sigma_px: float) -> list[dict[str, Any]]:
    """Every check of an accepted case.

    Parameters
    ----------
    host : Host
    attempt : Attempt
    enhancement : Enhancement
    sigma_px : float
        Of the recombined edit.

    Returns
    -------
    list of dict
        ``name``, ``value``, ``limit`` ([low, high], None for open ends), ``passed``; JSON-ready.
    """
    outline = attempt.outline
    region = attempt.insertion.region
    low_box = (slice(region[0], region[1]), slice(region[2], region[3]))
    reach = max(int(np.ceil(8 * sigma_px)), ring_reach(outline.mask))
    edge = box_around(outline.mask, reach)
    rec_box = (
        slice(min(edge[0].start, region[0]), max(edge[0].stop, region[1])),
        slice(min(edge[1].start, region[2]), max(edge[1].stop, region[3])),
    )
    tolerance = max(CONTRAST_TOLERANCE, 0.1 * abs(enhancement.requested_ratio - 1))
    support = attempt.insertion.support
    return [
        *_insertion_checks(attempt.checked),
        _check(
            "calcification pixels inside the outline",
            float(outline.mask[support].mean()),
            1.0,
            1.0,
        ),
        _check("outline area (mm2)", outline.area_mm2, *AREA_MM2),
        _check(
            "low-energy pixels changed outside the region",
            _changed_outside(host.low_energy, attempt.insertion.image, low_box),
            None,
            0,
        ),
        _check(
            "recombined pixels changed outside the region",
            _changed_outside(host.recombined, enhancement.image, rec_box),
            None,
            0,
        ),
        _check(
            "recombined contrast, realised minus requested",
            enhancement.realised - enhancement.requested_ratio,
            -tolerance,
            # contrast medium only adds: a host that is brighter there stays as it is
            None if enhancement.brighter_before else tolerance,
        ),
    ]


def _insertion_checks(insertion: Insertion) -> list[dict[str, Any]]:
    ratios = np.array(insertion.contrast_to_noise)
    return [
        _check("median contrast-to-noise", float(np.median(ratios)), *MEDIAN_CONTRAST_TO_NOISE),
        _check("visible calcifications", int((ratios > VISIBLE_CONTRAST_TO_NOISE).sum()), MINIMUM_VISIBLE, None),
        _check("clipped share of the calcifications", insertion.clipped_fraction, None, MAXIMUM_CLIPPED),
        _check("unexplained mean shift outside (grey values)", insertion.mean_shift, -MAXIMUM_SHIFT, MAXIMUM_SHIFT),
    ]


def _check(name: str, value: float, low: float | None, high: float | None) -> dict[str, Any]:
    passed = (low is None or value >= low) and (high is None or value <= high)
    return {"name": name, "value": value, "limit": [low, high], "passed": bool(passed)}


def _changed_outside(before: NDArray[Any], after: NDArray[Any], box: tuple[slice, slice]) -> int:
    changed = before != after
    changed[box] = False
    return int(np.count_nonzero(changed))
