"""What stands in the design form, as text, before anything is checked.

The page is drawn from it anew after each change (an arm more, another preset), so that what was typed stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from detection.configuration import MaskRCNNConfiguration
from detection.preset import presets
from webapp.experiments.models import Experiment

PLAIN_FIELDS = (
    "name",
    "hypothesis",
    "primary_endpoint",
    "version",
    "preset",
    "seeds",
    "device",
    "simulation",
    "simulation_seed",
)
PER_RUN = frozenset({"seed"})
"""Configuration fields that the form does not offer: each run sets its own."""
MOST_ARMS = 12
ARM_FIELDS = ("name", "malignant", "benign", "source")
FIRST_ARMS = (("Real only", "0"), ("Real + 100 %", "100"), ("Real + 200 %", "200"))


def setting_schema() -> list[dict[str, Any]]:
    """Fields of the configuration that a person may set, as `MaskRCNNConfiguration.schema` describes them."""
    return [entry for entry in MaskRCNNConfiguration.schema() if entry["name"] not in PER_RUN]


def setting_text(value: Any) -> str:
    """A configuration value as it stands in its field; ticked boxes are "on"."""
    if value is None or value is False:
        return ""
    if value is True:
        return "on"
    if isinstance(value, list | tuple):
        return ", ".join(f"{entry:g}" for entry in value)
    return str(value)


def preset_texts(name: str) -> dict[str, str]:
    """Every setting of a preset as text; the first preset where the name is unknown."""
    known = presets()
    preset = known.get(name) or next(iter(known.values()))
    values = preset.configuration.to_dict()["values"]
    return {entry["name"]: setting_text(values[entry["name"]]) for entry in setting_schema()}


@dataclass(frozen=True)
class ArmInput:
    """A row of the arms table; ratios in percent, an empty `benign` meaning "as malignant"."""

    name: str = ""
    malignant: str = ""
    benign: str = ""
    source: str = "clusters"


@dataclass(frozen=True)
class DesignInput:
    """The whole form.

    Attributes
    ----------
    values : dict
        Text by name, for `PLAIN_FIELDS`.
    settings : dict
        Text by name, for every setting.
    copied_from : int or None
        Number of the experiment it was copied from.
    """

    values: dict[str, str]
    arms: tuple[ArmInput, ...]
    settings: dict[str, str]
    copied_from: int | None = None

    @classmethod
    def fresh(cls, *, version: str, device: str) -> DesignInput:
        """A new design: the first preset, three arms, one seed."""
        preset = next(iter(presets()))
        values = dict.fromkeys(PLAIN_FIELDS, "") | {
            "version": version,
            "device": device,
            "preset": preset,
            "seeds": "0",
            "simulation_seed": "0",
            "primary_endpoint": "sensitivity:malignant_cluster:internal_test",
        }
        arms = tuple(ArmInput(name, ratio) for name, ratio in FIRST_ARMS)
        return cls(values, arms, preset_texts(preset))

    @classmethod
    def of_experiment(cls, experiment: Experiment) -> DesignInput:
        """The design of an experiment, to be changed into the next one; preset and settings are those of its
        first arm."""
        arms = list(experiment.arms.order_by("position"))
        values = dict.fromkeys(PLAIN_FIELDS, "") | {
            "name": experiment.name,
            "hypothesis": experiment.hypothesis,
            "primary_endpoint": experiment.primary_endpoint,
            "version": str(experiment.version_id),
            "preset": arms[0].preset if arms else next(iter(presets())),
            "seeds": ", ".join(str(seed) for seed in experiment.seeds),
            "device": experiment.device,
            "simulation_seed": str(experiment.batch.seed) if experiment.batch else "0",
        }
        stored = arms[0].configuration["values"] if arms else {}
        settings = preset_texts(values["preset"]) | {
            entry["name"]: setting_text(stored[entry["name"]]) for entry in setting_schema() if entry["name"] in stored
        }
        rows = tuple(
            ArmInput(
                arm.name,
                f"{100 * arm.ratio_malignant:g}",
                "" if arm.ratio_benign == arm.ratio_malignant else f"{100 * arm.ratio_benign:g}",
                arm.synthetic_source,
            )
            for arm in arms
        )
        return cls(values, rows, settings, experiment.number)

    @classmethod
    def posted(cls, data: Mapping[str, str]) -> DesignInput:
        """What a browser sent. Where another preset was chosen than the settings were drawn for, settings that
        differed keep their values and all others follow the new preset."""
        values = {name: data.get(name, "") for name in PLAIN_FIELDS}
        count = data.get("arms-TOTAL_FORMS", "0")
        rows = min(int(count), MOST_ARMS) if count.isascii() and count.isdigit() and len(count) < 4 else 0
        arms = tuple(
            ArmInput(
                data.get(f"arms-{row}-name", ""),
                data.get(f"arms-{row}-malignant", ""),
                data.get(f"arms-{row}-benign", ""),
                data.get(f"arms-{row}-source", "clusters"),
            )
            for row in range(rows)
        )
        settings = {entry["name"]: data.get(f"set-{entry['name']}", "") for entry in setting_schema()}
        drawn_for = data.get("preset_shown", "")
        if drawn_for in presets() and drawn_for != values["preset"]:
            before = preset_texts(drawn_for)
            changed = {name: text for name, text in settings.items() if text.strip() != before[name]}
            settings = preset_texts(values["preset"]) | changed
        number = data.get("copied_from", "")
        copied = int(number) if number.isascii() and number.isdigit() and len(number) < 10 else None
        return cls(values, arms, settings, copied)

    def changed(self, change: str) -> DesignInput:
        """After a button of the page: ``add-arm``, ``copy-arm-<row>``, ``remove-arm-<row>``, ``reset``,
        ``reset-<setting>``; anything else changes nothing."""
        verb, _, rest = change.partition("-")
        if change == "add-arm":
            return self._with_arms((*self.arms, ArmInput(self._free_name(f"Arm {len(self.arms) + 1}"))))
        if verb in {"copy", "remove"} and rest.startswith("arm-"):
            text = rest.removeprefix("arm-")
            row = int(text) if text.isascii() and text.isdigit() and len(text) < 4 else -1
            if not 0 <= row < len(self.arms):
                return self
            if verb == "remove":
                return self._with_arms(self.arms[:row] + self.arms[row + 1 :])
            copy = replace(self.arms[row], name=self._free_name(f"{self.arms[row].name} copy"))
            return self._with_arms((*self.arms[: row + 1], copy, *self.arms[row + 1 :]))
        if verb == "reset":
            original = preset_texts(self.values["preset"])
            fields = original if not rest else {name: original[name] for name in original if name == rest}
            return replace(self, settings=self.settings | fields)
        return self

    def _with_arms(self, arms: tuple[ArmInput, ...]) -> DesignInput:
        return replace(self, arms=arms[:MOST_ARMS])

    def _free_name(self, wanted: str) -> str:
        taken = {arm.name for arm in self.arms}
        name, number = wanted, 2
        while name in taken:
            name, number = f"{wanted} {number}", number + 1
        return name

    def as_data(self) -> dict[str, str]:
        """For binding forms; a box that is not ticked is absent, as browsers send it."""
        data = {**self.values, "arms-TOTAL_FORMS": str(len(self.arms)), "arms-INITIAL_FORMS": "0"}
        for row, arm in enumerate(self.arms):
            for name in ARM_FIELDS:
                data[f"arms-{row}-{name}"] = getattr(arm, name)
        data |= {f"set-{name}": text for name, text in self.settings.items() if text}
        return data


@dataclass(frozen=True)
class Difference:
    """A row of "Difference to experiment 7"."""

    label: str
    was: str
    now: str


@dataclass(frozen=True)
class Comparison:
    """Two designs side by side."""

    rows: list[Difference] = field(default_factory=list)
    same: int = 0


def compare(before: DesignInput, after: DesignInput, versions: Mapping[str, str]) -> Comparison:
    """What the second design changes; `versions` gives the words for dataset versions by key."""
    labels = {
        "hypothesis": "Hypothesis",
        "primary_endpoint": "Endpoint",
        "version": "Dataset",
        "preset": "Preset",
        "seeds": "Seeds",
        "device": "Device",
        "simulation": "Simulation",
        "simulation_seed": "Simulation seed",
    }
    pairs = [(label, before.values[name], after.values[name]) for name, label in labels.items()]
    pairs = [
        (label, versions.get(was, was), versions.get(now, now)) if label == "Dataset" else (label, was, now)
        for label, was, now in pairs
    ]
    pairs.insert(0, ("Arms", _arms_in_words(before), _arms_in_words(after)))
    for entry in setting_schema():
        pairs.append((entry["label"], before.settings[entry["name"]], after.settings[entry["name"]]))
    rows = [Difference(label, was or "none", now or "none") for label, was, now in pairs if was.strip() != now.strip()]
    return Comparison(rows, len(pairs) - len(rows))


def _arms_in_words(design: DesignInput) -> str:
    return ", ".join(
        f"{arm.name} ({f'{arm.benign} / ' if arm.benign else ''}{arm.malignant} %"
        f"{', control' if arm.source == 'control' else ''})"
        for arm in design.arms
    )
