"""What a report rests on: the evaluations, who stands behind them by hash, and the words of every caption."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.conf import settings

from detection.evaluation.protocol import Protocol
from webapp.core.templatetags.cemlab import count
from webapp.experiments.models import Arm, Experiment, Run
from webapp.experiments.reproducibility import source_hash
from webapp.results import selectors
from webapp.results.models import ChecklistAnswer, Evaluation

SCHEMA = "cemlab.report/1"
EXTERNAL = "external_test"
SHORT = 12
"""Digits of a hash in a caption; the report lists them in full once."""
LONGEST_NAME = 22
"""Letters of an arm's name that a figure or a column of a table has room for."""


@dataclass(frozen=True)
class Basis:
    """An experiment whose runs have ended, with the number of looks at the time the report was asked for."""

    experiment: Experiment
    looks: dict[str, int]
    requested_by: str

    @cached_property
    def protocol(self) -> Protocol:
        """Of the experiment."""
        return Protocol.from_json(self.experiment.protocol)

    @cached_property
    def evaluations(self) -> dict[tuple[int, str], Evaluation]:
        """By run and test set."""
        return selectors.evaluations(self.experiment)

    @cached_property
    def test_sets(self) -> list[str]:
        """Internal first."""
        return selectors.present_test_sets(self.experiment)

    @cached_property
    def arms(self) -> list[Arm]:
        """In the order of the design."""
        return list(self.experiment.arms.all())

    @cached_property
    def runs(self) -> list[Run]:
        """By arm and seed."""
        return [run for arm in self.arms for run in arm.runs.all()]

    @cached_property
    def numbered(self) -> bool:
        """Whether figures and tables call the arms by their numbers, since a name would be cut off or fill them."""
        return any(len(arm.name) > LONGEST_NAME for arm in self.arms)

    def arm_label(self, arm: Arm) -> str:
        """Of an arm in figures and tables."""
        return f"Arm {arm.position + 1}" if self.numbered else arm.name

    def run_label(self, run: Run) -> str:
        """Of a run in figures and tables."""
        return f"{self.arm_label(run.arm)}, seed {run.seed}"

    @property
    def several_seeds(self) -> bool:
        """Whether the seeds of an arm have a range."""
        return len(self.experiment.seeds) > 1

    @cached_property
    def origins(self) -> set[str]:
        """Origins of the views of the dataset version: real, phantom."""
        return set(self.experiment.version.version_views.values_list("origin", flat=True).distinct())

    def evaluated(self, test_set: str) -> list[tuple[Run, Evaluation]]:
        """Runs with their evaluation on a test set."""
        return [
            (run, self.evaluations[run.pk, test_set]) for run in self.runs if (run.pk, test_set) in self.evaluations
        ]

    def caption(self, what: str, *, n: str, method: str, test_sets: list[str] | None = None) -> str:
        """What a figure or table shows, n, method, protocol and hashes, in this order."""
        return " ".join(
            part
            for part in (
                f"{what.rstrip('.')}.",
                "Arms have the numbers of the chapter Arms and runs." if self.numbered else "",
                f"n: {n.rstrip('.')}.",
                f"Method: {method.rstrip('.')}.",
                f"Protocol {self.protocol.digest()[:SHORT]}: {self.protocol.sentence()}",
                self._hashes(test_sets if test_sets is not None else self.test_sets),
            )
            if part
        )

    def size(self, test_sets: list[str] | None = None) -> str:
        """Views and patients of the test sets, for captions."""
        parts = []
        for test_set in test_sets if test_sets is not None else self.test_sets:
            members = self.evaluated(test_set)
            if members:
                facts = selectors.short(members[0][1])
                parts.append(
                    f"{selectors.TEST_SETS[test_set]} {count(facts['images'])} views of "
                    f"{count(facts['patients'])} patients"
                )
        return ", ".join(parts) or "no evaluation"

    def digests(self, test_set: str) -> list[str]:
        """SHA-256 of the views, patients and lesions of a test set: one, as `selectors.evaluations` sees to."""
        return sorted({selectors.short(one)["test_set_digest"] for _, one in self.evaluated(test_set)})

    def _hashes(self, test_sets: list[str]) -> str:
        digests = [
            f"{selectors.TEST_SETS[test_set]} test set {digest[:SHORT]}"
            for test_set in test_sets
            for digest in self.digests(test_set)
        ]
        data = (self.experiment.reproducibility.get("data_hash") or "not recorded")[:SHORT]
        code = (self.experiment.reproducibility.get("source_hash") or "not recorded")[:SHORT]
        return f"Hashes: {'; '.join([*digests, f'data {data}', f'code {code}'])}."


def snapshot(experiment: Experiment) -> dict[str, Any]:
    """What is written down when a report is asked for, because later openings change it."""
    return {"looks": selectors.looks(experiment)}


def state(experiment: Experiment, looks: dict[str, int]) -> dict[str, Any]:
    """Everything a report shows, or hashes of it: equal states give equal reports."""
    version = experiment.version
    people = version.assignments.order_by("patient__pseudonym").values_list(
        "patient__pseudonym", "patient__age", "patient__site__code", "split"
    )
    return {
        "schema": SCHEMA,
        "code": source_hash(settings.ROOT),
        "project": experiment.project.slug,
        "experiment": [
            experiment.number,
            experiment.name,
            experiment.hypothesis,
            experiment.primary_endpoint,
            experiment.comparison,
            experiment.margin,
            experiment.protocol,
            experiment.seeds,
            experiment.reproducibility,
            str(experiment.frozen_at),
        ],
        "version": [str(version), version.content_hash, version.split_settings, list(people)],
        "arms": [
            [arm.name, arm.preset, arm.configuration, arm.synthetic_record, arm.ratio_benign, arm.ratio_malignant]
            for arm in experiment.arms.all()
        ],
        "runs": [
            [run.arm_id, run.seed, run.state, run.record, run.best_epoch, str(run.started), str(run.ended)]
            for arm in experiment.arms.all()
            for run in arm.runs.all()
        ],
        "evaluations": sorted(
            [one.run_id, one.test_set, one.inputs_hash, one.protocol_hash]
            for one in selectors.evaluations(experiment).values()
        ),
        "looks": looks,
        "answers": list(
            ChecklistAnswer.objects.filter(experiment=experiment, current=True)
            .order_by("topic")
            .values_list("topic", "revision")
        ),
    }


def digest(body: Any) -> str:
    """SHA-256 of JSON."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, default=str).encode()).hexdigest()
