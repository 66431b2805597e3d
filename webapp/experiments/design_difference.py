"""What differs between two designs, row by row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from detection.preset import presets
from webapp.core.errors import UserError
from webapp.experiments import reproducibility
from webapp.experiments.design import ENDPOINTS
from webapp.experiments.design_input import DesignInput, setting_schema
from webapp.experiments.models import Experiment
from webapp.experiments.protocol_form import LABELS as PROTOCOL
from webapp.experiments.protocol_form import words_of

NOTHING = "none"
EARLIER = 50
"""Experiments offered to copy from and to compare with."""


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


def compare(
    before: DesignInput,
    after: DesignInput,
    versions: Mapping[str, str],
    simulations: Mapping[str, str],
    *further: tuple[str, str, str],
) -> Comparison:
    """What the second design changes.

    Parameters
    ----------
    versions, simulations : mapping
        Words for dataset versions and for simulations by key.
    further : tuple of (label, was, now)
        What is not in the form, such as the code version.
    """
    pairs = [("Arms", _arms_in_words(before), _arms_in_words(after))]
    pairs += [
        ("Hypothesis", before.values["hypothesis"], after.values["hypothesis"]),
        ("Endpoint", _endpoint_in_words(before), _endpoint_in_words(after)),
        ("Comparison", _comparison_in_words(before), _comparison_in_words(after)),
        ("Margin", before.values["margin"] or "superiority", after.values["margin"] or "superiority"),
        ("Dataset", _version_in_words(before, versions), _version_in_words(after, versions)),
        ("Preset", _preset_in_words(before), _preset_in_words(after)),
        ("Seeds", before.values["seeds"], after.values["seeds"]),
        ("Device", before.values["device"], after.values["device"]),
        ("Simulation", _simulation_in_words(before, simulations), _simulation_in_words(after, simulations)),
        ("Simulation seed", before.values["simulation_seed"], after.values["simulation_seed"]),
    ]
    for entry in setting_schema():
        pairs.append(
            (entry["label"], _setting_in_words(before, entry["name"]), _setting_in_words(after, entry["name"]))
        )
    for name, label in PROTOCOL.items():
        was, now = (words_of(name, one.protocol[name]) for one in (before, after))
        pairs.append((f"Protocol: {label}", was, now))
    pairs += further
    rows = [
        Difference(label, was or NOTHING, now or NOTHING) for label, was, now in pairs if was.strip() != now.strip()
    ]
    return Comparison(rows, len(pairs) - len(rows))


def with_experiment(
    earlier: Experiment,
    after: DesignInput,
    versions: Mapping[str, str],
    simulations: Mapping[str, str],
) -> Comparison:
    """A design beside an earlier experiment, with code version and environment as they are now."""
    try:
        code, environment = reproducibility.code_version(), reproducibility.environment()
    except UserError:  # what is to be done before the start says it
        code, environment = ("", ""), {}
    kept = earlier.reproducibility
    was = (kept.get("commit", ""), kept.get("source_hash", ""))
    same_sources = bool(was[1]) and was[1] == code[1]
    return compare(
        DesignInput.of_experiment(earlier),
        after,
        versions,
        simulations,
        # another commit with the same sources computes the same
        ("Code version", *(("same", "same") if same_sources else (_code_in_words(was), _code_in_words(code)))),
        ("Environment", *_environments_in_words(kept.get("environment"), environment)),
    )


def _code_in_words(code: tuple[str, str]) -> str:
    commit, sources = code
    if not sources:
        return "not launched"
    return f"{commit[:8] or 'no repository'}, source {sources[:12]}"


def _endpoint_in_words(design: DesignInput) -> str:
    return ENDPOINTS.get(design.values["primary_endpoint"], "")


def _environments_in_words(was: Mapping[str, str] | None, now: Mapping[str, str]) -> tuple[str, str]:
    """Packages whose versions differ; those of a design that was not launched are not known."""
    if not was:
        return "not launched", _packages_in_words(now, list(now))
    differing = sorted(name for name in {*was, *now} if was.get(name) != now.get(name))
    return _packages_in_words(was, differing), _packages_in_words(now, differing)


def _packages_in_words(versions: Mapping[str, str], names: list[str]) -> str:
    return ", ".join(f"{name} {versions.get(name, NOTHING)}" for name in names)


def _version_in_words(design: DesignInput, versions: Mapping[str, str]) -> str:
    return versions.get(design.values["version"], design.values["version"])


def _simulation_in_words(design: DesignInput, simulations: Mapping[str, str]) -> str:
    chosen = design.values["simulation"]
    return simulations.get(chosen, chosen) or "a new one"


def _arms_in_words(design: DesignInput) -> str:
    return ", ".join(
        f"{arm.name} ({f'{arm.benign} / ' if arm.benign else ''}{arm.malignant} %"
        f"{', control' if arm.source == 'control' else ''})"
        for arm in design.arms
    )


def _comparison_in_words(design: DesignInput) -> str:
    rows = (design.values["comparison_arm"], design.values["comparison_reference"])
    names = [design.arms[int(row)].name for row in rows if row.isdigit() and int(row) < len(design.arms)]
    return " against ".join(names) if len(design.arms) > 1 and len(names) == 2 else ""


def _by_arm(values: list[str]) -> str:
    """One value where all arms share it, otherwise each with the number of its arm."""
    if len(set(values)) == 1:
        return values[0]
    return "; ".join(f"arm {row}: {value or NOTHING}" for row, value in enumerate(values, start=1))


def _preset_in_words(design: DesignInput) -> str:
    known = presets()
    names = [design.arm_preset(arm) for arm in design.arms] or [design.values["preset"]]
    return _by_arm([known[name].title if name in known else name for name in names])


def _setting_in_words(design: DesignInput, name: str) -> str:
    return _by_arm([design.arm_settings(arm)[name].strip() for arm in design.arms] or [design.settings[name].strip()])
