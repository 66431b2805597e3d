"""Whether the arms of an experiment were trained for equally long."""

from __future__ import annotations

from webapp.core.templatetags.cemlab import count
from webapp.experiments.models import Experiment


def unequal_steps(experiment: Experiment) -> str:
    """How many steps each arm was trained for, in words; empty where all are equal or none is recorded."""
    by_arm: dict[str, list[int]] = {}
    for arm in experiment.arms.all():
        steps = {amount["steps"] for run in arm.runs.all() if (amount := run.record.get("amount"))}
        if steps:
            by_arm[arm.name] = sorted(steps)
    if len({tuple(steps) for steps in by_arm.values()}) < 2:
        return ""
    told = "; ".join(f"{name}: {' or '.join(count(one) for one in steps)}" for name, steps in by_arm.items())
    return (
        f"Arms were trained for different numbers of steps ({told}). A difference between them may come from that. "
        "With “a fixed number of steps” as length of the training they are equal."
    )
