"""The rule by which test sets will be judged, as form fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from django import forms

from detection.evaluation.errors import ProtocolError
from detection.evaluation.protocol import Protocol

LABELS = {
    "score_above": "Score above",
    "iou_above": "IoU above",
    "iou_of": "IoU of",
    "top": "Findings an image",
    "matching": "Matching",
    "duplicates": "Further findings on a found lesion",
    "class_aware": "What must agree",
    "linked": "Lesion found on",
    "unit_score": "Score of breast and patient",
    "interval": "Intervals",
}
"""Fields that a person may choose; the others of a protocol stand at their default."""
CHOICES = {
    "iou_of": {"box": "boxes", "mask": "outlines"},
    "matching": {
        "greedy": "one-to-one, best score first",
        "hungarian": "one-to-one, most pairs",
        "argmax_lesion": "one-to-one, best lesion of a finding only",
        "any_overlap": "every overlap counts",
    },
    "duplicates": {"ignore": "ignored", "fp": "false positives", "report": "reported beside precision"},
    "class_aware": {
        "malignancy": "benign or malignant",
        "malignancy and type": "benign or malignant, and type",
        "none": "position alone",
    },
    "linked": {"any view": "any of its views", "all views": "all of its views"},
    "unit_score": {"max": "highest", "mean": "mean of the views", "noisy-or": "noisy or of the views"},
    "interval": {"logit-t": "t on the logit scale", "percentile": "percentiles of the resamples"},
}


def protocol_texts(protocol: Protocol) -> dict[str, str]:
    """The fields of the form as text."""
    values = asdict(protocol)
    return {name: f"{values[name]:g}" if isinstance(values[name], float) else str(values[name]) for name in LABELS}


def words_of(name: str, text: str) -> str:
    """A value as the form names it."""
    return CHOICES.get(name, {}).get(text, text)


def protocol_from(texts: Mapping[str, str]) -> Protocol | None:
    """The protocol of texts as they stand; None while they are not one."""
    form = ProtocolForm({f"protocol-{name}": text for name, text in texts.items()}, prefix="protocol")
    return form.protocol() if form.is_valid() else None


class ProtocolForm(forms.Form):
    """Fields of `detection.evaluation.protocol.Protocol`."""

    use_required_attribute = False

    score_above = forms.FloatField(min_value=0, max_value=1, widget=forms.NumberInput(attrs={"step": "any"}))
    iou_above = forms.FloatField(min_value=0, max_value=1, widget=forms.NumberInput(attrs={"step": "any"}))
    top = forms.IntegerField(min_value=1, max_value=1000, help_text="The best by score count.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, choices in CHOICES.items():
            self.fields[name] = forms.ChoiceField(choices=list(choices.items()))
        for name, label in LABELS.items():
            self.fields[name].label = label
        self.order_fields(list(LABELS))

    def clean(self) -> dict[str, Any]:
        """Leave the limits that lie between two fields or at an end to the protocol itself."""
        cleaned = super().clean() or {}
        if not self.errors:
            try:
                Protocol(**cleaned)
            except ProtocolError as error:
                name = next((name for name in LABELS if f"'{name}'" in str(error)), None)
                self.add_error(name, str(error))
        return cleaned

    def protocol(self) -> Protocol:
        """The protocol of a valid form."""
        return Protocol(**self.cleaned_data)
