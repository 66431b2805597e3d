"""Forms of the datasets pages."""

from __future__ import annotations

from typing import Any

from django import forms

from webapp.datasets.models import DatasetVersion
from webapp.datasets.splitting import SplitSettings


class DatasetForm(forms.Form):
    """A new dataset."""

    name = forms.CharField(max_length=100, label="Name", help_text="What it is for, such as “Clusters, two sites”.")


class SplitForm(forms.Form):
    """How to draw the split; shares in per cent, as the paper states them."""

    test_share = forms.FloatField(
        label="Internal test", min_value=1, max_value=90, initial=20, help_text="Of the patients at internal sites."
    )
    validation_share = forms.FloatField(
        label="Validation", min_value=1, max_value=90, initial=20, help_text="Of the patients that are not tested."
    )
    external_sites = forms.MultipleChoiceField(
        label="External sites",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="All their patients are external test.",
    )
    external_types_known = forms.BooleanField(
        label="External sites tell masses from clusters",
        required=False,
        initial=True,
        help_text="Otherwise only “all malignant” is reported there, as in the paper.",
    )
    seed = forms.IntegerField(label="Seed", min_value=0, max_value=2**32 - 1, initial=0)

    def __init__(self, *args: Any, sites: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["external_sites"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = [(site, site) for site in sites]

    def settings(self) -> SplitSettings:
        """The settings of a valid form."""
        given = self.cleaned_data
        return SplitSettings(
            test_share=given["test_share"] / 100,
            validation_share=given["validation_share"] / 100,
            external_sites=tuple(given["external_sites"]),
            external_types_known=given["external_types_known"],
            seed=given["seed"],
        )


def split_form(version: DatasetVersion, data: Any = None) -> SplitForm:
    """The split form of a version, filled with how it was drawn last."""
    sites = sorted(set(version.exams.values_list("patient__site__code", flat=True)))
    drawn = version.split_settings
    initial = {}
    if drawn:
        initial = {
            "test_share": round(drawn["test_share"] * 100, 6),
            "validation_share": round(drawn["validation_share"] * 100, 6),
            "external_sites": drawn["external_sites"],
            "external_types_known": drawn.get("external_types_known", True),
            "seed": drawn["seed"],
        }
    return SplitForm(data, sites=sites, initial=initial)
