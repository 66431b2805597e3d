"""The form of a simulation: hosts, amount, seed, preset and settings."""

from __future__ import annotations

import secrets
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.http import QueryDict

from webapp.accounts.models import Project, User
from webapp.core.errors import UserError
from webapp.datasets import selectors as datasets
from webapp.datasets.models import DatasetVersion
from webapp.simulations import setting_fields
from webapp.simulations.hosts import HostBreast, HostFilter
from webapp.simulations.services import LARGEST_SEED, MAXIMUM_CASES

if TYPE_CHECKING:
    from simulation.settings import SimulationSettings

LARGEST_RATIO = 400
"""Percent of the real clusters."""
SIDES = [("R", "Right"), ("L", "Left")]
DIRECTIONS = [("CC", "CC"), ("MLO", "MLO")]
LESION_RULES = [
    ("prefer_free", "Lesion-free; where there is none, with lesions kept clear"),
    ("free", "Lesion-free only"),
    ("any", "All; lesions and 10 mm around them are kept clear"),
]
PREFIX = "set-"


def drawn_seed() -> int:
    """A fresh seed, short enough to be read out."""
    return secrets.randbelow(1_000_000)


class VersionField(forms.ModelChoiceField):
    """Frozen dataset versions."""

    def label_from_instance(self, obj: Any) -> str:
        """Name, number and the first letters of the hash."""
        return f"{obj}, {obj.content_hash[:8]}"


class NamesField(forms.CharField):
    """Names with commas or spaces between them."""

    def clean(self, value: Any) -> tuple[str, ...]:
        """The names in the order given."""
        return tuple(dict.fromkeys(str(super().clean(value)).replace(",", " ").replace(";", " ").split()))


class SimulationForm(forms.Form):
    """Everything but the settings."""

    use_required_attribute = False

    version = VersionField(
        queryset=DatasetVersion.objects.none(),
        label="Dataset version",
        empty_label=None,
        error_messages={
            "required": "Choose a frozen dataset version.",
            "invalid_choice": "This version is not frozen, or not of this project.",
        },
    )
    sites = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple, label="Sites")
    vendors = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple, label="Vendors")
    densities = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple, label="Density")
    lateralities = forms.MultipleChoiceField(
        required=False, widget=forms.CheckboxSelectMultiple, choices=SIDES, label="Side"
    )
    positions = forms.MultipleChoiceField(
        required=False, widget=forms.CheckboxSelectMultiple, choices=DIRECTIONS, label="Views"
    )
    lesions = forms.ChoiceField(choices=LESION_RULES, label="Breasts with a lesion")
    without = NamesField(
        required=False, max_length=4000, label="Patients left out", help_text="Pseudonyms with commas between them."
    )
    amount = forms.ChoiceField(
        choices=[("ratio", "Share of the real clusters"), ("count", "Number of cases")],
        widget=forms.RadioSelect,
        label="Amount",
    )
    ratio_malignant = forms.FloatField(
        required=False, min_value=0, max_value=LARGEST_RATIO, label="Malignant, share of real clusters"
    )
    ratio_benign = forms.FloatField(
        required=False, min_value=0, max_value=LARGEST_RATIO, label="Benign, share of real clusters"
    )
    wanted_malignant = forms.IntegerField(required=False, min_value=0, max_value=MAXIMUM_CASES, label="Malignant cases")
    wanted_benign = forms.IntegerField(required=False, min_value=0, max_value=MAXIMUM_CASES, label="Benign cases")
    seed = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=LARGEST_SEED,
        help_text="Decides hosts, places and clusters. Empty: one is drawn.",
    )
    preset = forms.ChoiceField(widget=forms.RadioSelect)

    def __init__(self, *args: Any, versions: Any, breasts: list[HostBreast], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        from simulation.presets import presets  # with SciPy behind it

        cast(forms.ModelChoiceField, self.fields["version"]).queryset = versions
        for name, attribute in (("sites", "site"), ("vendors", "vendor"), ("densities", "density")):
            found = sorted({getattr(breast, attribute) for breast in breasts} - {""})
            cast(forms.MultipleChoiceField, self.fields[name]).choices = [(value, value) for value in found]
        cast(forms.ChoiceField, self.fields["preset"]).choices = [
            (name, preset.title) for name, preset in presets().items()
        ]
        self.pseudonyms = {breast.pseudonym for breast in breasts}

    def clean_without(self) -> tuple[str, ...]:
        """Names of training patients only: a misspelt one would silently stay in."""
        names: tuple[str, ...] = self.cleaned_data["without"]
        unknown = [name for name in names if name not in self.pseudonyms]
        if unknown:
            raise forms.ValidationError(
                f"No training patient of this version is called {', '.join(unknown[:5])}: correct or remove the name."
            )
        return names

    def clean(self) -> dict[str, Any]:
        """An amount of the chosen kind."""
        cleaned = super().clean() or {}
        kind = cleaned.get("amount")
        pair = ("ratio_malignant", "ratio_benign") if kind == "ratio" else ("wanted_malignant", "wanted_benign")
        if kind and not any(name in self.errors for name in pair) and not any(cleaned.get(name) for name in pair):
            self.add_error(pair[0], "Ask for at least one case.")
        return cleaned

    def hosts(self) -> HostFilter:
        """The filter; fields that are not valid yet leave everything in."""
        given = getattr(self, "cleaned_data", {})
        lists = {name: tuple(given.get(name) or ()) for name in ("sites", "vendors", "densities", "without")}
        return HostFilter(
            **lists,
            lateralities=tuple(given.get("lateralities") or ()),
            positions=tuple(given.get("positions") or ()),
            lesions=given.get("lesions") or "prefer_free",
        )


class SettingsForm(forms.Form):
    """One field for each setting, from what the settings say of themselves."""

    use_required_attribute = False

    def __init__(self, *args: Any, compared: dict[str, Any], **kwargs: Any) -> None:
        """`compared` holds the values that differing ones are marked against."""
        super().__init__(*args, **kwargs)
        from simulation.settings import describe

        self.schema = describe()
        self.compared = compared
        for entry in self.schema:
            self.fields[PREFIX + entry["name"]] = _field(entry)

    def clean(self) -> dict[str, Any]:
        """Check the settings together, the problem at its field."""
        cleaned = super().clean() or {}
        if not self.errors:
            from simulation.errors import InvalidSettings

            try:
                self.values()
            except InvalidSettings as error:
                named = [entry["name"] for entry in self.schema if entry["name"] in str(error)]
                field = PREFIX + named[0] if named else None
                self.add_error(field, f"{str(error)[0].upper()}{str(error)[1:]}.")
        return cleaned

    def values(self) -> SimulationSettings:
        """The settings of a valid form."""
        from simulation.settings import SimulationSettings

        return SimulationSettings(
            **{entry["name"]: _value(entry, self.cleaned_data[PREFIX + entry["name"]]) for entry in self.schema}
        )

    def groups(self) -> list[dict[str, Any]]:
        """Rows of bound fields by group, "More" last; `changed` counts those unlike what they are compared with."""
        grouped: dict[str, list[dict[str, Any]]] = {name: [] for name in (*setting_fields.GROUPS, setting_fields.MORE)}
        for entry in self.schema:
            words = setting_fields.words_of(entry["name"])
            bound = self[PREFIX + entry["name"]]
            preset = setting_fields.shown(self.compared.get(entry["name"], entry["default"]))
            if entry["kind"] == "boolean":
                preset = self.compared.get(entry["name"], entry["default"])
            grouped[words.group].append(
                {
                    "bound": bound,
                    "help": " ".join(filter(None, (words.help, setting_fields.limits_in_words(entry)))),
                    "unit": words.unit,
                    "preset": preset,
                    "changed": not _same(bound.value(), preset),
                }
            )
        return [
            {
                "name": name,
                "rows": rows,
                "changed": sum(row["changed"] for row in rows),
                "open": any(row["changed"] or row["bound"].errors for row in rows),
            }
            for name, rows in grouped.items()
            if rows
        ]


def initial_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """Values for the fields of `SettingsForm`."""
    return {
        PREFIX + name: value if isinstance(value, bool) else setting_fields.shown(value)
        for name, value in settings.items()
        if name != "schema"
    }


def _field(entry: dict[str, Any]) -> forms.Field:
    label = setting_fields.words_of(entry["name"]).label
    if entry["kind"] == "boolean":
        return forms.BooleanField(label=label, required=False)
    if entry["kind"] == "choice":
        return forms.ChoiceField(label=label, choices=[(value, value) for value in entry["choices"]])
    if entry["kind"] == "integer":
        return forms.IntegerField(label=label, min_value=entry["minimum"], max_value=entry["maximum"])
    if entry["kind"] == "number":
        return forms.FloatField(
            label=label,
            min_value=entry["minimum"],
            max_value=entry["maximum"],
            widget=forms.NumberInput(attrs={"step": "any"}),
        )
    return forms.CharField(label=label, required=False, max_length=200)


def _value(entry: dict[str, Any], cleaned: Any) -> Any:
    if entry["kind"] == "text":
        return entry["default"] if cleaned in ("", setting_fields.shown(entry["default"])) else cleaned
    return cleaned


def _same(value: Any, preset: Any) -> bool:
    if isinstance(preset, bool):
        return bool(value) == preset
    if str(value) == str(preset):
        return True
    try:
        return float(value) == float(preset)
    except (TypeError, ValueError):
        return False


class SimulationForms:
    """The two forms of the page, fresh or from what a browser sent."""

    def __init__(self, *, user: User, project: Project, data: QueryDict | None = None, version: str = "") -> None:
        from simulation.presets import presets
        from webapp.simulations.hosts import host_breasts

        self.versions = (
            datasets.versions_of(user, project).filter(state=DatasetVersion.State.FROZEN).order_by("-frozen_at")
        )
        self.version = self._chosen(str(data.get("version", version)) if data is not None else version)
        self.breasts = host_breasts(self.version) if self.version is not None else []
        known = presets()
        name = data.get("preset", "") if data is not None else ""
        self.preset = known.get(name) or next(iter(known.values()))
        preset_values = asdict(self.preset.settings())
        self.form = SimulationForm(
            data,
            versions=self.versions,
            breasts=self.breasts,
            initial={
                "version": self.version.pk if self.version else None,
                "lesions": "prefer_free",
                "amount": "ratio",
                "ratio_malignant": "100",
                "ratio_benign": "100",
                "seed": drawn_seed(),
                "preset": self.preset.name,
            },
        )
        self.settings = SettingsForm(
            _settings_data(data, preset_values) if data is not None else None,
            compared=preset_values,
            initial=initial_settings(preset_values),
        )

    def _chosen(self, key: str) -> DatasetVersion | None:
        if key.isascii() and key.isdigit() and len(key) < 18:
            return self.versions.filter(pk=int(key)).first()
        return self.versions.first() if not key else None

    def is_valid(self) -> bool:
        """Whether both parts are; both are checked, so that all errors show at once."""
        return all([self.form.is_valid(), self.settings.is_valid()])

    def refuse(self, error: UserError) -> None:
        """Show what a service refused, at the field it names."""
        field = {"hosts": "lesions"}.get(error.field or "", error.field)
        self.form.add_error(field if field in self.form.fields else None, str(error))

    def summary(self) -> list[dict[str, str]]:
        """Every error with its field, for the top of the page."""
        entries = []
        for form in (self.form, self.settings):
            for name, messages in form.errors.items():
                known = name in form.fields
                entries += [
                    {
                        "target": form[name].id_for_label or form[name].auto_id if known else "",
                        "label": str(form[name].label) if known else "",
                        "message": str(message),
                    }
                    for message in messages
                ]
        return entries


def _settings_data(data: QueryDict, preset_values: dict[str, Any]) -> QueryDict | dict[str, Any]:
    """What was sent; where another preset was chosen than the settings were drawn for, settings that differed keep
    their values and all others follow the new preset."""
    from simulation.presets import presets

    drawn_for = presets().get(data.get("preset_shown", ""))
    if drawn_for is None or drawn_for.name == data.get("preset"):
        return data
    before = initial_settings(asdict(drawn_for.settings()))
    merged: dict[str, Any] = {}
    for name, value in initial_settings(preset_values).items():
        sent: Any = data.get(name, "")
        if isinstance(value, bool):
            sent = name in data
        chosen = value if _same(sent, before.get(name)) else sent
        if chosen is not False:
            merged[name] = chosen
    return merged
