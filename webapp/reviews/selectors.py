"""Reading queues and answers; a reader sees the answers of others only after giving their own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import AnonymousUser
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Sum
from django.http import Http404

from webapp.accounts import permissions
from webapp.accounts.models import Project, User
from webapp.accounts.selectors import projects_of
from webapp.experiments.models import Run, RunState
from webapp.experiments.selectors import run_open_beside, runs_of
from webapp.reviews.models import Answer, Reveal, ReviewItem, ReviewQueue, Visit

DONE = (Answer.State.ANSWERED, Answer.State.SKIPPED)


@dataclass(frozen=True)
class Progress:
    """How far a reader is in a queue."""

    total: int
    answered: int
    skipped: int
    following: int | None = None
    """Position to go on at: the first untouched item, then the first skipped one; None where all are answered."""

    @property
    def open(self) -> int:
        """Items neither answered nor skipped."""
        return self.total - self.answered - self.skipped

    @property
    def finished(self) -> bool:
        """Whether every item was answered or skipped."""
        return self.open == 0

    @property
    def share(self) -> float:
        """Of the items that were answered or skipped, for the bar."""
        return (self.answered + self.skipped) / self.total if self.total else 1.0


def queues_of(user: User | AnonymousUser, project: Project) -> QuerySet[ReviewQueue]:
    """Queues of a project the person may see, newest first."""
    return (
        ReviewQueue.objects.filter(project=project, project__in=projects_of(user))
        .select_related("project", "run__arm__experiment__version__dataset", "against__arm", "created_by")
        .order_by("-number")
    )


def queue_or_404(user: User | AnonymousUser, project: Project, number: int) -> ReviewQueue:
    """A queue the person may see.

    Raises
    ------
    Http404
    """
    found = queues_of(user, project).filter(number=number).first()
    if found is None:
        raise Http404("No such review.")
    return found


def item_or_404(queue: ReviewQueue, position: int) -> ReviewItem:
    """An item of a queue, with its view and lesion.

    Raises
    ------
    Http404
    """
    found = queue.items.select_related("view__exam__patient__site", "lesion").filter(position=position).first()
    if found is None:
        raise Http404("No such item: its case may have been removed.")
    found.queue = queue
    return found


def reviewable_runs(user: User | AnonymousUser, project: Project) -> QuerySet[Run]:
    """Finished runs whose experiments have no open run, the newest experiment first."""
    return (
        runs_of(user, project)
        .filter(state=RunState.DONE)
        .exclude(run_open_beside())
        .order_by("-arm__experiment__number", "arm__position", "seed")
    )


def states(queue: ReviewQueue, reader: User) -> dict[int, str]:
    """State of the reader's current answer by position; "" for an open item."""
    given = dict(
        Answer.objects.filter(item__queue=queue, reader=reader, current=True, state__in=DONE).values_list(
            "item_id", "state"
        )
    )
    return {position: given.get(pk, "") for pk, position in queue.items.values_list("pk", "position")}


def progress(queue: ReviewQueue, reader: User) -> Progress:
    """How far the reader is."""
    return progress_of(states(queue, reader))


def progress_of(by_position: dict[int, str], after: int = 0) -> Progress:
    """Progress from `states`; `following` is looked for behind position `after` first."""
    order = sorted(by_position, key=lambda position: (position <= after, position))
    open_ones = [
        position for state in ("", Answer.State.SKIPPED) for position in order if by_position[position] == state
    ]
    open_ones = [position for position in open_ones if position != after]
    given = list(by_position.values())
    return Progress(
        total=len(given),
        answered=given.count(Answer.State.ANSWERED),
        skipped=given.count(Answer.State.SKIPPED),
        following=open_ones[0] if open_ones else None,
    )


@dataclass(frozen=True)
class Reading:
    """A reader of a queue: how far, and the time on its items over all visits, in seconds."""

    reader: User
    progress: Progress
    seconds: float


def progress_by_reader(queues: Iterable[ReviewQueue], *people: int) -> dict[int, dict[int, Progress]]:
    """Progress without `following` by queue and reader: of everyone who answered or skipped, and of `people` (keys).

    Two queries, however many queues.
    """
    keys = [queue.pk for queue in queues]
    sizes = dict(
        ReviewItem.objects.filter(queue__in=keys)
        .order_by()
        .values_list("queue_id")
        .annotate(n=Count("pk"))
        .values_list("queue_id", "n")
    )
    counted: dict[int, dict[int, dict[str, int]]] = {key: {person: {} for person in people} for key in keys}
    rows = (
        Answer.objects.filter(item__queue__in=keys, current=True, state__in=DONE)
        .order_by()
        .values_list("item__queue_id", "reader_id", "state")
        .annotate(n=Count("pk"))
    )
    for queue, reader, state, number in rows:
        counted[queue].setdefault(reader, {})[state] = number
    return {
        queue: {
            reader: Progress(
                total=sizes.get(queue, 0),
                answered=given.get(Answer.State.ANSWERED, 0),
                skipped=given.get(Answer.State.SKIPPED, 0),
            )
            for reader, given in by_reader.items()
        }
        for queue, by_reader in counted.items()
    }


def readers(queue: ReviewQueue) -> list[Reading]:
    """Everyone who has answered or skipped an item, by name."""
    progress = progress_by_reader([queue])[queue.pk]
    spent = dict(
        Visit.objects.filter(item__queue=queue)
        .order_by()
        .values_list("reader_id")
        .annotate(total=Sum("seconds"))
        .values_list("reader_id", "total")
    )
    people = User.objects.filter(pk__in=progress).order_by("username")
    return [Reading(one, progress[one.pk], float(spent.get(one.pk, 0.0))) for one in people]


def revealed(item: ReviewItem, reader: User) -> bool:
    """Whether truth and findings may be shown to the reader."""
    return Reveal.objects.filter(item=item, reader=reader).exists()


def own_answer(item: ReviewItem, reader: User) -> Answer | None:
    """The reader's current answer, None where there is none or it was taken back."""
    return Answer.objects.filter(item=item, reader=reader, current=True, state__in=DONE).first()


def others_answers(item: ReviewItem, reader: User) -> list[Answer]:
    """What others said about an item, empty until the reader has given a reason."""
    own = own_answer(item, reader)
    if own is None or own.state != Answer.State.ANSWERED:
        return []
    return list(
        Answer.objects.filter(item=item, current=True, state=Answer.State.ANSWERED)
        .exclude(reader=reader)
        .select_related("reader")
        .order_by("reader__username")
    )


def readable_answers(user: User, project: Project, queues: QuerySet[ReviewQueue]) -> QuerySet[Answer]:
    """All revisions the person may read: their own, and those of others on the items the person gave a reason for.

    The latter only once the person has finished the queue, so that a breakdown is never of half a queue. Who cannot
    review is no reader and reads all.
    """
    found = Answer.objects.filter(item__queue__in=queues).select_related(
        "reader",
        "item__queue__run__arm__experiment__version__dataset",
        "item__queue__against__arm",
        "item__view__exam__patient__site",
        "item__lesion",
    )
    if not permissions.may(user, project, permissions.REVIEW):
        return found
    own = Answer.objects.filter(item=OuterRef("pk"), reader=user, current=True, state__in=DONE)
    unfinished = ReviewItem.objects.filter(queue__in=queues).exclude(Exists(own)).values("queue")
    answered = Answer.objects.filter(item=OuterRef("item"), reader=user, current=True, state=Answer.State.ANSWERED)
    return found.filter(Q(reader=user) | (~Q(item__queue__in=unfinished) & Q(Exists(answered))))


@dataclass(frozen=True)
class Times:
    """A reader's time on an item in seconds, over all visits; None where it was not revealed."""

    spent: float = 0.0
    before_reveal: float | None = None
    revealed: datetime | None = None


def times(answers: Iterable[Answer]) -> dict[tuple[int, int], Times]:
    """Times by item and reader, of everyone and every item in `answers`; two queries."""
    given = list(answers)
    where = {"item__in": {one.item_id for one in given}, "reader__in": {one.reader_id for one in given}}
    shown = {(one.item_id, one.reader_id): one for one in Reveal.objects.filter(**where)}
    spent: dict[tuple[int, int], float] = {}
    for item, reader, seconds in Visit.objects.filter(**where).values_list("item_id", "reader_id", "seconds"):
        spent[item, reader] = spent.get((item, reader), 0.0) + seconds
    found = {}
    for one in given:
        key = (one.item_id, one.reader_id)
        reveal = shown.get(key)
        found[key] = Times(spent.get(key, 0.0), reveal.seconds if reveal else None, reveal.time if reveal else None)
    return found


@dataclass(frozen=True)
class ItemFacts:
    """An item as a person may know it."""

    item: ReviewItem
    state: str
    """Of the own current answer, "" while open."""
    revealed: bool
    """Whether truth and findings may be shown: after the reveal, and to people who do not review."""
    seconds: float
    """Own time on the item, over all visits."""

    @property
    def truth(self) -> ReviewItem | None:
        """The item where its truth may be shown."""
        return self.item if self.revealed else None


def item_facts(items: Iterable[ReviewItem], person: User, project: Project) -> list[ItemFacts]:
    """What the person may know of items; three queries."""
    rows = list(items)
    keys = [item.pk for item in rows]
    blind = permissions.may(person, project, permissions.REVIEW)
    shown = set(Reveal.objects.filter(item__in=keys, reader=person).values_list("item_id", flat=True))
    own = Answer.objects.filter(item__in=keys, reader=person, current=True, state__in=DONE)
    given = dict(own.values_list("item_id", "state"))
    spent: dict[int, float] = {}
    for item, seconds in Visit.objects.filter(item__in=keys, reader=person).values_list("item_id", "seconds"):
        spent[item] = spent.get(item, 0.0) + seconds
    return [
        ItemFacts(item, given.get(item.pk, ""), not blind or item.pk in shown, spent.get(item.pk, 0.0)) for item in rows
    ]


def open_for(user: User, project: Project) -> list[tuple[ReviewQueue, int]]:
    """Queues with items this person has not answered or skipped, with how many are left."""
    own = Answer.objects.filter(item=OuterRef("items"), reader=user, current=True, state__in=DONE)
    counted = queues_of(user, project).annotate(left=Count("items", filter=~Exists(own)))
    return [(queue, queue.left) for queue in counted if queue.left]
