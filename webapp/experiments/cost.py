"""How long a design would take, from earlier runs of the project; nothing is guessed without one."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from webapp.accounts.models import Project
from webapp.experiments.models import Run, RunState

RECENT = 5
"""Earlier runs looked at, newest first."""


@dataclass(frozen=True)
class Pace:
    """What one run took: seconds a training view and pass, and seconds a step (medians over `runs`)."""

    view_pass: float
    step: float
    runs: int


def pace(project: Project, preset: str, device: str) -> Pace | None:
    """Pace of completed, uninterrupted runs with the preset on the device; None where there is none."""
    found = Run.objects.filter(
        arm__experiment__project=project,
        arm__experiment__device=device,
        arm__preset=preset,
        state=RunState.DONE,
        started__isnull=False,
        ended__isnull=False,
        record__attempts=1,
    ).order_by("-ended")[:RECENT]
    measured = []
    for run in found:
        amount, views = run.record.get("amount"), run.record.get("training", {}).get("views")
        if amount and views and run.started and run.ended:
            seconds = (run.ended - run.started).total_seconds()
            measured.append((seconds / (views * amount["passes"]), seconds / amount["steps"]))
    if not measured:
        return None
    return Pace(median(one for one, _ in measured), median(one for _, one in measured), len(measured))


def seconds(settings: dict[str, str], views: int, known: Pace | None) -> float | None:
    """Estimate of one run with these settings (as text) on so many training views; None where it cannot be read."""
    if known is None:
        return None
    name = "steps" if settings["length"] == "steps" else "epochs"
    text = settings[name].strip()
    if not (text.isascii() and text.isdigit()):
        return None
    return int(text) * (known.step if name == "steps" else views * known.view_pass)
