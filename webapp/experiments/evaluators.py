"""Where higher apps evaluate a run before it counts as done."""

from __future__ import annotations

from collections.abc import Callable

from detection.finding import Finding
from detection.sample_set import SampleSet
from webapp.core.registry import Registry
from webapp.experiments.models import Run

Findings = dict[str, dict[str, list[Finding]]]
Evaluator = Callable[[Run, dict[str, SampleSet], Findings], Callable[[], None]]
"""`evaluate(run, sample sets by split, findings by split and sample id)` computes and returns a function that
writes; the writing happens in the transaction that completes the run."""

evaluators: Registry[Evaluator] = Registry("evaluators of runs")
