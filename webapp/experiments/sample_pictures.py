"""Sample predictions of a run as pictures: fixed validation views, truth, and findings by epoch."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from detection.evaluation.protocol import Protocol
from detection.finding import Finding
from webapp.cases.models import ImageKind, View
from webapp.datasets.models import Split, VersionView
from webapp.experiments import sample_sets
from webapp.experiments.models import Run, RunSample

LETTERS_A_HEIGHT = 26
"""Height of the picture over that of the letters in it."""


@dataclass(frozen=True)
class Outline:
    """A closed line in continuous image pixels, as SVG takes it; `words` stand at (x, y)."""

    points: str
    words: str = ""
    x: float = 0.0
    y: float = 0.0


@dataclass(frozen=True)
class SampleView:
    """One view: its image, the lesions annotated on it, and the findings of each epoch.

    Attributes
    ----------
    epochs : list of (int, list of Outline)
        Findings that the protocol keeps, in the order of the epochs.
    """

    view: View
    image_id: int
    columns: int
    rows: int
    letters: float
    truth: list[Outline]
    epochs: list[tuple[int, list[Outline]]]


@dataclass(frozen=True)
class EpochCount:
    """What stands under the pictures of an epoch."""

    epoch: int
    found: int
    lesions: int
    findings: int


@dataclass(frozen=True)
class SamplePictures:
    """Everything the panel shows."""

    views: list[SampleView]
    counts: list[EpochCount]


def sample_pictures(run: Run) -> SamplePictures:
    """The last epochs kept of a run, on validation views of its version alone."""
    version = run.arm.experiment.version
    allowed = VersionView.objects.filter(version=version, split=Split.VALIDATION).values("view")
    stored: dict[int, dict[int, list[Finding]]] = defaultdict(dict)
    for row in RunSample.objects.filter(run=run, view__in=allowed).order_by("view_id", "epoch"):
        stored[row.view_id][row.epoch] = [_finding(body) for body in row.findings]
    epochs = sorted({epoch for by_epoch in stored.values() for epoch in by_epoch})
    protocol = Protocol.from_json(run.arm.experiment.protocol)
    samples = {
        sample_sets.view_id(sample.sample_id): sample
        for sample in sample_sets.acquired_samples(version, Split.VALIDATION, views=list(stored))
    }
    counts = [_count(epoch, samples, stored, protocol) for epoch in epochs]
    views = View.objects.select_related("exam").prefetch_related("images").in_bulk(list(samples))
    return SamplePictures(
        [_view(views[key], samples[key].lesions, stored[key], epochs, protocol) for key in sorted(samples)], counts
    )


def _finding(body: dict[str, Any]) -> Finding:
    x1, y1, x2, y2 = body["box"]
    contour = body["contour"]
    return Finding(
        (x1, y1, x2, y2),
        body["score"],
        body["malignancy"],
        body["lesion_type"],
        tuple((x, y) for x, y in contour) if contour else None,
    )


def _kept(findings: list[Finding], protocol: Protocol) -> list[Finding]:
    return [finding for finding in findings[: protocol.top] if finding.score > protocol.score_above]


def _count(
    epoch: int, samples: dict[int, Any], stored: dict[int, dict[int, list[Finding]]], protocol: Protocol
) -> EpochCount:
    # SciPy is loaded by the page that counts, not by every process at its start
    from detection.evaluation.matching import match

    matched = [match(sample.lesions, stored[key].get(epoch, []), protocol) for key, sample in samples.items()]
    outcomes = [lesion.outcome for one in matched for lesion in one.lesions if lesion.outcome != "unscored"]
    findings = sum(len(_kept(stored[key].get(epoch, []), protocol)) for key in samples)
    return EpochCount(epoch, outcomes.count("TP"), len(outcomes), findings)


def _view(
    view: View, lesions: Any, by_epoch: dict[int, list[Finding]], epochs: list[int], protocol: Protocol
) -> SampleView:
    image = next(image for image in view.images.all() if image.kind == ImageKind.LOW_ENERGY)
    return SampleView(
        view,
        image.pk,
        image.columns,
        image.rows,
        image.rows / LETTERS_A_HEIGHT,
        [Outline(_points(polygon)) for lesion in lesions for polygon in lesion.polygons or (_corners(lesion.box),)],
        [(epoch, [_drawn(finding) for finding in _kept(by_epoch.get(epoch, []), protocol)]) for epoch in epochs],
    )


def _drawn(finding: Finding) -> Outline:
    x1, y1, _, _ = finding.box
    return Outline(_points(finding.contour or _corners(finding.box)), f"{finding.score:.2f}", x1, y1)


def _corners(box: tuple[float, float, float, float]) -> tuple[tuple[float, float], ...]:
    x1, y1, x2, y2 = box
    return (x1, y1), (x2, y1), (x2, y2), (x1, y2)


def _points(polygon: Any) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in polygon)
