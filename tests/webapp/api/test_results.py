"""Results behind lock and count."""

from __future__ import annotations

import pytest

from tests.webapp.api.conftest import Get
from tests.webapp.experiment_records import finish_all, seen
from webapp.accounts.models import User
from webapp.core.models import AuditEvent
from webapp.experiments.models import Experiment, Run
from webapp.results import models as results

pytestmark = pytest.mark.django_db


def test_results_are_locked_while_runs_are_open_and_nothing_is_counted(experiment: Experiment, get: Get) -> None:
    assert "locked" in get(f"experiments/{experiment.number}/results/", 409)["detail"]
    for split in ("internal_test", "external_test"):
        get(f"experiments/{experiment.number}/runs/0-0/predictions/?split={split}", 409)
    assert get(f"experiments/{experiment.number}/runs/0-0/predictions/?split=validation")["count"] == 0
    assert get(f"experiments/{experiment.number}/runs/0-0/predictions/", 400)["field"] == "split"
    assert not results.TestSetLook.objects.exists()


def test_every_opening_of_results_is_counted(experiment: Experiment, researcher: User, get: Get) -> None:
    finish_all(experiment, lambda run: seen(0.6))

    first = get(f"experiments/{experiment.number}/results/")
    second = get(f"experiments/{experiment.number}/results/")

    assert (first["looks"], second["looks"]) == ({"internal_test": 1}, {"internal_test": 2})
    assert set(results.TestSetLook.objects.values_list("person", "test_set")) == {(researcher.pk, "internal_test")}
    assert AuditEvent.objects.filter(action="results.look").count() == 2
    assert first["protocol_sentence"] and len(first["rows"]) == 2 * 3
    stored = Run.objects.get(arm__experiment=experiment, seed=0).evaluations.get().result
    [row] = [row for row in first["rows"] if row["seed"] == 0 and row["group"] == "malignant"]
    for measure in ("sensitivity", "precision", "auc"):
        assert row[measure] == stored[measure]["malignant"], "the number as it was evaluated, with interval and n"
    assert first["summary"]["arms"][0]["runs"][0]["test_sets"]["external"]["auc"]["reason"].startswith("undefined")


def test_findings_on_a_test_set_count_as_one_look_over_their_pages(experiment: Experiment, get: Get) -> None:
    finish_all(experiment, lambda run: seen(1.0))
    address = f"experiments/{experiment.number}/runs/0-0/predictions/"

    get(f"{address}?split=internal_test&limit=1&offset=1")
    assert results.TestSetLook.objects.count() == 1, "whoever begins on a later page has looked as well"
    page = get(f"{address}?split=internal_test&limit=1&offset=2")
    assert results.TestSetLook.objects.count() == 1
    get(f"{address}?split=internal_test")
    assert results.TestSetLook.objects.count() == 2
    get(f"{address}?split=validation")
    assert results.TestSetLook.objects.count() == 2
    assert page["results"][0]["rank"] == 0 and 0 <= page["results"][0]["score"] <= 1
