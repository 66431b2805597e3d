"""What the database refuses about experiments: changed designs, a second launch, sample views outside validation."""

from __future__ import annotations

from webapp.core.guards import Event, Guard

DESIGN = (
    "project_id",
    "number",
    "name",
    "hypothesis",
    "primary_endpoint",
    "comparison",
    "margin",
    "version_id",
    "protocol",
    "seeds",
    "device",
    "simulation_seed",
    "state",
    "frozen_at",
)
"""Columns of an experiment that are fixed when it is frozen."""
ONCE = ("batch_id", "control_batch_id", "launched_at")
"""Columns that are written at the launch and then stay."""
ARM_DESIGN = (
    "experiment_id",
    "position",
    "name",
    "family",
    "preset",
    "configuration",
    "ratio_benign",
    "ratio_malignant",
    "synthetic_source",
)
"""Columns of an arm that belong to the design; what training says about it is written later."""
FROZEN = "a frozen design cannot change"


def _changed(columns: tuple[str, ...]) -> str:
    return " OR ".join(f"OLD.{name} IS DISTINCT FROM NEW.{name}" for name in columns)


def _of_frozen(row: str) -> str:
    return f"EXISTS (SELECT 1 FROM experiments_experiment x WHERE x.id = {row}.experiment_id AND x.state = 'frozen')"


def guards() -> list[Guard]:
    """Every guard of this app."""
    rewritten = " OR ".join(f"(OLD.{name} IS NOT NULL AND OLD.{name} IS DISTINCT FROM NEW.{name})" for name in ONCE)
    of_validation = (
        "EXISTS (SELECT 1 FROM experiments_run r JOIN experiments_arm a ON a.id = r.arm_id "
        "JOIN experiments_experiment x ON x.id = a.experiment_id "
        "JOIN datasets_versionview v ON v.version_id = x.version_id "
        "WHERE r.id = NEW.run_id AND v.view_id = NEW.view_id AND v.split = 'validation')"
    )
    events: tuple[tuple[Event, str], ...] = (("INSERT", "NEW"), ("DELETE", "OLD"))
    return [
        Guard(
            name="experiments_design_frozen",
            table="experiments_experiment",
            event="UPDATE",
            condition=f"OLD.state = 'frozen' AND ({_changed(DESIGN)})",
            message=FROZEN,
        ),
        Guard(
            name="experiments_launched_once",
            table="experiments_experiment",
            event="UPDATE",
            condition=f"{rewritten} OR (OLD.launched_at IS NOT NULL AND {_changed(('reproducibility',))})",
            message="an experiment is launched once, and its record stays",
        ),
        Guard(
            name="experiments_arm_frozen",
            table="experiments_arm",
            event="UPDATE",
            condition=f"{_of_frozen('OLD')} AND ({_changed(ARM_DESIGN)})",
            message=FROZEN,
        ),
        *(
            Guard(
                name=f"experiments_arm_frozen_{event.lower()}",
                table="experiments_arm",
                event=event,
                condition=_of_frozen(row),
                message=FROZEN,
            )
            for event, row in events
        ),
        Guard(
            name="experiments_sample_of_validation",
            table="experiments_runsample",
            event="INSERT",
            condition=f"NOT {of_validation}",
            message="sample predictions show validation views only",
        ),
    ]
