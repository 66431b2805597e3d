"""A test set whose lesions are not typed: no panel tells masses and clusters apart on it."""

from __future__ import annotations

from typing import Any

import pytest

from detection.evaluation import result as stored
from detection.sample_set import SampleSet
from tests.webapp.experiment_records import finish_all, graded
from tests.webapp.results.test_outlines import shifted
from webapp.accounts.models import Project
from webapp.cases.models import Patient
from webapp.experiments.models import Experiment
from webapp.results import levels, outlines, selectors, services, subgroups

pytestmark = pytest.mark.django_db
UNKNOWN = "undefined: the lesion types of this test set are not known"


@pytest.fixture
def untyped(experiment: Experiment, monkeypatch: pytest.MonkeyPatch) -> Experiment:
    """Evaluated as a version is whose split says that the types of its external lesions are not known."""
    typed = services._evaluate

    def evaluate(samples: SampleSet, *given: Any, types_known: bool) -> stored.TestSetResult:
        return typed(samples, *given, types_known=types_known and samples.name != "external_test")

    monkeypatch.setattr(services, "_evaluate", evaluate)
    return experiment


def test_subgroups_are_not_by_type_and_masses_are_undefined(untyped: Experiment) -> None:
    finish_all(untyped, lambda run: graded(run.arm.position))
    Patient.objects.filter(pk__in=Patient.objects.order_by("pk").values_list("pk", flat=True)[::3]).update(age=55)

    internal, external = subgroups.subgroups(untyped, "malignant")
    labels = [{kind["label"] for kind in panel["kinds"]} for panel in (internal, external)]
    assert ["Lesion type" in one for one in labels] == [True, False] and "Age at the first exam" in labels[1]

    def reasons(value: Any) -> set[str | None]:
        return {number["reason"] for kind in value["kinds"] for row in kind["rows"] for number in row["numbers"]}

    masses = subgroups.subgroups(untyped, "malignant_mass")[1]
    assert reasons(masses) == {UNKNOWN} and masses["compared"] == 0


def test_outlines_and_levels_of_masses_are_undefined(untyped: Experiment, project: Project) -> None:
    finish_all(untyped, lambda run: shifted(10 * run.arm.position))

    internal, external = outlines.panels(untyped, "malignant_mass", project)
    assert (internal["points"] > 0, external["points"]) == (True, 0)
    assert {row["found"]["reason"] for row in external["rows"]} == {UNKNOWN}
    for (_, test_set), evaluation in selectors.evaluations(untyped).items():
        number = levels.classified(evaluation, "malignant_mass")["lesion"]["sensitivity"]["located"]
        assert (number["reason"] == UNKNOWN) == (test_set == "external_test")
