"""The design form: question, data, arms, training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django import forms

from detection.preset import presets
from webapp.accounts.models import Project, User
from webapp.core.errors import UserError
from webapp.datasets import selectors as datasets
from webapp.datasets.models import DatasetVersion
from webapp.experiments import devices
from webapp.experiments.design import ENDPOINTS, LARGEST_SEED, MAXIMUM_RATIO, SOURCES, ArmDesign, ExperimentDesign
from webapp.experiments.design_input import MOST_ARMS, ArmInput, DesignInput
from webapp.experiments.protocol_form import ProtocolForm
from webapp.experiments.settings_form import SettingsForm, initial_settings, preset_or_first
from webapp.simulations.models import SimulationBatch
from webapp.simulations.selectors import usable_batches


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
    comparison_arm = forms.TypedChoiceField(label="Compared arm", coerce=int)
    comparison_reference = forms.TypedChoiceField(label="against", coerce=int)
    margin = forms.FloatField(
        label="Non-inferiority margin",
        required=False,
        min_value=0,
        max_value=1,
        widget=forms.NumberInput(attrs={"step": "any", "placeholder": "superiority"}),
        help_text="How much worse the arm may be, such as 0.05. Empty: the question is whether it is better.",
    )
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

    def __init__(self, *args: Any, versions: Any, simulations: Any, arms: Sequence[ArmInput], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("comparison_arm", "comparison_reference"):
            self.fields[name].choices = [(row, f"{row + 1}: {arm.name}") for row, arm in enumerate(arms)]  # type: ignore[attr-defined]
            if len(arms) < 2:
                del self.fields[name]
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
    preset = forms.ChoiceField(required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = [(name, preset.title) for name, preset in presets().items()]
        self.fields["preset"].choices = [("", "shared"), *known]  # type: ignore[attr-defined]

    def design(self, preset: str, changes: dict[str, Any]) -> ArmDesign:
        """The arm of a valid form, with the preset and the changes it comes down to."""
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
        self.simulations = usable_batches(user, project).filter(version=number)
        data = given.as_data()
        offered: dict[str, Any] = {"versions": self.versions, "simulations": self.simulations, "arms": given.arms}
        if check:
            self.form = DesignForm(data, **offered)
            self.arms = ArmFormSet(data, prefix="arms")
            self.settings = SettingsForm(data, preset=given.values["preset"])
            self.protocol = ProtocolForm(data, prefix="protocol")
        else:
            self.form = DesignForm(initial=given.values, **offered)
            self.arms = ArmFormSet(initial=[vars(arm) for arm in given.arms], prefix="arms")
            self.arms.min_num = 0
            self.settings = SettingsForm(initial=initial_settings(given.settings), preset=given.values["preset"])
            self.protocol = ProtocolForm(initial=given.protocol, prefix="protocol")
        self.arm_settings = [
            SettingsForm(
                data if check else None,
                initial=None if check else initial_settings(arm.changes),
                prefix=f"arms-{row}",
                preset=given.arm_preset(arm),
                names=arm.changes,
            )
            for row, arm in enumerate(given.arms)
        ]
        self.arms_errors: list[str] = []

    def is_valid(self) -> bool:
        """Whether every part is; each part is checked, so that all errors show at once."""
        valid = [self.form.is_valid(), self.arms.is_valid(), self.settings.is_valid(), self.protocol.is_valid()]
        valid += [form.is_valid() for form in self.arm_settings]
        self.arms_errors += [str(message) for message in self.arms.non_form_errors()]
        if self.settings.is_valid():
            self.settings.check_with(self.settings.preset_values())
        if self.settings.is_valid():
            for arm, form in zip(self.given.arms, self.arm_settings, strict=True):
                if form.is_valid():
                    form.check_with(self._base(arm, form))
        return all(valid) and self.settings.is_valid() and all(form.is_valid() for form in self.arm_settings)

    def _base(self, arm: ArmInput, form: SettingsForm) -> dict[str, Any]:
        """Values an arm starts from: its own preset, or the training that all arms share."""
        shared = {} if arm.preset else self.settings.values()
        return form.preset_values() | shared

    def design(self) -> ExperimentDesign:
        """The design of valid forms."""
        values = self.form.cleaned_data
        arm, reference = values.get("comparison_arm"), values.get("comparison_reference")
        return ExperimentDesign(
            name=values["name"],
            hypothesis=values["hypothesis"],
            primary_endpoint=values["primary_endpoint"],
            arms=tuple(self._arms()),
            seeds=values["seeds"],
            device=values["device"],
            comparison=None if arm is None or reference is None else (arm, reference),
            margin=values["margin"],
            protocol=self.protocol.protocol(),
        )

    def _arms(self) -> Iterator[ArmDesign]:
        for given, arm, own in zip(self.given.arms, self.arms, self.arm_settings, strict=True):
            changes = ({} if given.preset else self.settings.changes()) | own.values()
            preset = preset_or_first(self.given.arm_preset(given))
            differing = {name: value for name, value in changes.items() if value != getattr(preset.configuration, name)}
            yield arm.design(preset.name, differing)

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
            *((own, f"Arm {row}, ") for row, own in enumerate(self.arm_settings, start=1)),
            (self.settings, ""),
            (self.protocol, "Protocol, "),
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
