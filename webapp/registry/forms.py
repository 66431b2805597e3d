"""Filters of the list of models, what is posted to a model, and what an application asks."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import QuerySet

from webapp.datasets.models import DatasetVersion, Split
from webapp.experiments import devices
from webapp.registry.models import RegisteredModel, Stage

ALL = "all"
"""Source: every case of the project."""


class ListForm(forms.Form):
    """`?stage=&preset=&dataset=&experiment=` of the list; what it does not know it leaves out."""

    stage = forms.ChoiceField(required=False, choices=Stage.choices)
    preset = forms.CharField(required=False, max_length=60)
    dataset = forms.SlugField(required=False)
    experiment = forms.IntegerField(required=False, min_value=1, max_value=2**31)


class StageForm(forms.Form):
    """A decision and its reason."""

    stage = forms.ChoiceField(choices=Stage.choices)
    reason = forms.CharField(max_length=1000, required=False)


class ApplyForm(forms.Form):
    """Which model, on which cases. Without `source` the cases were chosen on the cases page."""

    use_required_attribute = False
    model = forms.ModelChoiceField(RegisteredModel.objects.none(), label="Model", empty_label=None)
    source = forms.ChoiceField(label="Cases", help_text="Or choose cases on the cases page, then “Apply a model”.")
    synthetic = forms.BooleanField(
        label="Also their synthetic views", required=False, help_text="Marked wherever findings on them are shown."
    )
    device = forms.ChoiceField(label="Device")

    def __init__(
        self,
        *args: Any,
        models: QuerySet[RegisteredModel],
        versions: QuerySet[DatasetVersion],
        chosen: bool,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["model"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = models
        if chosen:
            del self.fields["source"]
        else:
            self._choices("source", [(ALL, "All cases of the project"), *_splits(versions)])
        there = devices.single_devices()
        self._choices("device", list(there.items()))
        self.fields["device"].initial = list(there)[-1 if len(there) == 1 else 1]
        if len(there) == 1:
            self.fields["device"].widget = forms.HiddenInput()

    def _choices(self, name: str, choices: list[Any]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices


def _splits(versions: QuerySet[DatasetVersion]) -> list[Any]:
    """One group of choices a frozen version: the whole, and each split it has."""
    groups = []
    for version in versions:
        present = set(version.version_views.values_list("split", flat=True).distinct())
        groups.append(
            (
                str(version),
                [
                    (f"{version.pk}:", f"{version}, all splits"),
                    *(
                        (f"{version.pk}:{split.value}", f"{version}, {split.label.lower()}")
                        for split in Split
                        if split.value in present
                    ),
                ],
            )
        )
    return groups
