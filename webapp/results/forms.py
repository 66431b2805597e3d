"""What the address of a list of cases may ask for."""

from __future__ import annotations

from django import forms

from webapp.results.cases import CHANGES, OUTCOMES
from webapp.results.level_thresholds import LEVELS as UNIT_LEVELS
from webapp.results.levels import LEVELS
from webapp.results.selectors import GROUPS, MEASURES, TEST_SETS

REASONS = ("no overlap", "low score", "wrong class", "outside top", "finding taken")
"""Why a lesion was missed (detection.evaluation.matching.MissReason)."""
LESION_OUTCOMES = ("missed", "found", "wrong", "right")
UNIT_OUTCOMES = ("fn", "tp", "fp", "tn")
HIGHEST = 0.999
"""Largest score threshold: above 1 nothing is left."""


class CasesForm(forms.Form):
    """Query of `<project>/results/<number>/lesions/`.

    `at_least` and `below` bound the malignancy probability of findings, or the score of views. With `open` the viewer
    opens on the first case in place of the list.
    """

    run = forms.IntegerField(min_value=1, max_value=2**62)
    test_set = forms.ChoiceField(choices=list(TEST_SETS.items()))
    group = forms.ChoiceField(choices=list(GROUPS.items()))
    measure = forms.ChoiceField(choices=[*MEASURES.items(), ("views", "Views")], required=False)
    level = forms.ChoiceField(choices=[one for one in LEVELS.items() if one[0] != "lesion on a view"], required=False)
    outcome = forms.CharField(required=False, max_length=12)
    reason = forms.ChoiceField(choices=[(reason, reason) for reason in REASONS], required=False)
    against = forms.IntegerField(min_value=1, max_value=2**62, required=False)
    score = forms.FloatField(min_value=0, max_value=HIGHEST, required=False)
    subgroup = forms.CharField(required=False, max_length=120)
    at_least = forms.FloatField(min_value=0, max_value=1, required=False)
    below = forms.FloatField(min_value=0, max_value=1.1, required=False)
    open = forms.ChoiceField(choices=[("first", "first")], required=False)

    def clean(self) -> dict[str, object]:
        """Outcomes depend on the measure."""
        cleaned = super().clean() or {}
        cleaned["measure"] = cleaned.get("measure") or "sensitivity"
        cleaned["outcome"] = cleaned.get("outcome") or "all"
        measure, outcome = str(cleaned["measure"]), cleaned["outcome"]
        if (measure == "views") != bool(cleaned.get("level")):
            self.add_error("level", "Views are listed for a level, and for nothing else.")
        compared = measure == "sensitivity" and cleaned.get("against")
        if cleaned.get("subgroup") and measure != "sensitivity":
            self.add_error("subgroup", "Subgroups are of lesions.")
        bounded = cleaned.get("at_least") is not None or cleaned.get("below") is not None
        if bounded and measure == "sensitivity":
            self.add_error("at_least", "Lesions have no probability to bound.")
        if cleaned.get("score") is not None and outcome in CHANGES:
            self.add_error("score", "Gained and lost are counted at the threshold of the protocol.")
        if cleaned.get("score") is not None and cleaned.get("level") == "lesion":
            self.add_error("score", "Lesions over their views are counted at the threshold of the protocol.")
        if outcome not in OUTCOMES[measure] and not (compared and outcome in CHANGES):
            self.add_error("outcome", "Unknown outcome.")
        return cleaned


class SliderForm(forms.Form):
    """What the address of the curves says of the slider."""

    level = forms.ChoiceField(choices=[(one, one) for one in UNIT_LEVELS], required=False)
    step = forms.IntegerField(min_value=0, max_value=999, required=False)


class ThresholdForm(forms.Form):
    """Query of `<project>/results/<number>/threshold/`; outcomes depend on the level."""

    step = forms.IntegerField(min_value=0, max_value=999)
    run = forms.IntegerField(min_value=1, max_value=2**62)
    test_set = forms.ChoiceField(choices=list(TEST_SETS.items()))
    group = forms.ChoiceField(choices=list(GROUPS.items()))
    level = forms.ChoiceField(choices=[(one, one) for one in UNIT_LEVELS], required=False)
    outcome = forms.CharField(max_length=12)

    def clean(self) -> dict[str, object]:
        """Units and lesions are found and missed under other names."""
        cleaned = super().clean() or {}
        offered = UNIT_OUTCOMES if cleaned.get("level") else LESION_OUTCOMES
        if cleaned.get("outcome") not in offered:
            self.add_error("outcome", "Unknown outcome.")
        return cleaned
