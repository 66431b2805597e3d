"""Forms of the import page."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.validators import validate_slug

from webapp.accounts.models import Project
from webapp.cases.importing.uploads import LARGEST_FILE, MOST_FILES
from webapp.cases.models import Site


class ImportForm(forms.Form):
    """Which site the files come from, and the pixel spacing where pictures state none."""

    site = forms.CharField(
        max_length=30,
        validators=[validate_slug],
        help_text="A known site, or a new code of letters, digits, hyphens and underscores.",
        widget=forms.TextInput(attrs={"list": "known-sites", "autocomplete": "off"}),
    )
    spacing_mm = forms.FloatField(
        required=False,
        min_value=0.01,
        max_value=1.0,
        label="Pixel spacing",
        help_text="Only for pictures without header (PNG, JPEG); DICOM states its own.",
        widget=forms.NumberInput(attrs={"step": "any"}),
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.known_sites = list(Site.objects.filter(project=project).values_list("code", flat=True))
        if len(self.known_sites) == 1:
            self.fields["site"].initial = self.known_sites[0]


class PieceForm(forms.Form):
    """Where a piece of an upload belongs."""

    index = forms.IntegerField(min_value=1, max_value=MOST_FILES)
    name = forms.CharField(max_length=1000, strip=False)
    size = forms.IntegerField(min_value=0, max_value=LARGEST_FILE)
    offset = forms.IntegerField(min_value=0, max_value=LARGEST_FILE)
