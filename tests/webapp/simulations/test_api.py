"""Simulations through the API: what the pages show, to the same people."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.webapp.simulations.conftest import Study
from webapp.simulations import verdicts

pytestmark = pytest.mark.django_db(transaction=True)
API = "/api/v1/projects/study/simulations/"


def test_simulations_are_listed_with_settings_views_records_and_verdicts(study: Study) -> None:
    batch = study.simulate(benign=1, malignant=2)
    one = batch.synthetic_views.select_related("batch__project").filter(malignancy="benign").get()
    verdicts.judge(actor=study.radiologist, synthetic_view=one, verdict="rejected", reason="host")
    client = Client()
    client.force_login(study.observer)

    (listed,) = client.get(API).json()["results"]
    detail = client.get(f"{API}1/").json()
    rejected = client.get(f"{API}1/views/?quality=rejected").json()["results"]
    view = client.get(f"{API}1/views/{one.pk}/").json()

    assert (listed["number"], listed["purpose"], listed["views"], listed["state"]) == (1, "arms", 3, "done")
    assert detail["settings"] == batch.settings_used and detail["summary"]["made"] == 3
    assert [row["id"] for row in rejected] == [one.pk]
    assert view["record"] == one.record and view["outcome"]["Calcifications"] == one.record["cluster"]["count"]
    assert [(row["verdict"], row["reason"], row["actor_name"]) for row in view["verdicts"]] == [
        ("rejected", "host", "ralf")
    ]


def test_unknown_filters_and_simulations_are_refused(study: Study) -> None:
    client = Client()
    client.force_login(study.observer)
    study.simulate(benign=0, malignant=1, run=False)

    assert client.get(f"{API}1/views/?quality=splendid").status_code == 400
    assert client.get(f"{API}2/").status_code == client.get(f"{API}2/views/").status_code == 404
    assert client.post(API, {}).status_code in (403, 405)
