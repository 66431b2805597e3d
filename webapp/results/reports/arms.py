"""The arms: recipe, synthetic data, training, and what it ran on."""

from __future__ import annotations

from typing import Any

from detection.configuration import ConfigurationError, MaskRCNNConfiguration
from detection.preset import Difference, differences, presets
from webapp.core.templatetags.cemlab import count
from webapp.experiments.models import Arm, Run
from webapp.results import selectors
from webapp.results.reports.basis import Basis
from webapp.results.reports.content import Block, Facts, Heading, Section, Table, Text
from webapp.results.reports.words import moment

DRAWN_FROM = {"clusters": "simulated clusters", "control": "insert-off control, nothing inserted"}


def arms(basis: Basis) -> Section:
    """One part an arm, then every run, then code and environment."""
    blocks: list[Block] = []
    for arm in basis.arms:
        blocks += [Heading(f"Arm {arm.position + 1}: {arm.name}"), Facts(tuple(_recipe(arm)))]
    kept = basis.experiment.reproducibility
    environment = kept.get("environment") or {}
    blocks += [
        Heading("Runs"),
        _runs(basis),
        Heading("Code and environment"),
        Facts(
            (
                ("Code", f"commit {kept['commit']}" if kept.get("commit") else "not in a repository"),
                ("Source hash", str(kept.get("source_hash") or "not recorded")),
                ("Data hash", str(kept.get("data_hash") or "not recorded")),
                ("Device", basis.experiment.device),
                ("Environment", ", ".join(f"{name} {value}" for name, value in environment.items()) or "not recorded"),
            )
        ),
    ]
    if basis.experiment.control_batch_id:
        blocks.append(
            Text("An insert-off control has the same hosts, places and outlines as its arm, with nothing inserted.")
        )
    return Section("Arms and runs", tuple(blocks))


def _recipe(arm: Arm) -> list[tuple[str, str]]:
    return [
        ("Detector", f"{arm.family}, preset {arm.preset}"),
        ("Differs from the preset", _changes(arm)),
        ("Synthetic ratio", _ratio(arm)),
        ("Synthetic cases", _synthetic(arm)),
        ("Seeds", ", ".join(str(run.seed) for run in arm.runs.all())),
    ]


def _ratio(arm: Arm) -> str:
    if not arm.ratio_benign and not arm.ratio_malignant:
        return "none: real data alone"
    return f"{selectors.ratio_words(arm)}, {DRAWN_FROM[arm.synthetic_source]}"


def _changes(arm: Arm) -> str:
    preset = presets().get(arm.preset)
    if preset is None:
        return "not known: this installation has no such preset"
    try:
        configuration = MaskRCNNConfiguration.from_values(arm.configuration["values"])
    except (ConfigurationError, KeyError):
        return "not known: the stored configuration is that of another version"
    changed = differences(preset, configuration)
    return (
        "; ".join(f"{one.label.lower()} {one.value}{_unit(one)} (preset {one.preset_value})" for one in changed)
        or "in nothing"
    )


def _unit(changed: Difference) -> str:
    """With a space; none where the label says it."""
    return f" {changed.unit}" if changed.unit and changed.unit != changed.label.lower() else ""


def _synthetic(arm: Arm) -> str:
    said = []
    for malignancy, number in arm.synthetic_record.items():
        lost = ", ".join(
            f"{number[why]} {words}"
            for why, words in (("rejected", "rejected"), ("unmade", "not made"))
            if number.get(why)
        )
        said.append(f"{malignancy} {number['used']} of {number['asked']} asked for" + (f" ({lost})" if lost else ""))
    return "; ".join(said) or ("not recorded" if arm.ratio_benign or arm.ratio_malignant else "none")


def _runs(basis: Basis) -> Table:
    return Table(
        (
            ("Arm", 0.2),
            ("Seed", 0.07),
            ("State", 0.1),
            ("Views trained on", 0.12),
            ("Steps", 0.1),
            ("Images shown", 0.12),
            ("Best epoch", 0.1),
            ("Ended", 0.22),
        ),
        tuple(
            (
                run.arm.name,
                str(run.seed),
                run.get_state_display().lower(),
                _number((run.record.get("training") or {}).get("views")),
                _amount(run, "steps"),
                _amount(run, "images"),
                _number(run.best_epoch),
                moment(run.ended),
            )
            for run in basis.runs
        ),
        basis.caption(
            "Every run",
            n=f"{len(basis.runs)} runs of {len(basis.arms)} arms",
            method="as the runs recorded themselves; steps and images over all attempts; the epoch is chosen on the "
            "validation views",
        ),
        frozenset({1, 3, 4, 5, 6}),
    )


def _amount(run: Run, what: str) -> str:
    """Of the training over all its attempts."""
    return _number((run.record.get("amount") or {}).get(what))


def _number(value: Any) -> str:
    return count(value) if isinstance(value, int) else "not recorded"
