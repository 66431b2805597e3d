"""Evaluating runs and counting looks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from django.db import transaction

from detection.evaluation.images import evaluated_images
from detection.evaluation.protocol import Protocol
from detection.finding import Finding
from detection.sample_set import SampleSet
from webapp.accounts.models import User
from webapp.core import audit
from webapp.core.errors import UserError
from webapp.datasets.models import Split
from webapp.experiments import selectors as experiments
from webapp.experiments.evaluators import Findings
from webapp.experiments.models import Experiment, Run
from webapp.results import selectors
from webapp.results.models import Evaluation, TestSetLook

if TYPE_CHECKING:
    from detection.evaluation.test_set import TestSetResult

TEST_SETS = (Split.INTERNAL_TEST, Split.EXTERNAL_TEST)


def evaluate_run(run: Run, sets: dict[str, SampleSet], findings: Findings) -> Callable[[], None]:
    """Evaluate a run on every test set that has views, by the experiment's protocol.

    Returns a function that stores the evaluations; called in the transaction that completes the run.
    """
    protocol = Protocol.from_json(run.arm.experiment.protocol)
    split_settings = run.arm.experiment.version.split_settings
    evaluations = []
    for test_set in TEST_SETS:
        samples = sets[test_set]
        if not samples.samples:
            continue
        if any(sample.origin == "synthetic" for sample in samples.samples):
            raise UserError("A synthetic view is in a test set: the run is not evaluated.")
        types_known = test_set != Split.EXTERNAL_TEST or split_settings.get("external_types_known", True)
        result = _evaluate(samples, findings[test_set], protocol, types_known=types_known)
        evaluations.append(
            Evaluation(
                run=run,
                test_set=test_set,
                protocol=protocol.to_json(),
                protocol_hash=protocol.digest(),
                inputs_hash=_inputs_hash(result, findings[test_set]),
                result=result.to_json(),
            )
        )

    def write() -> None:
        Evaluation.objects.bulk_create(evaluations)

    return write


def _evaluate(
    samples: SampleSet, findings: dict[str, list[Finding]], protocol: Protocol, *, types_known: bool
) -> TestSetResult:
    from detection.evaluation.errors import EvaluationError
    from detection.evaluation.test_set import evaluate

    try:
        return evaluate(evaluated_images(samples.samples, findings), protocol, groups_known=types_known)
    except EvaluationError as error:
        raise UserError(f"The run is not evaluated on the {samples.name.replace('_', ' ')}. {error}") from error


def _inputs_hash(result: TestSetResult, findings: dict[str, list[Finding]]) -> str:
    """SHA-256 over truth (by its digest), findings and protocol."""
    content = {
        "test_set": result.test_set_digest,
        "protocol": result.protocol.digest(),
        "findings": {sample: [asdict(finding) for finding in found] for sample, found in sorted(findings.items())},
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@transaction.atomic
def record_look(*, actor: User, experiment: Experiment, test_sets: list[str]) -> None:
    """Count that a person opened the results on test sets.

    Raises
    ------
    UserError
        While runs are still open: the test sets are locked until then.
    """
    if not experiments.all_runs_ended(experiment):
        raise UserError("The test sets are locked until every run has ended.")
    for test_set in test_sets:
        TestSetLook.objects.create(experiment=experiment, test_set=test_set, person=actor)
    audit.record(actor=actor, action="results.look", project=experiment.project, target=experiment, test_sets=test_sets)


@transaction.atomic
def record_part(*, actor: User, experiment: Experiment, part: str) -> None:
    """Write down that a person opened a further page of results, or moved the threshold on it.

    It belongs to the look that opened the results; who has not opened them yet is counted now.

    Raises
    ------
    UserError
        While runs are still open.
    """
    _count_first(actor, experiment)
    audit.record(actor=actor, action="results.part", project=experiment.project, target=experiment, part=part)


def _count_first(actor: User, experiment: Experiment) -> None:
    if not TestSetLook.objects.filter(experiment=experiment, person=actor).exists():
        record_look(actor=actor, experiment=experiment, test_sets=selectors.present_test_sets(experiment))


@transaction.atomic
def record_cases(*, actor: User, experiment: Experiment, evaluation: Evaluation, asked: dict[str, Any]) -> None:
    """Write down that a person opened the cases behind a number.

    Part of the look that opened the number; who has not opened the results yet is counted now.
    """
    _count_first(actor, experiment)
    audit.record(
        actor=actor,
        action="results.cases",
        project=experiment.project,
        target=experiment,
        run=evaluation.run_id,
        test_set=evaluation.test_set,
        group=asked["group"],
        measure=asked["measure"],
        outcome=asked["outcome"],
    )
