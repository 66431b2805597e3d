"""What a queue is made from, and what a reader answers."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import QuerySet

from webapp.experiments.models import Run
from webapp.results.forms import HIGHEST
from webapp.results.selectors import GROUPS
from webapp.reviews.models import Answer, Reason, ReviewQueue

TEST_SETS = {"internal_test": "Internal test", "external_test": "External test"}


class _RunField(forms.ModelChoiceField):
    def label_from_instance(self, obj: Any) -> str:
        return f"Experiment {obj.arm.experiment.number}: {obj}"


class QueueForm(forms.Form):
    """`<project>/review/new/`; the runs are those whose test sets are open."""

    use_required_attribute = False
    run = _RunField(Run.objects.none(), label="Run", empty_label=None)
    test_set = forms.ChoiceField(label="Test set", choices=list(TEST_SETS.items()))
    kind = forms.ChoiceField(label="What to review", choices=ReviewQueue.Kind.choices)
    against = _RunField(
        Run.objects.none(),
        label="Compared with",
        required=False,
        empty_label="no other run",
        help_text="For lesions gained and lost.",
    )
    group = forms.ChoiceField(label="Lesions", choices=list(reversed(GROUPS.items())))
    score_above = forms.FloatField(
        label="Score above",
        required=False,
        min_value=0,
        max_value=HIGHEST,
        help_text="Empty: the threshold of the protocol.",
    )

    def __init__(self, *args: Any, runs: QuerySet[Run], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("run", "against"):
            field = self.fields[name]
            assert isinstance(field, forms.ModelChoiceField)
            field.queryset = runs

    def clean(self) -> dict[str, Any]:
        """Gained and lost need another run of the same experiment."""
        cleaned = super().clean() or {}
        run, against = cleaned.get("run"), cleaned.get("against")
        if cleaned.get("kind") in {ReviewQueue.Kind.GAINED, ReviewQueue.Kind.LOST}:
            if against is None or run is None or against == run:
                self.add_error("against", "Choose another run to compare with.")
            elif against.arm.experiment_id != run.arm.experiment_id:
                self.add_error("against", "Choose a run of the same experiment.")
        else:
            cleaned["against"] = None
        return cleaned


class AnswerForm(forms.Form):
    """What the item page posts."""

    state = forms.ChoiceField(choices=Answer.State.choices)
    reason = forms.ChoiceField(choices=Reason.choices, required=False)
    note = forms.CharField(max_length=1000, required=False)


class StretchForm(forms.Form):
    """Time on an item that ends with a post, under the key that the page gave it."""

    seconds = forms.FloatField(required=False)
    visit = forms.UUIDField(required=False)


class BehindForm(forms.Form):
    """Query of the list behind a bar."""

    experiment = forms.IntegerField(min_value=1, max_value=2**31, required=False)
    queue = forms.IntegerField(min_value=1, max_value=2**31, required=False)
    reader = forms.IntegerField(min_value=1, max_value=2**62)
    kind = forms.ChoiceField(choices=ReviewQueue.Kind.choices, required=False)
    reason = forms.ChoiceField(choices=Reason.choices, required=False)
    arm = forms.CharField(max_length=200, required=False)
    site = forms.CharField(max_length=60, required=False)
