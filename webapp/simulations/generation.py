"""Making the synthetic cases of a batch. Runs in a job's own process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from imaging.contours import polygons_to_mask
from imaging.pair import CEMPair
from imaging.reading import read_pair
from simulation.case import SimulatedCase, simulate
from simulation.errors import SimulationError
from simulation.settings import SimulationSettings
from webapp.cases.models import ImageKind, View
from webapp.core import files
from webapp.core.errors import UserError
from webapp.jobs.context import JobContext
from webapp.jobs.errors import JobStopped
from webapp.simulations.contrasts import MeasuredContrast, measured_contrasts
from webapp.simulations.hosts import HostBreast, HostView, host_breasts
from webapp.simulations.models import SimulationBatch
from webapp.simulations.storing import MadeView, Malignancy, store_case

HOSTS_TRIED = 20
"""Hosts a case may try before the batch gives up."""
EXCLUSION_MARGIN_MM = 10.0
EXCLUSION_MARGIN_SHARE = 0.04
"""Of the longer image side, where the pixel size is unknown."""


def generate(batch: SimulationBatch, context: JobContext) -> dict[str, Any]:
    """Make every case of the batch that is not stored yet.

    The host and the seed of a case depend on the batch's seed, the class and the case's number alone, so that an
    interrupted batch continues with the cases it would have made.

    Raises
    ------
    UserError
        If no host accepts a cluster.
    JobStopped
        When asked to stop; finished cases stay.
    """
    settings = SimulationSettings(**batch.settings_used)
    contrasts = measured_contrasts(batch.version)
    for malignancy, contrast in contrasts.items():
        context.log(f"enhancement of {malignancy} clusters from: {contrast.source} (n={contrast.measured})")
    candidates = host_breasts(batch.version)
    lesion_free = [breast for breast in candidates if breast.lesion_free]
    hosts = lesion_free or candidates
    context.log(
        f"{len(hosts)} host breasts, "
        + ("all without a lesion" if lesion_free else "all with lesions, which are kept out of the clusters' way")
    )
    refused: Counter[str] = Counter()
    cases: list[tuple[Malignancy, int]] = [("benign", number + 1) for number in range(batch.wanted_benign)]
    cases += [("malignant", number + 1) for number in range(batch.wanted_malignant)]
    for position, (malignancy, number) in enumerate(cases):
        if context.should_stop():
            raise JobStopped("stopped between two cases")
        context.progress(position / len(cases), f"case {position + 1} of {len(cases)}")
        if batch.synthetic_views.filter(malignancy=malignancy, case_number=number).exists():
            continue
        _make_case(batch, malignancy, number, hosts, contrasts[malignancy], settings, refused, context)
    return {
        "cases": len(cases),
        "views": batch.synthetic_views.count(),
        "hosts": len(hosts),
        "hosts_lesion_free": bool(lesion_free),
        "refused": dict(refused),
        "contrast": {
            malignancy: {"source": contrast.source, "measured": contrast.measured}
            for malignancy, contrast in contrasts.items()
        },
    }


def _seed(batch: SimulationBatch, malignancy: str, number: int) -> np.random.SeedSequence:
    return np.random.SeedSequence([batch.seed, ("benign", "malignant").index(malignancy), number])


def _make_case(
    batch: SimulationBatch,
    malignancy: Malignancy,
    number: int,
    hosts: Sequence[HostBreast],
    contrast: MeasuredContrast,
    settings: SimulationSettings,
    refused: Counter[str],
    context: JobContext,
) -> None:
    # Hosts are dealt round before any is used twice.
    order = np.random.default_rng([batch.seed, ("benign", "malignant").index(malignancy)]).permutation(len(hosts))
    seed = int(_seed(batch, malignancy, number).generate_state(1)[0])
    reasons: list[str] = []
    for step in range(min(HOSTS_TRIED, max(len(hosts), 3))):
        place = number - 1 + step
        host, variant = hosts[order[place % len(hosts)]], place // len(hosts)
        made: list[MadeView] = []
        for host_view in host.views:
            try:
                partner = made[0].case.placement if made else None
                case = _simulate(host_view, malignancy, seed, variant, settings, contrast, partner, host.lesion_free)
            except SimulationError as error:
                refused[error.code] += 1
                reasons.append(error.code)
                context.log(f"{malignancy} case {number}, {host.words}, {host_view.view}: {error}")
                continue
            made.append(MadeView(host_view, case))
        if made:
            store_case(batch, malignancy, number, seed, host, made, contrast)
            return
    raise UserError(
        f"No host accepts {malignancy} case {number}: {', '.join(sorted(set(reasons)))} on {len(reasons)} views. "
        "Choose a dataset with more lesion-free breasts, or smaller cells in the simulation settings."
    )


def _simulate(
    host_view: HostView,
    malignancy: Malignancy,
    seed: int,
    variant: int,
    settings: SimulationSettings,
    contrast: MeasuredContrast,
    partner: Any,
    lesion_free: bool,
) -> SimulatedCase:
    pair = _pair(host_view.view)
    exclusion = exclusion_mask(host_view, pair) if host_view.polygons else None
    return simulate(
        pair,
        lesion_type="cluster",
        malignancy=malignancy,
        seed=seed,
        variant=variant,
        settings=settings,
        exclusion=exclusion,
        contrast=contrast.distribution,
        lesion_free=lesion_free or not host_view.polygons,
        partner=partner,
    )


def exclusion_mask(host_view: HostView, pair: CEMPair) -> NDArray[np.bool_]:
    """The host's own lesions, dilated by 10 mm, or by 4 % of the longer side where the pixel size is unknown."""
    mask = polygons_to_mask(host_view.polygons, pair.shape)
    margin = EXCLUSION_MARGIN_SHARE * max(pair.shape)
    if pair.spacing_mm is not None:
        margin = EXCLUSION_MARGIN_MM / min(pair.spacing_mm)
    distance = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distance <= margin, dtype=bool)


def _pair(view: View) -> CEMPair:
    images = {image.kind: image for image in view.images.all()}
    low_energy = images[ImageKind.LOW_ENERGY]
    spacing = None
    if low_energy.spacing_row is not None and low_energy.spacing_column is not None:
        spacing = (low_energy.spacing_row, low_energy.spacing_column)
    return read_pair(
        files.absolute(low_energy.file),
        files.absolute(images[ImageKind.RECOMBINED].file),
        laterality=view.laterality,  # type: ignore[arg-type]
        view_position=view.position,  # type: ignore[arg-type]
        spacing_mm=spacing,
    )
