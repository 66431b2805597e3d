"""Failure review as a chapter of the report: reasons by arm, as far as nobody has still to read blind."""

from __future__ import annotations

from typing import Any

from webapp.accounts.models import Membership, Role
from webapp.experiments.models import Experiment
from webapp.results.reports.basis import Basis
from webapp.results.reports.content import Block, Heading, ReportSection, Section, Table, Text
from webapp.results.reports.registry import report_sections
from webapp.results.reports.words import cell
from webapp.reviews import breakdown, selectors
from webapp.reviews.models import Answer, ReviewItem, ReviewQueue

POSITION = 75
"""Behind the misses that the reasons are about, before the limitations."""


def register() -> None:
    """Add the chapter."""
    report_sections.register("reviews", ReportSection(failure_review, POSITION, state))


def state(experiment: Experiment) -> Any:
    """Queues with the answers in force, and who has still to read."""
    queues = _queues(experiment)
    answers = Answer.objects.filter(item__queue__in=queues, current=True).order_by("pk").values_list("pk", flat=True)
    return {"queues": [queue.pk for queue in queues], "answers": list(answers), "open": sorted(_open(queues))}


def failure_review(basis: Basis) -> Section | None:
    """Reasons by kind, reader and arm; None without queues."""
    queues = _queues(basis.experiment)
    if not queues:
        return None
    waiting = _open(queues)
    blocks: list[Block] = []
    for kind in ReviewQueue.Kind:
        shown = [queue for queue in queues if queue.kind == kind and queue.pk not in waiting]
        if shown:
            blocks += [Heading(kind.label), *_reasons(basis, shown)]
    if waiting:
        blocks.append(
            Text(
                f"{len(waiting)} of {len(queues)} queues are left out: somebody has still to read them, and reads "
                "without knowing what others said.",
                "note",
            )
        )
    return Section("Failure review", tuple(blocks))


def _queues(experiment: Experiment) -> list[ReviewQueue]:
    return list(ReviewQueue.objects.filter(run__arm__experiment=experiment).order_by("number"))


def _open(queues: list[ReviewQueue]) -> set[int]:
    """Queues that a radiologist of the project, or anyone who has begun, has not finished."""
    radiologists = Membership.objects.filter(
        project__in={queue.project_id for queue in queues}, role=Role.RADIOLOGIST
    ).values_list("user_id", flat=True)
    progress = selectors.progress_by_reader(queues, *radiologists)
    return {
        queue
        for queue, by_reader in progress.items()
        if not by_reader or not all(one.finished for one in by_reader.values())
    }


def _reasons(basis: Basis, queues: list[ReviewQueue]) -> list[Block]:
    """One table; readers are numbered, since no name but that of the person who asked is printed."""
    given = (
        Answer.objects.filter(item__queue__in=queues, current=True, state=Answer.State.ANSWERED)
        .select_related(
            "reader", "item__queue__run__arm", "item__queue__against__arm", "item__view__exam__patient__site"
        )
        .order_by("reader__username", "item__queue__number", "item__position")
    )
    by_reader: dict[int, list[Answer]] = {}
    for one in given:
        by_reader.setdefault(one.reader_id, []).append(one)
    rows = [
        (f"Reader {number}", block["name"], reason["label"], cell(reason["interval"]))
        for number, answers in enumerate(by_reader.values(), start=1)
        for block in breakdown.tables(answers, "arm", _nowhere)
        for reason in block["rows"]
    ]
    if not rows:
        return [Text("No reason was given.")]
    items = ReviewItem.objects.filter(queue__in=queues).count()
    return [
        Table(
            (("Reader", 0.14), ("Arm", 0.3), ("Reason", 0.3), ("Share of the answers", 0.26)),
            tuple(rows),
            basis.caption(
                "Reasons that readers gave: share of the answers of a reader about an arm, interval, n; no value under "
                "n=10; a lesion view held by several queues counts once, with the newest answer",
                n=f"{len(by_reader)} readers, {items} items in {len(queues)} queues",
                method=f"bootstrap of patients, {breakdown.RESAMPLES} resamples, seed {breakdown.SEED}",
                test_sets=sorted({queue.test_set for queue in queues}, key=basis.test_sets.index),
            ),
        )
    ]


def _nowhere(**narrowed: str) -> str:
    """On paper a number opens no answers."""
    return ""
