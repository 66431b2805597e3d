"""What every score threshold would give: outcomes from the stored findings, and counts at each step of the slider.

Greedy matching goes down the scores, so that the matches above a threshold are the same as if only those findings
existed: one matching at threshold 0 answers for all (see `detection.evaluation.froc`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from detection.evaluation.images import EvaluatedImage
from detection.evaluation.protocol import Protocol
from detection.finding import Finding
from detection.sample_set import LesionTarget
from webapp.accounts.models import Project
from webapp.core.errors import UserError
from webapp.datasets.models import DatasetVersion, VersionAnnotation, VersionView
from webapp.experiments import sample_sets
from webapp.experiments.models import Prediction, Run
from webapp.experiments.sample_sets import view_id
from webapp.results import selectors
from webapp.results.cases import LESION_TYPES, Case, Outcomes, cases, places_of
from webapp.results.kept import kept
from webapp.results.models import Evaluation

STEPS = 1000
"""Positions of the slider: thresholds 0, 0.001, …, 0.999."""
NOT_GREEDY = "A threshold can be moved only where the protocol matches greedily by score."
CHANGED = "The stored findings no longer give the evaluated numbers: no threshold is offered."
IMAGES_KEPT = 3600
"""Seconds for which the images of an evaluation stay in the cache; counts are small and stay."""
LEAST = 0.9
"""Specificity above, or sensitivity of at least, for operating points chosen on validation views."""


def images_of(run: Run, split: str, views: Collection[int] | None = None) -> list[EvaluatedImage]:
    """The views of a split, or some of them, with the truth they were frozen with and the stored findings of a run.

    Outlines are read only where the experiment's protocol measures overlap on them: they are large.
    """
    outlines = run.arm.experiment.protocol["iou_of"] == "mask"
    findings: dict[int, list[Finding]] = {}
    stored = Prediction.objects.filter(run=run, split=split).order_by("view_id", "rank")
    if views is not None:
        stored = stored.filter(view__in=views)
    columns = ["view_id", "x1", "y1", "x2", "y2", "score", "malignancy", "lesion_type", *(["contour"] * outlines)]
    for view, x1, y1, x2, y2, score, malignancy, lesion_type, *contour in stored.values_list(*columns):
        outline = tuple((x, y) for x, y in contour[0]) if contour and contour[0] else None
        found = Finding((x1, y1, x2, y2), score, malignancy, lesion_type, outline)
        findings.setdefault(view, []).append(found)
    version = run.arm.experiment.version
    if views is None:
        truth = kept(
            "truth",
            [str(version.pk), version.content_hash, split, str(outlines)],
            lambda: _truth(version, split, None, outlines),
            seconds=IMAGES_KEPT,
        )
    else:
        truth = _truth(version, split, views, outlines)
    return [replace(image, findings=findings.get(view_id(image.sample_id), [])) for image in truth]


def _truth(version: DatasetVersion, split: str, views: Collection[int] | None, outlines: bool) -> list[EvaluatedImage]:
    """Views of a frozen version without findings, as `sample_sets.acquired_samples`, but without their files."""
    chosen = VersionView.objects.filter(version=version, split=split)
    if views is not None:
        chosen = chosen.filter(view__in=views)
    used = VersionAnnotation.objects.filter(version_view__in=chosen).select_related("annotation")
    if not outlines:
        used = used.defer("annotation__polygons")
    targets: dict[int, list[LesionTarget]] = {}
    for entry in used.order_by("annotation__lesion_id"):
        lesion = sample_sets.target(entry.annotation, entry.lesion_type, entry.malignancy, outlined=outlines)
        targets.setdefault(entry.version_view_id, []).append(lesion)
    return [
        EvaluatedImage(
            sample_id=sample_sets.sample_id(member.view_id),
            patient_id=str(member.patient_id),
            targets=tuple(targets.get(member.pk, ())),
            findings=(),
            breast_id=sample_sets.breast_id(member.view),
        )
        for member in chosen.select_related("view").order_by("view_id")
    ]


def evaluated_images(evaluation: Evaluation) -> list[EvaluatedImage]:
    """What was evaluated; kept in the cache, since neither findings nor frozen truth change."""
    return kept(
        "images",
        [evaluation.inputs_hash],
        lambda: images_of(evaluation.run, evaluation.test_set),
        seconds=IMAGES_KEPT,
    )


def outcomes_above(evaluation: Evaluation, score: float, views: Collection[int] | None = None) -> Outcomes:
    """Every lesion and finding at another score threshold; with `views`, those on these views.

    Raises
    ------
    UserError
        If the matching is not greedy.
    """
    from detection.evaluation.test_set import outcomes

    protocol = Protocol.from_json(evaluation.protocol)
    if protocol.matching != "greedy":
        raise UserError(NOT_GREEDY)
    images = evaluated_images(evaluation) if views is None else images_of(evaluation.run, evaluation.test_set, views)
    lesions, findings = outcomes(images, replace(protocol, score_above=score))
    return Outcomes([vars(row) for row in lesions], [vars(row) for row in findings], score)


@dataclass(frozen=True)
class Ranked:
    """Scores of what counts in sensitivity and precision, from one matching at threshold 0, in the order of the lists.

    Attributes
    ----------
    lesions : list of (sample_id, lesion type, score)
        Malignant lesions; a score of -1 where no finding is credited at any threshold.
    findings : list of (sample_id, type it says, score, right)
        Findings called malignant that are right or wrong.
    """

    lesions: list[tuple[str, str, float]]
    findings: list[tuple[str, str, float, bool]]

    def lesions_of(self, group: str) -> list[tuple[str, str, float]]:
        """As `detection.evaluation.rows_of_group.lesions_of`."""
        return [row for row in self.lesions if row[1] in LESION_TYPES[group]]

    def findings_of(self, group: str) -> list[tuple[str, str, float, bool]]:
        """As `detection.evaluation.rows_of_group.findings_of`."""
        if group == "malignant":
            return self.findings
        return [row for row in self.findings if row[1] == group.removeprefix("malignant_")]


def ranked(evaluation: Evaluation) -> Ranked:
    """The scores of an evaluation, kept in the cache.

    Raises
    ------
    UserError
        If the matching is not greedy.
    """
    protocol = Protocol.from_json(evaluation.protocol)
    if protocol.matching != "greedy":
        raise UserError(NOT_GREEDY)
    return kept("ranked", [evaluation.inputs_hash], lambda: _rank(evaluation))


def _rank(evaluation: Evaluation) -> Ranked:
    from detection.evaluation.matching import match_many

    images = evaluated_images(evaluation)
    places = places_of({view_id(image.sample_id) for image in images if image.targets or image.findings})
    images = sorted(
        (image for image in images if image.targets or image.findings),
        key=lambda image: places[view_id(image.sample_id)],
    )
    rows = Ranked([], [])
    matches = match_many(images, replace(Protocol.from_json(evaluation.protocol), score_above=0.0))
    for image, matched in zip(images, matches, strict=True):
        for target, lesion in zip(image.targets, matched.lesions, strict=True):
            if target.malignancy == "malignant":
                score = -1.0
                if lesion.outcome == "TP" and lesion.finding is not None:
                    score = float(image.findings[lesion.finding].score)
                rows.lesions.append((image.sample_id, target.lesion_type, score))
        for finding, outcome in zip(image.findings, matched.findings, strict=True):
            if finding.is_malignant and outcome.outcome in {"TP", "FP"}:
                right = outcome.outcome == "TP"
                rows.findings.append((image.sample_id, finding.lesion_type, float(finding.score), right))
    return rows


def first_cases(
    project: Project, evaluation: Evaluation, measure: str, group: str, outcome: str, score: float, most: int
) -> tuple[int, list[Case]]:
    """How many cases an outcome has at a threshold, and the first of them with the reason of each.

    Only the views of those shown are matched anew, so that the answer does not wait for the whole test set.

    Raises
    ------
    UserError
        If the matching is not greedy.
    """
    rows = ranked(evaluation)
    wanted = outcome in {"found", "right"}
    if measure == "sensitivity":
        samples = [sample for sample, _, best in rows.lesions_of(group) if (best > score) == wanted]
    else:
        samples = [sample for sample, _, best, right in rows.findings_of(group) if best > score and right == wanted]
    at = outcomes_above(evaluation, score, {view_id(sample) for sample in samples[:most]})
    return len(samples), cases(project, evaluation, measure, group, outcome, at=at)[:most]


def counts(evaluation: Evaluation, group: str) -> dict[str, Any]:
    """Lesions found, findings right and findings wrong above each of the `STEPS` thresholds.

    Returns
    -------
    dict
        ``{"lesions", "images", "patients", "found", "right", "wrong"}``; the last three are lists of length
        `STEPS`. In place of it ``{"reason"}`` where the protocol is not greedy, or where the counts at the
        protocol's threshold are not those of the evaluation.
    """
    return kept("counts", [evaluation.inputs_hash, group], lambda: _count(evaluation, group))


def untyped(evaluation: Evaluation, group: str) -> str:
    """Why a group cannot be told apart on a test set whose lesions are not typed; empty where it can."""
    facts = selectors.short(evaluation)
    if facts["groups_known"] or group == "malignant":
        return ""
    return str(facts["sensitivity"][group]["reason"])


def _count(evaluation: Evaluation, group: str) -> dict[str, Any]:
    try:
        rows = ranked(evaluation)
    except UserError as error:
        return {"reason": str(error)}
    if reason := untyped(evaluation, group):
        return {"reason": reason}
    scores = {
        "found": [score for _, _, score in rows.lesions_of(group)],
        "right": [score for _, _, score, right in rows.findings_of(group) if right],
        "wrong": [score for _, _, score, right in rows.findings_of(group) if not right],
    }
    result, score_above = selectors.short(evaluation), float(evaluation.protocol["score_above"])
    at_protocol = {name: sum(score > score_above for score in listed) for name, listed in scores.items()}
    sensitivity, precision = result["sensitivity"][group], result["precision"][group]
    asked = {
        "found": sensitivity["numerator"] or 0,
        "right": precision["numerator"] or 0,
        "wrong": (precision["denominator"] or 0) - (precision["numerator"] or 0),
    }
    if at_protocol != asked:
        return {"reason": CHANGED}
    return {
        "lesions": sensitivity["denominator"] or 0,
        "images": result["images"],
        "patients": result["patients"],
        **{name: _above_each_step(listed) for name, listed in scores.items()},
    }


def _above_each_step(scores: Sequence[float]) -> list[int]:
    import numpy as np

    rising = np.sort(np.asarray(scores, dtype=np.float64))
    steps = np.arange(STEPS) / STEPS
    numbers: list[int] = (rising.size - np.searchsorted(rising, steps, side="right")).tolist()
    return numbers


def operating_points(run: Run) -> list[dict[str, Any]]:
    """Thresholds chosen on the validation views of a run: image level, highest score of a finding called malignant.

    An image is positive when it has a malignant lesion; without a finding called malignant its score is 0. One whose
    only lesions beside benign ones are of unknown malignancy is neither, and left out.

    Returns
    -------
    list of dict
        `detection.evaluation.operating_points.OperatingPoint` as JSON, with ``step``: the slider position whose
        strict threshold gives the same decisions, or None.
    """
    return kept("operating-points", [str(run.pk), str(run.ended)], lambda: _choose(run))


def _choose(run: Run) -> list[dict[str, Any]]:
    from detection.evaluation.operating_points import at_sensitivity, at_specificity, youden

    labels: list[bool] = []
    scores: list[float] = []
    for image in images_of(run, "validation"):
        present = {target.malignancy for target in image.targets}
        if "malignant" in present or "unknown" not in present:
            labels.append("malignant" in present)
            scores.append(max((finding.score for finding in image.findings if finding.is_malignant), default=0.0))
    chosen = (youden(labels, scores), at_specificity(labels, scores, LEAST), at_sensitivity(labels, scores, LEAST))
    return [point.to_json() | {"step": step_below(point.threshold)} for point in chosen]


def step_below(threshold: float | None) -> int | None:
    """The highest step below a threshold that counts "at or above"; None where there is none to move to."""
    if threshold is None or threshold <= 0:
        return None
    step = min(int(threshold * STEPS), STEPS - 1)
    return step - 1 if step / STEPS >= threshold else step


def floor(runs: Iterable[Run]) -> float:
    """The highest score below which one of the detectors keeps no findings: nothing is known there."""
    return max((float(run.arm.configuration.get("values", {}).get("score_above") or 0.0) for run in runs), default=0.0)
