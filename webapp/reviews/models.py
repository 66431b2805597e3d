"""Review queues, what was revealed to whom, and the answers of readers. Only ever added to."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from webapp.accounts.models import Project
from webapp.annotations.models import Lesion
from webapp.cases.models import View
from webapp.datasets.models import Split
from webapp.experiments.models import Run

LONGEST_SECONDS = 1800.0
"""One stretch of time on an item above which a reader was elsewhere; longer ones are stored as this."""

DEFINITION = ("run", "test_set", "kind", "group", "score_above", "protocol_hash", "test_set_digest")
"""What decides, with the run compared with, which items a queue holds."""


class ReviewQueue(models.Model):
    """Lesions that a run missed, or its false findings, in a fixed order. Never changes."""

    class Kind(models.TextChoices):
        MISSED = "missed", "Missed lesions"
        FALSE = "false", "False findings"
        GAINED = "gained", "Lesions gained"
        LOST = "lost", "Lesions lost"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="review_queues")
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=6, choices=Kind.choices)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="review_queues")
    against = models.ForeignKey(
        Run, null=True, on_delete=models.CASCADE, related_name="review_queues_against", help_text="Of gained and lost."
    )
    test_set = models.CharField(max_length=13, choices=Split.choices)
    group = models.CharField(max_length=20, help_text="Lesions counted: key of results.selectors.GROUPS.")
    score_above = models.FloatField()
    protocol_hash = models.CharField(max_length=64)
    test_set_digest = models.CharField(max_length=64)
    size = models.PositiveIntegerField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="review_queues")
    created = models.DateTimeField(auto_now_add=True)
    repeated = models.BooleanField(
        default=False, editable=False, help_text="Of a definition that had a queue before, from when that was possible."
    )

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="review_queue_number_once"),
            models.UniqueConstraint(
                fields=DEFINITION, condition=Q(against__isnull=True, repeated=False), name="review_queue_once"
            ),
            models.UniqueConstraint(
                fields=[*DEFINITION, "against"],
                condition=Q(against__isnull=False, repeated=False),
                name="review_queue_compared_once",
            ),
            models.CheckConstraint(
                condition=Q(test_set__in=["internal_test", "external_test"]), name="review_queue_on_a_test_set"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["gained", "lost"], against__isnull=False)
                | Q(kind__in=["missed", "false"], against__isnull=True),
                name="review_queue_against_where_compared",
            ),
            models.CheckConstraint(
                condition=Q(size__gte=1, score_above__range=(0, 1)), name="review_queue_size_and_score"
            ),
        ]

    def __str__(self) -> str:
        return f"Review {self.number}"

    @property
    def finder(self) -> Run:
        """The run whose miss or false finding is asked about: of gained lesions, the one they are gained over."""
        return self.against if self.kind == self.Kind.GAINED and self.against is not None else self.run

    @property
    def beside(self) -> Run | None:
        """The other run of gained and lost lesions: the one that found them."""
        return self.run if self.kind == self.Kind.GAINED else self.against


class ReviewItem(models.Model):
    """A lesion on a view, or a finding, with what the evaluation says about it. Never changes."""

    queue = models.ForeignKey(ReviewQueue, on_delete=models.CASCADE, related_name="items")
    position = models.PositiveIntegerField(help_text="From 1.")
    view = models.ForeignKey(View, on_delete=models.CASCADE, related_name="review_items")
    lesion = models.ForeignKey(Lesion, null=True, on_delete=models.CASCADE, related_name="review_items")
    finding = models.PositiveSmallIntegerField(
        null=True, help_text="Rank within the view of the finding that is false or explains the miss."
    )
    outcome = models.CharField(max_length=20, help_text="Why it is a miss or false, by the evaluation.")
    score = models.FloatField(null=True)
    iou = models.FloatField(default=0)

    class Meta:
        ordering = ["queue_id", "position"]
        constraints = [
            models.UniqueConstraint(fields=["queue", "position"], name="review_position_once"),
            models.UniqueConstraint(
                fields=["queue", "view", "lesion"], condition=Q(lesion__isnull=False), name="review_lesion_once"
            ),
            models.UniqueConstraint(
                fields=["queue", "view", "finding"], condition=Q(lesion__isnull=True), name="review_finding_once"
            ),
            models.CheckConstraint(
                condition=Q(lesion__isnull=False) | Q(finding__isnull=False), name="review_item_has_a_subject"
            ),
            models.CheckConstraint(condition=Q(position__gte=1), name="review_position_from_1"),
        ]

    def __str__(self) -> str:
        return f"Item {self.position} of review {self.queue.number}"

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Reasons to choose from, in the order of the keys 1 to 9 and 0."""
        return FALSE_REASONS if self.lesion_id is None else MISS_REASONS


class Visit(models.Model):
    """A stretch of time for which an item was in front of a reader; every return adds a row. Never changes."""

    item = models.ForeignKey(ReviewItem, on_delete=models.CASCADE, related_name="visits")
    reader = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="review_visits")
    key = models.UUIDField(help_text="Made by the page, so that a stretch that is sent twice counts once.")
    seconds = models.FloatField(help_text="Measured in the browser.")
    revealed = models.BooleanField(help_text="Whether truth and findings were shown already.")
    time = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["item", "reader", "key"], name="visit_once"),
            models.CheckConstraint(
                condition=Q(seconds__gt=0, seconds__lte=LONGEST_SECONDS), name="visit_seconds_bounded"
            ),
        ]


class Reveal(models.Model):
    """Truth and findings of an item were shown to a reader, from here on."""

    item = models.ForeignKey(ReviewItem, on_delete=models.CASCADE, related_name="reveals")
    reader = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="reveals")
    seconds = models.FloatField(help_text="On the item before, over all visits.")
    time = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["item", "reader"], name="revealed_once"),
            models.CheckConstraint(condition=Q(seconds__gte=0), name="reveal_seconds_not_negative"),
        ]


class Reason(models.TextChoices):
    """Why a lesion was missed or a finding is false."""

    NO_ENHANCEMENT = "no_enhancement", "Calcifications without enhancement"
    SUBTLE = "subtle", "Subtle, low contrast"
    DENSE = "dense", "Dense surroundings"
    EDGE = "edge", "At the edge of the breast or image"
    SMALL = "small", "Small lesion"
    ARTEFACT = "artefact", "After biopsy, or artefact"
    QUALITY = "quality", "Poor image quality"
    ANNOTATION = "annotation", "Annotation doubtful"
    NOT_VISIBLE = "not_visible", "Not visible in this view"
    BACKGROUND = "background", "Normal tissue, background enhancement"
    BENIGN = "benign", "Benign lesion"
    VESSEL = "vessel", "Vessel or skin"
    NODE = "node", "Lymph node"
    OTHER = "other", "Other"


MISS_REASONS = (
    Reason.NO_ENHANCEMENT,
    Reason.SUBTLE,
    Reason.DENSE,
    Reason.EDGE,
    Reason.SMALL,
    Reason.ARTEFACT,
    Reason.QUALITY,
    Reason.ANNOTATION,
    Reason.NOT_VISIBLE,
    Reason.OTHER,
)
"""Of a missed lesion, in the order of the keys 1 to 9 and 0."""
FALSE_REASONS = (
    Reason.BACKGROUND,
    Reason.BENIGN,
    Reason.DENSE,
    Reason.EDGE,
    Reason.VESSEL,
    Reason.ARTEFACT,
    Reason.QUALITY,
    Reason.ANNOTATION,
    Reason.NODE,
    Reason.OTHER,
)
"""Of a false finding; what both have in common stands at the same keys."""


class Answer(models.Model):
    """What a reader said about an item. A change is a new revision; earlier ones are kept."""

    class State(models.TextChoices):
        ANSWERED = "answered", "Answered"
        SKIPPED = "skipped", "Skipped"
        WITHDRAWN = "withdrawn", "Taken back"

    item = models.ForeignKey(ReviewItem, on_delete=models.CASCADE, related_name="answers")
    reader = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="review_answers")
    revision = models.PositiveIntegerField()
    current = models.BooleanField(default=True)
    state = models.CharField(max_length=9, choices=State.choices)
    reason = models.CharField(max_length=14, choices=Reason.choices, blank=True)
    note = models.CharField(max_length=1000, blank=True)
    seconds = models.FloatField(help_text="On the item until this revision, over all visits.")
    time = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["item_id", "reader_id", "revision"]
        constraints = [
            models.UniqueConstraint(fields=["item", "reader", "revision"], name="answer_revision_once"),
            models.UniqueConstraint(fields=["item", "reader"], condition=Q(current=True), name="answer_one_current"),
            models.CheckConstraint(
                condition=Q(state="answered", reason__in=Reason.values)
                | Q(state__in=["skipped", "withdrawn"], reason=""),
                name="answer_reason_where_answered",
            ),
            models.CheckConstraint(condition=Q(seconds__gte=0, revision__gte=1), name="answer_seconds_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.item}, revision {self.revision}"
