"""The design form: question, data, arms, training."""

from __future__ import annotations

from typing import Any

from django import forms

from detection.configuration import ConfigurationError, MaskRCNNConfiguration
from detection.preset import presets
from webapp.accounts.models import Project, User
from webapp.core.errors import UserError
from webapp.datasets import selectors as datasets
from webapp.datasets.models import DatasetVersion
from webapp.experiments import devices
from webapp.experiments.design import ENDPOINTS, LARGEST_SEED, MAXIMUM_RATIO, SOURCES, ArmDesign, ExperimentDesign
from webapp.experiments.design_input import MOST_ARMS, DesignInput, preset_texts, setting_schema
from webapp.simulations.models import SimulationBatch
from webapp.simulations.selectors import usable_batches

SHORT = ("epochs", "learning_rate", "batch_size", "tiles", "backbone", "initial_weights")
"""Settings that stand open; all others are folded."""


class SeedsField(forms.CharField):
    """Whole numbers with commas between them."""

    def clean(self, value: Any) -> tuple[int, ...]:
        """The seeds in the order given."""
        text = super().clean(value)
        seeds = []
        for part in text.replace(";", ",").replace(" ", ",").split(","):
            if not part:
                continue
            if not (part.isascii() and part.isdigit()) or int(part) > LARGEST_SEED:
                raise forms.ValidationError(
                    f"“{part}” is no seed: give whole numbers from 0 to {LARGEST_SEED}, such as 0, 1, 2."
                )
            seeds.append(int(part))
        if len(set(seeds)) != len(seeds):
            raise forms.ValidationError("A seed is given twice: every run of an arm needs its own.")
        return tuple(seeds)


class NumbersField(forms.CharField):
    """A list of numbers with commas between them."""

    def clean(self, value: Any) -> tuple[float, ...]:
        """The numbers."""
        text = super().clean(value)
        try:
            return tuple(float(part) for part in text.split(",") if part.strip())
        except ValueError as error:
            raise forms.ValidationError("Give numbers with commas between them, such as 12, 24, 40.") from error


class VersionField(forms.ModelChoiceField):
    """Frozen dataset versions."""

    def label_from_instance(self, obj: Any) -> str:
        """Name, number and the first letters of the hash."""
        return f"{obj}, {obj.content_hash[:8]}"


class DesignForm(forms.Form):
    """Everything but arms and settings."""

    use_required_attribute = False

    name = forms.CharField(max_length=120, error_messages={"required": "Give the experiment a name."})
    hypothesis = forms.CharField(
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2}),
        error_messages={"required": "State the hypothesis before any result is visible."},
    )
    primary_endpoint = forms.ChoiceField(choices=list(ENDPOINTS.items()))
    version = VersionField(
        queryset=DatasetVersion.objects.none(),
        label="Dataset version",
        empty_label=None,
        error_messages={"required": "Choose a frozen dataset version."},
    )
    preset = forms.ChoiceField(widget=forms.RadioSelect)
    seeds = SeedsField(
        help_text="One run per arm and seed; several seeds show how much chance decides.",
        error_messages={"required": "Give at least one seed."},
    )
    device = forms.ChoiceField()
    simulation = forms.ModelChoiceField(
        queryset=SimulationBatch.objects.none(),
        required=False,
        empty_label="A new one",
        help_text="A new one has the default settings; of one that was looked through, rejected cases stay out.",
    )
    simulation_seed = forms.IntegerField(
        min_value=0, max_value=2**32 - 1, help_text="Decides hosts and clusters of a new simulation."
    )

    def __init__(self, *args: Any, versions: Any, simulations: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["version"].queryset = versions  # type: ignore[attr-defined]
        self.fields["simulation"].queryset = simulations  # type: ignore[attr-defined]
        self.fields["preset"].choices = [(name, preset.title) for name, preset in presets().items()]  # type: ignore[attr-defined]
        self.fields["device"].choices = list(devices.devices().items())  # type: ignore[attr-defined]


class ArmForm(forms.Form):
    """One arm: its name and how much synthetic data per class."""

    use_required_attribute = False

    name = forms.CharField(max_length=60, error_messages={"required": "Every arm needs a name."})
    malignant = forms.FloatField(
        min_value=0, max_value=100 * MAXIMUM_RATIO, error_messages={"required": "Give a ratio; 0 means none."}
    )
    benign = forms.FloatField(
        min_value=0,
        max_value=100 * MAXIMUM_RATIO,
        required=False,
        widget=forms.NumberInput(attrs={"placeholder": "same"}),
    )
    source = forms.ChoiceField(choices=list(SOURCES.items()), required=False)

    def design(self, preset: str, changes: dict[str, Any]) -> ArmDesign:
        """The arm of a valid form."""
        malignant = self.cleaned_data["malignant"] / 100
        benign = self.cleaned_data["benign"]
        return ArmDesign(
            name=self.cleaned_data["name"],
            preset=preset,
            ratio_benign=malignant if benign is None else benign / 100,
            ratio_malignant=malignant,
            changes=changes,
            synthetic_source=self.cleaned_data["source"] or "clusters",
        )


ArmFormSet = forms.formset_factory(
    ArmForm, extra=0, min_num=1, validate_min=True, max_num=MOST_ARMS, validate_max=True, absolute_max=MOST_ARMS
)


class SettingsForm(forms.Form):
    """One field for each setting of the detector, from its schema."""

    use_required_attribute = False

    def __init__(self, *args: Any, preset: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.preset = presets().get(preset) or next(iter(presets().values()))
        self.schema = setting_schema()
        for entry in self.schema:
            self.fields[f"set-{entry['name']}"] = _setting_field(entry)

    def clean(self) -> dict[str, Any]:
        """Check the settings together, each problem at its field."""
        cleaned = super().clean() or {}
        if not self.errors:
            try:
                MaskRCNNConfiguration.from_values(self.preset.configuration.to_dict()["values"] | self.values())
            except ConfigurationError as error:
                for name, problem in error.problems.items():
                    self.add_error(f"set-{name}" if f"set-{name}" in self.fields else None, f"{problem}.")
        return cleaned

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
        return f"{text} {entry['minimum']:g} to {entry['maximum']:g}."
    return text


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


class DesignForms:
    """The forms of the page, filled from one `DesignInput`."""

    def __init__(self, given: DesignInput, *, user: User, project: Project, check: bool) -> None:
        self.given = given
        self.checked = check
        self.versions = (
            datasets.versions_of(user, project).filter(state=DatasetVersion.State.FROZEN).order_by("-frozen_at")
        )
        chosen = given.values["version"]
        number = int(chosen) if chosen.isascii() and chosen.isdigit() and len(chosen) < 18 else None
        simulations = usable_batches(user, project).filter(version=number)
        data = given.as_data()
        if check:
            self.form = DesignForm(data, versions=self.versions, simulations=simulations)
            self.arms = ArmFormSet(data, prefix="arms")
            self.settings = SettingsForm(data, preset=given.values["preset"])
        else:
            self.form = DesignForm(initial=given.values, versions=self.versions, simulations=simulations)
            self.arms = ArmFormSet(initial=[vars(arm) for arm in given.arms], prefix="arms")
            self.arms.min_num = 0
            self.settings = SettingsForm(
                initial={
                    f"set-{entry['name']}": given.settings[entry["name"]] == "on"
                    if entry["kind"] == "boolean"
                    else given.settings[entry["name"]]
                    for entry in setting_schema()
                },
                preset=given.values["preset"],
            )
        self.arms_errors: list[str] = []

    def is_valid(self) -> bool:
        """Whether every part is; each part is checked, so that all errors show at once."""
        valid = [self.form.is_valid(), self.arms.is_valid(), self.settings.is_valid()]
        self.arms_errors += [str(message) for message in self.arms.non_form_errors()]
        return all(valid)

    def design(self) -> ExperimentDesign:
        """The design of valid forms."""
        values = self.form.cleaned_data
        changes = self.settings.changes()
        return ExperimentDesign(
            name=values["name"],
            hypothesis=values["hypothesis"],
            primary_endpoint=values["primary_endpoint"],
            arms=tuple(arm.design(values["preset"], changes) for arm in self.arms),
            seeds=values["seeds"],
            device=values["device"],
        )

    def refuse(self, error: UserError) -> None:
        """Show what a service refused, at the field it names."""
        if error.field == "arms":
            self.arms_errors.append(str(error))
        elif error.field in self.form.fields:
            self.form.add_error(error.field, str(error))
        else:
            self.form.add_error(None, str(error))

    def summary(self) -> list[dict[str, str]]:
        """Every error with its field, for the top of the page."""
        if not self.checked:
            return []
        entries = []
        for form, before in [
            (self.form, ""),
            *((arm, f"Arm {row}, ") for row, arm in enumerate(self.arms, start=1)),
            (self.settings, ""),
        ]:
            for name, messages in form.errors.items():
                known = name in form.fields
                entries += [
                    {
                        "target": form[name].auto_id if known else "",
                        "label": f"{before}{form[name].label}" if known else "",
                        "message": str(message),
                    }
                    for message in messages
                ]
        entries += [{"target": "arms", "label": "Arms", "message": message} for message in self.arms_errors]
        return entries
