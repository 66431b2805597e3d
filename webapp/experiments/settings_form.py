"""Settings of the detector as form fields, for all arms and for one arm alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from django import forms

from detection.configuration import ConfigurationError, MaskRCNNConfiguration
from detection.preset import Preset, presets
from webapp.core.templatetags.cemlab import count
from webapp.experiments.design_input import preset_texts, setting_schema

SHORT = ("length", "epochs", "steps", "learning_rate", "batch_size", "tiles", "backbone", "initial_weights")
"""Settings that stand open; all others are folded."""


def preset_or_first(name: str) -> Preset:
    """The preset of a name, the first one where there is none of it."""
    known = presets()
    return known.get(name) or next(iter(known.values()))


def initial_settings(texts: Mapping[str, str]) -> dict[str, Any]:
    """Initial values of a form from settings as text."""
    boxes = {entry["name"] for entry in setting_schema() if entry["kind"] == "boolean"}
    return {f"set-{name}": text == "on" if name in boxes else text for name, text in texts.items()}


class NumbersField(forms.CharField):
    """A list of numbers with commas between them."""

    def clean(self, value: Any) -> tuple[float, ...]:
        """The numbers."""
        text = super().clean(value)
        try:
            return tuple(float(part) for part in text.split(",") if part.strip())
        except ValueError as error:
            raise forms.ValidationError("Give numbers with commas between them, such as 12, 24, 40.") from error


class SettingsForm(forms.Form):
    """One field for each setting of the detector, from its schema.

    Parameters
    ----------
    preset : str
        What the fields are compared with, and what fills those that are not on the form.
    names : collection of str, optional
        Settings on the form; all where None.
    """

    use_required_attribute = False

    def __init__(self, *args: Any, preset: str, names: Collection[str] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.preset = preset_or_first(preset)
        self.schema = [entry for entry in setting_schema() if names is None or entry["name"] in names]
        for entry in self.schema:
            self.fields[f"set-{entry['name']}"] = _setting_field(entry)

    def check_with(self, others: dict[str, Any]) -> None:
        """Check the settings of a valid form together with those of `others`, each problem at its field."""
        try:
            MaskRCNNConfiguration.from_values(others | self.values())
        except ConfigurationError as error:
            for name, problem in error.problems.items():
                self.add_error(f"set-{name}" if f"set-{name}" in self.fields else None, f"{problem}.")

    def preset_values(self) -> dict[str, Any]:
        """Every value of the preset."""
        values: dict[str, Any] = self.preset.configuration.to_dict()["values"]
        return values

    def values(self) -> dict[str, Any]:
        """Cleaned values by the name of the setting."""
        return {
            entry["name"]: (self.cleaned_data[f"set-{entry['name']}"] or None)
            if entry["kind"] == "text"
            else self.cleaned_data[f"set-{entry['name']}"]
            for entry in self.schema
        }

    def changes(self) -> dict[str, Any]:
        """Settings of a valid form that differ from the preset."""
        return {
            name: value for name, value in self.values().items() if value != getattr(self.preset.configuration, name)
        }

    def rows(self) -> list[dict[str, Any]]:
        """Bound fields with what their preset says, in the order of the schema."""
        texts = preset_texts(self.preset.name)
        rows = []
        for entry in self.schema:
            bound = self[f"set-{entry['name']}"]
            preset: Any = texts[entry["name"]] == "on" if entry["kind"] == "boolean" else texts[entry["name"]]
            changed = not _same(bound.value(), preset)
            rows.append(
                {
                    "name": entry["name"],
                    "group": entry["group"],
                    "unit": entry["unit"] if entry["kind"] != "numbers" else "",
                    "bound": bound,
                    "preset": preset,
                    "changed": changed,
                    "help": _help(entry),
                    "short": entry["name"] in SHORT,
                    "source": self.preset.sources.get(entry["name"], ""),
                }
            )
        return rows


def _help(entry: dict[str, Any]) -> str:
    text = str(entry["help"])
    if entry["minimum"] is not None and entry["kind"] != "numbers":
        return f"{text} {_limit(entry['minimum'])} to {_limit(entry['maximum'])}."
    return text


def _limit(value: float) -> str:
    """A limit as people write it: 10 000 000 rather than 1e+07."""
    return count(value) if abs(value) >= 1000 else f"{value:g}"


def _same(value: Any, preset: Any) -> bool:
    if str(value or "").strip() == str(preset or "").strip():
        return True
    try:
        return float(value) == float(preset)
    except (TypeError, ValueError):
        return False


def _setting_field(entry: dict[str, Any]) -> forms.Field:
    label, kind = entry["label"], entry["kind"]
    limits = {"min_value": entry["minimum"], "max_value": entry["maximum"]}
    if kind == "integer":
        return forms.IntegerField(label=label, **limits)
    if kind == "number":
        return forms.FloatField(label=label, **limits, widget=forms.NumberInput(attrs={"step": "any"}))
    if kind == "numbers":
        return NumbersField(label=label)
    if kind == "boolean":
        return forms.BooleanField(label=label, required=False)
    if kind == "choice":
        return forms.ChoiceField(label=label, choices=[(one["value"], one["label"]) for one in entry["choices"]])
    return forms.CharField(label=label, required=False, max_length=500)
