"""What the address of a case may say about its layers."""

from __future__ import annotations

from django import forms


class LayerForm(forms.Form):
    """`?run=` a run's number or `?application=` a model application's; `?score=` the score a finding must be above."""

    run = forms.IntegerField(required=False, min_value=1)
    application = forms.IntegerField(required=False, min_value=1, max_value=2**31)
    score = forms.FloatField(required=False, min_value=0, max_value=1)
