"""Making the synthetic cases of a batch. Runs in a job's own process."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from imaging.contours import polygons_to_mask
from imaging.pair import CEMPair
from imaging.reading import read_pair
from simulation.analysed_host import AnalysedHost, HostCache, analyse_host
from simulation.case import SimulatedCase, simulate
from simulation.errors import SimulationError
from simulation.settings import SimulationSettings
from webapp.cases.models import ImageKind, View
from webapp.core import files
from webapp.core.errors import UserError
from webapp.jobs.context import JobContext
from webapp.jobs.errors import JobStopped
from webapp.simulations.contrasts import MeasuredContrast, measured_contrasts
from webapp.simulations.hosts import HostBreast, HostFilter, HostView, choose_hosts, host_breasts
from webapp.simulations.lesion_measures import real_clusters, training_lesions
from webapp.simulations.models import SimulationBatch, SyntheticView
from webapp.simulations.storing import MadeView, Malignancy, store_case

HOSTS_TRIED = 20
"""Hosts a case may try before the batch gives up."""
ANALYSED_KEPT = 4
"""Analysed views in memory: those of one breast, and of the one before it."""
EXCLUSION_MARGIN_MM = 10.0
EXCLUSION_MARGIN_SHARE = 0.04
"""Of the longer image side, where the pixel size is unknown."""


@dataclass(frozen=True)
class PlannedCase:
    """A case to make.

    Attributes
    ----------
    hosts : sequence of (HostBreast, int)
        Breast and variant, tried in this order.
    seed : int
    outlines : dict or None
        For a control: outline of each host view's cluster, which the case must repeat.
    """

    malignancy: Malignancy
    number: int
    hosts: Sequence[tuple[HostBreast, int]]
    seed: int
    outlines: dict[int, Any] | None = None


@dataclass(frozen=True)
class Maker:
    """What all cases of a batch share."""

    settings: SimulationSettings
    contrasts: dict[Malignancy, MeasuredContrast]
    analysed: HostCache


def generate(batch: SimulationBatch, context: JobContext) -> dict[str, Any]:
    """Make every case of the batch that is not stored yet.

    The host and the seed of a case depend on the batch's seed, the class and the case's number alone, so that an
    interrupted batch continues with the cases it would have made. A control and a repetition take host, seed and
    variant from the cases they repeat.

    A case that no host accepts is left out and listed; the others are made.

    Raises
    ------
    UserError
        If no host accepts any cluster, or a control or repetition cannot be made.
    JobStopped
        When asked to stop; finished cases stay.
    """
    settings = SimulationSettings.from_json(batch.settings_used)
    lesions = training_lesions(batch.version)
    contrasts = measured_contrasts(lesions)
    for malignancy, contrast in contrasts.items():
        context.log(f"enhancement of {malignancy} clusters from: {contrast.source} (n={contrast.measured})")
    candidates = host_breasts(batch.version)
    choice = choose_hosts(candidates, HostFilter.from_json(batch.host_filter))
    context.log(
        f"{len(choice.hosts)} host breasts, "
        + (
            "all without a lesion"
            if choice.lesion_free
            else "some with lesions, which are kept out of the clusters' way"
        )
    )
    # cases of one host follow each other, so that its analysis serves them all; the result does not depend on it
    cases = sorted(_planned(batch, candidates, choice.hosts), key=lambda case: case.hosts[0][0].words)
    maker = Maker(settings, contrasts, HostCache(size=ANALYSED_KEPT))
    refused: Counter[str] = Counter(batch.summary.get("refused", {}))
    summary: dict[str, Any] = {
        "cases": len(cases),
        "hosts": len(choice.hosts),
        "hosts_lesion_free": choice.lesion_free,
        "hosts_left_out": choice.left_out,
        "contrast": {
            malignancy: {"source": contrast.source, "measured": contrast.measured}
            for malignancy, contrast in contrasts.items()
        },
        **real_clusters(lesions),
    }
    stored = set(batch.synthetic_views.values_list("malignancy", "case_number"))
    started = time.monotonic()
    unmade: list[dict[str, Any]] = []
    for position, case in enumerate(cases):
        if context.should_stop():
            raise JobStopped("stopped between two cases")
        context.progress(position / len(cases), f"case {position + 1} of {len(cases)}")
        if (case.malignancy, case.number) in stored:
            continue
        codes = _make_case(batch, case, maker, refused, context)
        if codes:
            unmade.append({"malignancy": case.malignancy, "number": case.number, "reasons": codes})
        with context.atomic():
            so_far = summary | {"made": position + 1 - len(unmade), "refused": dict(refused), "unmade": unmade}
            SimulationBatch.objects.filter(pk=batch.pk).update(summary=so_far)
    if len(unmade) == len(cases):
        codes = sorted({code for case in unmade for code in case["reasons"]})
        raise UserError(
            f"No host accepts a cluster: {', '.join(codes)}. Choose a dataset with more lesion-free breasts, or "
            "smaller margins or cells in the simulation settings."
        )
    return summary | {
        "made": len(cases) - len(unmade),
        "unmade": unmade,
        "views": batch.synthetic_views.count(),
        "refused": dict(refused),
        "seconds": round(time.monotonic() - started, 1),
    }


def _planned(batch: SimulationBatch, candidates: list[HostBreast], hosts: Sequence[HostBreast]) -> list[PlannedCase]:
    if batch.control_of is not None:
        made = SyntheticView.objects.filter(batch=batch.control_of).select_related("host")
        return _repeated(made, candidates, same_outlines=True)
    if batch.repeats is not None:
        one = batch.repeats
        made = SyntheticView.objects.filter(
            batch=one.batch, malignancy=one.malignancy, case_number=one.case_number
        ).select_related("host")
        return [replace(case, number=1) for case in _repeated(made, candidates, same_outlines=False)]
    return [
        _dealt(batch, malignancy, number + 1, hosts)
        for malignancy, count in (("benign", batch.wanted_benign), ("malignant", batch.wanted_malignant))
        for number in range(count)
    ]


def _dealt(batch: SimulationBatch, malignancy: Any, number: int, hosts: Sequence[HostBreast]) -> PlannedCase:
    """Host and seed of a new case. Hosts are dealt round before any is used twice."""
    stream = ("benign", "malignant").index(malignancy)
    order = np.random.default_rng([batch.seed, stream]).permutation(len(hosts))
    places = range(number - 1, number - 1 + min(HOSTS_TRIED, max(len(hosts), 3)))
    seed = int(np.random.SeedSequence([batch.seed, stream, number]).generate_state(1)[0])
    tried = [(hosts[order[place % len(hosts)]], place // len(hosts)) for place in places]
    return PlannedCase(malignancy, number, tried, seed)


def _repeated(made: Iterable[SyntheticView], candidates: list[HostBreast], *, same_outlines: bool) -> list[PlannedCase]:
    """The cases of another batch: the same host views in the order they were made, the same seeds and variants."""
    by_view = {entry.view.pk: (breast, entry) for breast in candidates for entry in breast.views}
    grouped: dict[tuple[str, int], list[SyntheticView]] = {}
    for synthetic in sorted(made, key=lambda one: (one.malignancy, one.case_number, one.pk)):
        grouped.setdefault((synthetic.malignancy, synthetic.case_number), []).append(synthetic)
    cases = []
    for (malignancy, number), views in grouped.items():
        breast = replace(by_view[views[0].host_id][0], views=tuple(by_view[one.host_id][1] for one in views))
        outlines = {one.host_id: one.record["mask"]["polygons"] for one in views} if same_outlines else None
        variant = int(views[0].record["variant"])
        cases.append(PlannedCase(malignancy, number, [(breast, variant)], views[0].seed, outlines))  # type: ignore[arg-type]
    return cases


def _make_case(
    batch: SimulationBatch, planned: PlannedCase, maker: Maker, refused: Counter[str], context: JobContext
) -> list[str]:
    """Make and store a case; the codes of the refusals when no host accepts it, none when it is made."""
    reasons: list[str] = []
    label = f"{planned.malignancy} case {planned.number}"
    for host, variant in planned.hosts:
        made: list[MadeView] = []
        for host_view in host.views:
            try:
                partner = made[0].case.placement if made else None
                case = _simulate(host, host_view, planned, variant, partner, maker)
            except SimulationError as error:
                refused[error.code] += 1
                reasons.append(f"{error.code} ({error})")
                context.log(f"{label}, {host.words}, {host_view.view}: {error}")
                continue
            made.append(MadeView(host_view, case))
        if made:
            _require_outlines(planned, made)
            store_case(
                batch, planned.malignancy, planned.number, planned.seed, host, made, maker.contrasts[planned.malignancy]
            )
            return []
    if batch.control_of_id is not None or batch.repeats_id is not None:
        raise UserError(f"The host refuses {label}: {'; '.join(reasons)}.")
    return sorted({reason.partition(" ")[0] for reason in reasons})


def _require_outlines(planned: PlannedCase, made: Sequence[MadeView]) -> None:
    """A control that lies elsewhere, or lacks a view, controls nothing."""
    if planned.outlines is None:
        return
    found = {entry.host.view.pk: entry.case.record["mask"]["polygons"] for entry in made}
    if found != planned.outlines:
        raise UserError(
            f"The control of {planned.malignancy} case {planned.number} does not lie where its cluster lies: the "
            "cluster was made by another version of the simulation. Simulate the clusters again, then their control."
        )


def _simulate(
    host: HostBreast,
    host_view: HostView,
    planned: PlannedCase,
    variant: int,
    partner: Any,
    maker: Maker,
) -> SimulatedCase:
    lesion_free = host.lesion_free or not host_view.polygons

    def analyse() -> AnalysedHost:
        pair = _pair(host_view.view)
        exclusion = exclusion_mask(host_view, pair) if host_view.polygons else None
        return analyse_host(pair, lesion_free=lesion_free, exclusion=exclusion, settings=maker.settings)

    # within a batch a view has one exclusion and one set of settings
    analysed = maker.analysed.get(host_view.view.pk, analyse)
    return simulate(
        analysed.pair,
        lesion_type="cluster",
        malignancy=planned.malignancy,
        seed=planned.seed,
        variant=variant,
        settings=maker.settings,
        exclusion=analysed.exclusion,
        contrast=maker.contrasts[planned.malignancy].distribution,
        lesion_free=lesion_free,
        partner=partner,
        analysed=analysed,
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
    pair = read_pair(
        files.absolute(low_energy.file),
        files.absolute(images[ImageKind.RECOMBINED].file),
        laterality=view.laterality,  # type: ignore[arg-type]
        view_position=view.position,  # type: ignore[arg-type]
        spacing_mm=spacing,
    )
    # the system was recognised before the header was de-identified
    return replace(pair, vendor=low_energy.vendor or pair.vendor)
