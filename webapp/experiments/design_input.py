"""What stands in the design form, as text, before anything is checked.

The page is drawn from it anew after each change (an arm more, another preset), so that what was typed stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from detection.configuration import MaskRCNNConfiguration
from detection.evaluation.protocol import Protocol
from detection.preset import presets
from webapp.experiments.models import Arm, Experiment
from webapp.experiments.protocol_form import protocol_texts

PLAIN_FIELDS = (
    "name",
    "hypothesis",
    "primary_endpoint",
    "comparison_arm",
    "comparison_reference",
    "margin",
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
ARM_FIELDS = ("name", "malignant", "benign", "source", "preset")
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


def settings_in_words(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(label, value with its unit) of a whole configuration, as the form calls them."""
    known = {entry["name"]: entry for entry in MaskRCNNConfiguration.schema()}
    return [(known[name]["label"], _in_words(known[name], value)) for name, value in values.items() if name in known]


def _in_words(entry: Mapping[str, Any], value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    chosen = next((one["label"] for one in entry["choices"] if one["value"] == value), None)
    if chosen is not None or value is None:
        return str(chosen or "none")
    text = setting_text(value) or "none"
    return f"{text} {entry['unit']}" if entry["unit"] and text != "none" else text


def preset_texts(name: str) -> dict[str, str]:
    """Every setting of a preset as text; the first preset where the name is unknown."""
    known = presets()
    preset = known.get(name) or next(iter(known.values()))
    values = preset.configuration.to_dict()["values"]
    return {entry["name"]: setting_text(values[entry["name"]]) for entry in setting_schema()}


@dataclass(frozen=True)
class ArmInput:
    """A row of the arms table; ratios in percent, an empty `benign` meaning "as malignant".

    Attributes
    ----------
    preset : str
        Empty for the training that all arms share.
    changes : dict
        Text by name, of the settings in which this arm differs from its preset or from the shared training.
    adding : str
        Setting chosen to become the next change.
    """

    name: str = ""
    malignant: str = ""
    benign: str = ""
    source: str = "clusters"
    preset: str = ""
    changes: Mapping[str, str] = field(default_factory=dict)
    adding: str = ""


@dataclass(frozen=True)
class DesignInput:
    """The whole form.

    Attributes
    ----------
    values : dict
        Text by name, for `PLAIN_FIELDS`.
    settings : dict
        Text by name, for every setting.
    protocol : dict
        Text by name, for the fields of `protocol_form.ProtocolForm`.
    copied_from : int or None
        Number of the experiment it was copied from.
    compared_with : int or None
        Number of the experiment whose design it is set beside.
    """

    values: dict[str, str]
    arms: tuple[ArmInput, ...]
    settings: dict[str, str]
    copied_from: int | None = None
    compared_with: int | None = None
    protocol: dict[str, str] = field(default_factory=lambda: protocol_texts(Protocol()))

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
            "comparison_arm": str(len(FIRST_ARMS) - 1),
            "comparison_reference": "0",
        }
        arms = tuple(ArmInput(name, ratio) for name, ratio in FIRST_ARMS)
        return cls(values, arms, preset_texts(preset))

    @classmethod
    def of_experiment(cls, experiment: Experiment) -> DesignInput:
        """The design of an experiment, to be changed into the next; the shared training is that of its first arm."""
        arms = list(experiment.arms.order_by("position"))
        compared = experiment.comparison or {"arm": len(arms) - 1, "reference": 0}
        values = dict.fromkeys(PLAIN_FIELDS, "") | {
            "name": experiment.name,
            "hypothesis": experiment.hypothesis,
            "primary_endpoint": experiment.primary_endpoint,
            "comparison_arm": str(compared["arm"]),
            "comparison_reference": str(compared["reference"]),
            "margin": "" if experiment.margin is None else f"{experiment.margin:g}",
            "version": str(experiment.version_id),
            "preset": arms[0].preset if arms else next(iter(presets())),
            "seeds": ", ".join(str(seed) for seed in experiment.seeds),
            "device": experiment.device,
            "simulation_seed": str(experiment.batch.seed if experiment.batch else experiment.simulation_seed),
        }
        settings = preset_texts(values["preset"])
        if arms:
            settings |= _stored_texts(arms[0])
        rows = []
        for arm in arms:
            own = arm.preset if arm.preset != values["preset"] else ""
            base = preset_texts(own) if own else settings
            rows.append(
                ArmInput(
                    arm.name,
                    f"{100 * arm.ratio_malignant:g}",
                    "" if arm.ratio_benign == arm.ratio_malignant else f"{100 * arm.ratio_benign:g}",
                    arm.synthetic_source,
                    own,
                    {name: text for name, text in _stored_texts(arm).items() if text != base[name]},
                )
            )
        protocol = protocol_texts(Protocol.from_json(experiment.protocol))
        return cls(values, tuple(rows), settings, experiment.number, experiment.number, protocol)

    @classmethod
    def posted(cls, data: Mapping[str, str]) -> DesignInput:
        """What a browser sent. Where another preset was chosen than the settings were drawn for, settings that
        differed keep their values and all others follow the new preset."""
        values = {name: data.get(name, "") for name in PLAIN_FIELDS}
        rows = min(_number(data.get("arms-TOTAL_FORMS", "")) or 0, MOST_ARMS)
        arms = tuple(_posted_arm(data, f"arms-{row}-") for row in range(rows))
        settings = {entry["name"]: data.get(f"set-{entry['name']}", "") for entry in setting_schema()}
        drawn_for = data.get("preset_shown", "")
        if drawn_for in presets() and drawn_for != values["preset"]:
            before = preset_texts(drawn_for)
            changed = {name: text for name, text in settings.items() if text.strip() != before[name]}
            settings = preset_texts(values["preset"]) | changed
        copied = _number(data.get("copied_from", ""))
        compared = _number(data["compared_with"]) if "compared_with" in data else copied
        default = protocol_texts(Protocol())
        protocol = {name: data.get(f"protocol-{name}", text) for name, text in default.items()}
        return cls(values, arms, settings, copied, compared, protocol)

    def arm_preset(self, arm: ArmInput) -> str:
        """Name of the preset an arm starts from."""
        return arm.preset if arm.preset in presets() else self.values["preset"]

    def arm_base(self, arm: ArmInput) -> dict[str, str]:
        """Every setting before the arm's own changes: its preset, or the training that all arms share."""
        return preset_texts(arm.preset) if arm.preset in presets() else self.settings

    def arm_settings(self, arm: ArmInput) -> dict[str, str]:
        """Every setting of an arm."""
        return self.arm_base(arm) | dict(arm.changes)

    def changed(self, change: str) -> DesignInput:
        """After a button of the page: ``add-arm``, ``copy-arm-<row>``, ``remove-arm-<row>``, ``add-setting-<row>``,
        ``drop-setting-<row>-<setting>``, ``reset``, ``reset-<setting>``; anything else changes nothing."""
        verb, _, rest = change.partition("-")
        if change == "add-arm":
            return self._with_arms((*self.arms, ArmInput(self._free_name(f"Arm {len(self.arms) + 1}"))))
        if verb == "reset":
            original = preset_texts(self.values["preset"])
            fields = original if not rest else {name: original[name] for name in original if name == rest}
            return replace(self, settings=self.settings | fields)
        what, _, rest = rest.partition("-")
        text, _, name = rest.partition("-")
        row = _number(text)
        if row is None or row >= len(self.arms):
            return self
        arm = self.arms[row]
        if (verb, what) == ("remove", "arm"):
            return self._without_arm(row)
        if (verb, what) == ("copy", "arm"):
            return self._with_copy(row)
        if (verb, what) == ("add", "setting") and arm.adding in self.settings and arm.adding not in arm.changes:
            return self._with_arm(
                row, replace(arm, changes={**arm.changes, arm.adding: self.arm_base(arm)[arm.adding]})
            )
        if (verb, what) == ("drop", "setting"):
            return self._with_arm(
                row, replace(arm, changes={key: value for key, value in arm.changes.items() if key != name})
            )
        return self

    def _with_arms(self, arms: tuple[ArmInput, ...], **compared: int) -> DesignInput:
        """Other rows; the comparison follows its arms to their new places."""
        values = self.values | {name: str(row) for name, row in compared.items()}
        return replace(self, arms=arms[:MOST_ARMS], values=values)

    def _with_arm(self, row: int, arm: ArmInput) -> DesignInput:
        return self._with_arms((*self.arms[:row], arm, *self.arms[row + 1 :]))

    def _with_copy(self, row: int) -> DesignInput:
        copy = replace(self.arms[row], name=self._free_name(f"{self.arms[row].name} copy"))
        arms = (*self.arms[: row + 1], copy, *self.arms[row + 1 :])
        return self._with_arms(arms, **{name: at + (at > row) for name, at in self._compared().items()})

    def _without_arm(self, row: int) -> DesignInput:
        arms = self.arms[:row] + self.arms[row + 1 :]
        instead = {"comparison_arm": len(arms) - 1, "comparison_reference": 0}
        compared = {name: instead[name] if at == row else at - (at > row) for name, at in self._compared().items()}
        return self._with_arms(arms, **compared)

    def _compared(self) -> dict[str, int]:
        rows = {name: _number(self.values[name]) for name in ("comparison_arm", "comparison_reference")}
        return {name: row for name, row in rows.items() if row is not None}

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
            data[f"arms-{row}-changes"] = ",".join(arm.changes)
            data |= {f"arms-{row}-set-{name}": text for name, text in arm.changes.items() if text}
        data |= {f"protocol-{name}": text for name, text in self.protocol.items()}
        data |= {f"set-{name}": text for name, text in self.settings.items() if text}
        return data


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _stored_texts(arm: Arm) -> dict[str, str]:
    """Settings of a stored arm as text; those that the configuration had not yet are left out."""
    stored = arm.configuration["values"]
    return {entry["name"]: setting_text(stored[entry["name"]]) for entry in setting_schema() if entry["name"] in stored}


def _posted_arm(data: Mapping[str, str], prefix: str) -> ArmInput:
    known = {entry["name"] for entry in setting_schema()}
    named = [name for name in data.get(f"{prefix}changes", "").split(",") if name in known]
    plain = {name: data.get(f"{prefix}{name}", "") for name in ("name", "malignant", "benign", "preset", "adding")}
    return ArmInput(
        **plain,
        source=data.get(f"{prefix}source", "clusters"),
        changes={name: data.get(f"{prefix}set-{name}", "") for name in named},
    )
