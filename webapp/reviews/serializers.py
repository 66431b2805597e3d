"""Reviews as the API shows them: of an item that is not revealed to its reader nothing but its case."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from webapp.annotations.models import LesionType, Malignancy
from webapp.results.selectors import GROUPS
from webapp.results.serializers import TEST_SETS, IntervalSerializer
from webapp.reviews.breakdown import BY
from webapp.reviews.models import Answer, Reason, ReviewItem, ReviewQueue
from webapp.reviews.selectors import ItemFacts, Progress, Reading


class ReviewProgressSerializer(serializers.Serializer[Progress]):
    """How far a reader is."""

    answered = serializers.IntegerField()
    skipped = serializers.IntegerField()
    left = serializers.IntegerField(source="open")


class ReviewSerializer(serializers.ModelSerializer[ReviewQueue]):
    """A fixed queue. `arm` is the position of the arm in the design, from 0; `against` of gained and lost lesions."""

    experiment = serializers.IntegerField(source="run.arm.experiment.number", read_only=True)
    arm = serializers.IntegerField(source="run.arm.position", read_only=True)
    arm_name = serializers.CharField(source="run.arm.name", read_only=True)
    seed = serializers.IntegerField(source="run.seed", read_only=True)
    against_arm = serializers.IntegerField(source="against.arm.position", read_only=True, default=None, allow_null=True)
    against_seed = serializers.IntegerField(source="against.seed", read_only=True, default=None, allow_null=True)
    test_set = serializers.ChoiceField(choices=TEST_SETS, read_only=True)
    created_by = serializers.CharField(source="created_by.username", read_only=True)
    yours = serializers.SerializerMethodField(help_text="Of the person who asks.")

    class Meta:
        model = ReviewQueue
        fields = [
            "number",
            "kind",
            "experiment",
            "arm",
            "arm_name",
            "seed",
            "against_arm",
            "against_seed",
            "test_set",
            "group",
            "score_above",
            "protocol_hash",
            "test_set_digest",
            "size",
            "yours",
            "created_by",
            "created",
        ]
        read_only_fields = fields

    @extend_schema_field(ReviewProgressSerializer)
    def get_yours(self, queue: ReviewQueue) -> dict[str, Any]:
        """From the context, where the view counted it for all rows at once."""
        return dict(ReviewProgressSerializer(self.context["progress"][queue.pk]).data)


class ReviewReaderSerializer(serializers.Serializer[Reading]):
    """A reader of a queue; the time is over all visits."""

    reader = serializers.CharField(source="reader.username")
    answered = serializers.IntegerField(source="progress.answered")
    skipped = serializers.IntegerField(source="progress.skipped")
    left = serializers.IntegerField(source="progress.open")
    seconds = serializers.FloatField()


class ReviewDetailSerializer(ReviewSerializer):
    """A queue with everyone who reads it."""

    readers = serializers.SerializerMethodField()

    class Meta(ReviewSerializer.Meta):
        fields = [*ReviewSerializer.Meta.fields, "readers"]
        read_only_fields = fields

    @extend_schema_field(ReviewReaderSerializer(many=True))
    def get_readers(self, queue: ReviewQueue) -> list[dict[str, Any]]:
        """From the context."""
        return [dict(one) for one in ReviewReaderSerializer(self.context["readers"], many=True).data]


class NewReviewSerializer(serializers.Serializer[dict[str, Any]]):
    """What a queue is made from. The runs are those of experiments whose runs have all ended."""

    experiment = serializers.IntegerField(min_value=1, help_text="Number of the experiment.")
    arm = serializers.IntegerField(min_value=0, help_text="Position of the arm in the design, from 0.")
    seed = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=ReviewQueue.Kind.choices)
    test_set = serializers.ChoiceField(choices=TEST_SETS)
    group = serializers.ChoiceField(choices=list(GROUPS.items()), default="malignant")
    score_above = serializers.FloatField(
        min_value=0, max_value=1, default=None, allow_null=True, help_text="The protocol's where null."
    )
    against_arm = serializers.IntegerField(
        min_value=0, default=None, allow_null=True, help_text="For gained and lost: the arm to compare with."
    )
    against_seed = serializers.IntegerField(default=None, allow_null=True)


class TruthSerializer(serializers.Serializer[ReviewItem]):
    """Truth of an item and what the evaluation says of it."""

    view = serializers.IntegerField(source="view_id")
    laterality = serializers.CharField(source="view.laterality")
    position = serializers.CharField(source="view.position")
    lesion = serializers.IntegerField(source="lesion_id", allow_null=True, help_text="null for a false finding.")
    lesion_type = serializers.ChoiceField(
        source="lesion.lesion_type", choices=LesionType.choices, default=None, allow_null=True
    )
    malignancy = serializers.ChoiceField(
        source="lesion.malignancy", choices=Malignancy.choices, default=None, allow_null=True
    )
    finding = serializers.IntegerField(allow_null=True, help_text="Rank within the view of the finding at issue.")
    outcome = serializers.CharField(help_text="Why it is a miss or false, by the evaluation.")
    score = serializers.FloatField(allow_null=True)
    iou = serializers.FloatField()


class ReviewItemSerializer(serializers.Serializer[ItemFacts]):
    """An item as the person may know it. `truth` is null until the reader has revealed it."""

    position = serializers.IntegerField(source="item.position")
    case = serializers.IntegerField(source="item.view.exam.number")
    state = serializers.ChoiceField(
        choices=[("", "Open"), *Answer.State.choices[:2]], help_text="Of the own answer; empty while open."
    )
    revealed = serializers.BooleanField(help_text="To the person who asks.")
    seconds = serializers.FloatField(help_text="Own time on the item, over all visits.")
    truth = TruthSerializer(allow_null=True)


class StretchSerializer(serializers.Serializer[dict[str, Any]]):
    """Time on an item that ends with this request."""

    seconds = serializers.FloatField(min_value=0, default=0.0, help_text="At most 30 minutes count.")
    visit = serializers.UUIDField(
        default=None, allow_null=True, help_text="Key of the stretch: one sent twice counts once."
    )


class NewAnswerSerializer(StretchSerializer):
    """An answer, a skip, or taking back what was answered."""

    state = serializers.ChoiceField(choices=Answer.State.choices)
    reason = serializers.ChoiceField(choices=Reason.choices, default="", allow_blank=True)
    note = serializers.CharField(max_length=1000, default="", allow_blank=True)


class ReviewAnswerSerializer(serializers.ModelSerializer[Answer]):
    """One revision of a reader's answer; `seconds` is the time on the item until then, over all visits."""

    position = serializers.IntegerField(source="item.position", read_only=True)
    case = serializers.IntegerField(source="item.view.exam.number", read_only=True)
    reader = serializers.CharField(source="reader.username", read_only=True)

    class Meta:
        model = Answer
        fields = ["position", "case", "reader", "revision", "current", "state", "reason", "note", "seconds", "time"]
        read_only_fields = fields


class ReasonShareSerializer(serializers.Serializer[dict[str, Any]]):
    """A reason's share of the answers of a block; `url` is the page of the answers behind it."""

    reason = serializers.ChoiceField(choices=Reason.choices)
    name = serializers.CharField(source="label")
    interval = IntervalSerializer()
    url = serializers.CharField()


class ReasonBlockSerializer(serializers.Serializer[dict[str, Any]]):
    """An arm or a site."""

    name = serializers.CharField()
    n = serializers.IntegerField(help_text="Lesion views or findings answered, each once.")
    patients = serializers.IntegerField()
    reasons = ReasonShareSerializer(many=True, source="rows")


class ReasonReaderSerializer(serializers.Serializer[dict[str, Any]]):
    """Someone whose answers may be read."""

    reader = serializers.CharField()
    answers = serializers.IntegerField()


class ReasonsSerializer(serializers.Serializer[dict[str, Any]]):
    """Reasons of one reader by arm or site, with intervals over patients."""

    by = serializers.ChoiceField(choices=list(BY))
    kind = serializers.ChoiceField(choices=ReviewQueue.Kind.choices)
    reader = serializers.CharField(allow_null=True, help_text="Whose answers are counted; null where none is readable.")
    n = serializers.IntegerField(help_text="Answers.")
    resamples = serializers.IntegerField()
    bootstrap_seed = serializers.IntegerField()
    blocks = ReasonBlockSerializer(many=True)
    readers = ReasonReaderSerializer(many=True, help_text="Who else may be asked for with `reader`.")


class ReasonsQuerySerializer(serializers.Serializer[dict[str, Any]]):
    """What a breakdown is asked for."""

    by = serializers.ChoiceField(choices=list(BY), default="site")
    reader = serializers.CharField(default="", help_text="Name of the reader; by default the own answers.")


class KindQuerySerializer(ReasonsQuerySerializer):
    """A breakdown over the queues of an experiment."""

    kind = serializers.ChoiceField(choices=ReviewQueue.Kind.choices, default=ReviewQueue.Kind.MISSED)
