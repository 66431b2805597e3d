"""Records of runs and models stand in the words of the form, not in the names of fields."""

from __future__ import annotations

import pytest
from django.test import Client

from detection.configuration import MaskRCNNConfiguration
from detection.preset import presets
from tests.webapp import experiment_records
from webapp.accounts.models import Project, User
from webapp.experiments.design_input import settings_in_words
from webapp.experiments.models import Run

pytestmark = pytest.mark.django_db


def test_a_configuration_is_told_in_labels_choices_and_units() -> None:
    values = presets()["cpu-quick"].configuration.to_dict()["values"]
    told = dict(settings_in_words(values))
    assert len(told) == len(values), "every setting has a label of its own"
    assert told["Epochs"] == f"{values['epochs']} epochs"
    for entry in MaskRCNNConfiguration.schema():
        words = [one["label"] for one in entry["choices"]]
        assert not words or told[entry["label"]] in words
    assert not {"True", "False", "None", ""} & set(told.values())


def test_the_record_of_a_run_is_told_in_words(project: Project, researcher: User) -> None:
    version = experiment_records.make_version(project)
    experiment = experiment_records.launch(project, researcher, version, ratios=(0.0,))
    Run.objects.filter(arm__experiment=experiment).update(
        record={
            "training": {"name": "training", "lesions: benign cluster": 4, "tiles with lesions": 20, "views": 52},
            "initial_weights": {"origin": "random", "statement": "Training started from random ones."},
            "environment": {"device_type": "cpu"},
        }
    )
    client = Client()
    client.force_login(researcher)
    page = client.get("/study/experiments/1/runs/0-0/").content.decode()
    assert "tiles with lesions 20, views 52; lesions: benign cluster 4" in page
    assert "<dd>Training started from random ones.</dd>" in page.replace("\n", "")
    assert "device type cpu" in page
