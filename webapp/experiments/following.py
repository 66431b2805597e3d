"""What a training tells while it runs, written where pages can read it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from detection.detector import Measure
from detection.findings_file import read_findings
from webapp.experiments import sample_sets, services
from webapp.experiments.models import Run
from webapp.jobs.context import JobContext

TRAINING_SHARE = 0.9
"""Share of the progress bar that belongs to training."""
CURVES = ("training_loss", "validation_loss", "learning_rate")
"""Numbers of an epoch that are kept as curves."""
PACE = ("images_per_second", "loading_share")
"""Numbers of the last steps that are kept with the epoch they end."""
MEMORY = ("memory_bytes",)
"""Most memory used so far, of the GPU or, on a processor, of the process; the most of several."""


class Follower:
    """Receives the events of a training in `folder` (docs/detection.md) and stores what the page of the run shows."""

    def __init__(self, run: Run, context: JobContext, folder: Path) -> None:
        self._run = run
        self._context = context
        self._folder = folder
        self._pace: dict[str, float] = {}

    def __call__(self, event: Mapping[str, Any]) -> None:
        """One event."""
        kind, message = event.get("event"), str(event.get("message") or "")
        if kind == "step":
            self._step(event)
        elif kind == "epoch":
            self._epoch(event)
        elif kind == "sample":
            self._samples(event, message)
        elif message:
            self._context.log(message)

    def _step(self, event: Mapping[str, Any]) -> None:
        epoch, epochs = event.get("epoch") or 0, event.get("epochs") or 1
        step, steps = event.get("step") or 0, event.get("steps") or 1
        self._pace = _numbers(event, PACE)
        share = ((epoch - 1) + step / steps) / epochs
        speed = self._pace.get("images_per_second")
        pace = f", {speed:.3g} images/s" if speed is not None else ""
        loss = _numbers(event, CURVES).get("training_loss")
        told = f", loss of this step {loss:.3g}" if loss is not None else ""
        self._context.progress(max(share, 0.0) * TRAINING_SHARE, f"epoch {epoch} of {epochs}{pace}{told}")

    def _epoch(self, event: Mapping[str, Any]) -> None:
        epoch, epochs = event.get("epoch") or 0, event.get("epochs") or 1
        curves = _numbers(event, CURVES)
        measures = {name: Measure(**given) for name, given in (event.get("measures") or {}).items()}
        metrics = curves | self._pace | _numbers(event, MEMORY)
        attempt = self._context.job.attempt
        with self._context.atomic():
            services.record_metrics(run=self._run, epoch=epoch, metrics=metrics, attempt=attempt)
            services.record_measures(run=self._run, epoch=epoch, measures=measures, attempt=attempt)
        told = [f"{_words(name)} {value:.4g}" for name, value in sorted(curves.items())]
        told += [
            f"{_words(name)} {measure.reason if measure.value is None else f'{measure.value:.4g}'}"
            for name, measure in measures.items()
        ]
        self._context.log(f"epoch {epoch} of {epochs}: {', '.join(told)}")
        self._context.progress(epoch / epochs * TRAINING_SHARE, f"epoch {epoch} of {epochs}")

    def _samples(self, event: Mapping[str, Any], message: str) -> None:
        found = read_findings(self._folder / message)
        with self._context.atomic():
            services.record_samples(
                run=self._run,
                epoch=event["epoch"],
                findings={sample_sets.view_id(sample): findings for sample, findings in found.items()},
            )


def _words(name: str) -> str:
    return name.replace("_", " ")


def _numbers(event: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, float]:
    given = event.get("metrics") or {}
    return {name: float(given[name]) for name in names if isinstance(given.get(name), int | float)}
