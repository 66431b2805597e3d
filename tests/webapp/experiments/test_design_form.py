"""The design form: what it offers, how arms and settings change in it, what it refuses and where it says so."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from detection.preset import presets
from tests.webapp import experiment_records, records
from tests.webapp.experiments.design_page import NEW, filled, with_arm_change
from webapp.accounts.models import Project, User
from webapp.datasets.models import DatasetVersion
from webapp.experiments.design_input import DesignInput, preset_texts
from webapp.experiments.models import Experiment, Run
from webapp.simulations.models import SimulationBatch

pytestmark = pytest.mark.django_db


def test_the_fresh_form_has_three_arms_the_first_preset_and_the_newest_frozen_version(
    client: Client, version: DatasetVersion
) -> None:
    page = client.get(NEW)

    form = page.context["form"]
    assert [arm["malignant"].value() for arm in page.context["forms"].arms] == ["0", "100", "200"]
    assert form["version"].value() == str(version.pk)
    assert form["preset"].value() == next(iter(presets()))
    words = page.content.decode()
    assert presets()[form["preset"].value()].description.split(".")[0] in words
    assert "more settings, all as in the preset" in words


def test_a_complete_design_is_frozen_and_its_launch_starts_one_simulation_and_a_run_for_every_arm_and_seed(
    client: Client, version: DatasetVersion
) -> None:
    answer = client.post(NEW, filled(version, seeds="3, 4"))

    experiment = Experiment.objects.get()
    assert not Run.objects.exists() and not SimulationBatch.objects.exists()
    page = client.get("/study/experiments/1/").content.decode()
    assert "Frozen, not launched" in page and "Real + 200 % against Real only" in page
    launched = client.post("/study/experiments/1/launch/", follow=True).content.decode()
    assert "Started Experiment 1" in launched and "Frozen, not launched" not in launched
    assert answer.status_code == 302 and answer["Location"] == "/study/experiments/1/"
    assert [arm.ratio_malignant for arm in experiment.arms.all()] == [0, 1, 2]
    assert [arm.ratio_benign for arm in experiment.arms.all()] == [0, 1, 2]
    assert Run.objects.count() == 6 and SimulationBatch.objects.count() == 1
    assert experiment.arms.first().configuration["values"]["epochs"] == 1
    assert experiment.state == "frozen"


def test_a_benign_ratio_of_its_own_is_kept_apart(client: Client, version: DatasetVersion) -> None:
    client.post(NEW, filled(version, **{"arms-1-benign": "0"}))

    arm = Experiment.objects.get().arms.get(position=1)
    assert (arm.ratio_benign, arm.ratio_malignant) == (0, 1)


@pytest.mark.parametrize(
    ("field", "value", "target", "words"),
    [
        ("name", "", "id_name", "Give the experiment a name."),
        ("hypothesis", "", "id_hypothesis", "State the hypothesis"),
        ("primary_endpoint", "beauty", "id_primary_endpoint", "Select a valid choice"),
        ("version", "", "id_version", "Choose a frozen dataset version."),
        ("preset", "secret", "id_preset", "Select a valid choice"),
        ("seeds", "", "id_seeds", "Give at least one seed."),
        ("seeds", "1, 1", "id_seeds", "A seed is given twice"),
        ("seeds", "one", "id_seeds", "“one” is no seed"),
        ("device", "cuda:7", "id_device", "Select a valid choice"),
        ("simulation_seed", "-1", "id_simulation_seed", "greater than or equal to 0"),
        ("arms-1-name", "", "id_arms-1-name", "Every arm needs a name."),
        ("arms-1-malignant", "", "id_arms-1-malignant", "Give a ratio; 0 means none."),
        ("arms-1-malignant", "1001", "id_arms-1-malignant", "less than or equal to 1000"),
        ("arms-1-benign", "-5", "id_arms-1-benign", "greater than or equal to 0"),
        ("arms-1-name", "Real only", "arms", "Two arms have the same name"),
        ("arms-TOTAL_FORMS", "0", "arms", "at least 1 form"),
        ("margin", "2", "id_margin", "less than or equal to 1"),
        ("margin", "0", "id_margin", "lies above 0"),
        ("comparison_arm", "7", "id_comparison_arm", "Select a valid choice"),
        ("comparison_reference", "2", "id_comparison_reference", "Compare two different arms"),
        ("protocol-score_above", "1", "id_protocol-score_above", "below 1"),
        ("protocol-top", "0", "id_protocol-top", "greater than or equal to 1"),
        ("protocol-matching", "loose", "id_protocol-matching", "Select a valid choice"),
        ("arms-1-preset", "secret", "id_arms-1-preset", "Select a valid choice"),
        ("set-epochs", "0", "id_set-epochs", "greater than or equal to 1"),
        ("set-anchor_sizes", "12, wide", "id_set-anchor_sizes", "Give numbers with commas"),
        ("set-anchor_sizes", "12, 24", "id_set-anchor_sizes", "expected 5 sizes"),
        ("set-input_max_size", "100", "id_set-input_max_size", "expected at least input_min_size"),
    ],
)
def test_an_error_stands_at_its_field_and_in_the_summary_and_nothing_typed_is_lost(
    client: Client, version: DatasetVersion, field: str, value: str, target: str, words: str
) -> None:
    answer = client.post(NEW, filled(version, **{"hypothesis": "Typed with care.", field: value}))

    assert answer.status_code == 422 and not Experiment.objects.exists()
    assert any(entry["target"] == target and words in entry["message"] for entry in answer.context["errors"])
    page = answer.content.decode()
    assert f'href="#{target}"' in page
    if field != "hypothesis":
        assert "Typed with care." in page
    if value and field not in {
        "preset",
        "primary_endpoint",
        "device",
        "arms-TOTAL_FORMS",
        "comparison_arm",
        "arms-1-preset",
        "protocol-matching",
    }:
        assert value in page


def test_all_errors_are_shown_at_once(client: Client, version: DatasetVersion) -> None:
    answer = client.post(NEW, filled(version, **{"name": "", "seeds": "x", "arms-0-malignant": "", "set-epochs": "0"}))

    assert {entry["target"] for entry in answer.context["errors"]} == {
        "id_name",
        "id_seeds",
        "id_arms-0-malignant",
        "id_set-epochs",
    }


def test_a_draft_version_cannot_be_chosen(client: Client, project: Project, version: DatasetVersion) -> None:
    from webapp.datasets import services as datasets

    draft = datasets.create_dataset(actor=records.make_member(project, "curator"), project=project, name="Draft")

    answer = client.post(NEW, filled(version, version=str(draft.pk)))

    assert answer.status_code == 422 and "id_version" in {entry["target"] for entry in answer.context["errors"]}


def test_a_version_of_another_project_is_not_offered(client: Client, version: DatasetVersion) -> None:
    foreign = experiment_records.make_version(records.make_project("elsewhere"))

    answer = client.post(NEW, filled(version, version=str(foreign.pk)))

    assert answer.status_code == 422 and not Experiment.objects.exists()


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ("add-arm", ["Real only", "Real + 100 %", "Real + 200 %", "Arm 4"]),
        ("copy-arm-1", ["Real only", "Real + 100 %", "Real + 100 % copy", "Real + 200 %"]),
        ("remove-arm-0", ["Real + 100 %", "Real + 200 %"]),
        ("remove-arm-9", ["Real only", "Real + 100 %", "Real + 200 %"]),
    ],
)
def test_arms_are_added_copied_and_removed_without_losing_what_was_typed(
    client: Client, version: DatasetVersion, change: str, names: list[str]
) -> None:
    answer = client.post(NEW, filled(version, hypothesis="Half a sent", change=change))

    assert answer.status_code == 200 and answer.context["errors"] == []
    assert [arm["name"].value() for arm in answer.context["forms"].arms] == names
    assert "Half a sent" in answer.content.decode() and not Experiment.objects.exists()


def test_the_comparison_follows_its_arms_when_rows_move(client: Client, version: DatasetVersion) -> None:
    def compared(change: str) -> tuple[str, str]:
        values = client.post(NEW, filled(version, change=change)).context["given"].values
        return values["comparison_arm"], values["comparison_reference"]

    assert compared("copy-arm-1") == ("3", "0")
    assert compared("remove-arm-1") == ("1", "0")
    assert compared("remove-arm-0") == ("1", "0")
    assert compared("remove-arm-2") == ("1", "0")


def test_comparison_and_margin_are_frozen_with_the_design(client: Client, version: DatasetVersion) -> None:
    client.post(NEW, filled(version, comparison_arm="1", comparison_reference="0", margin="0.05"))

    experiment = Experiment.objects.get()
    assert experiment.comparison == {"arm": 1, "reference": 0} and experiment.margin == 0.05
    page = client.get("/study/experiments/1/").content.decode()
    assert "Real + 100 % against Real only" in page and "0.05, non-inferiority" in page


def test_the_protocol_is_chosen_shown_frozen_and_copied(client: Client, version: DatasetVersion) -> None:
    data = filled(version, **{"protocol-iou_above": "0.3", "protocol-duplicates": "fp"})
    panel = client.post(reverse("experiments:consequences", args=["study"]), data).content.decode()
    assert "box IoU &gt; 0.3" in panel and "duplicates count as false positives" in panel

    client.post(NEW, data)

    stored = Experiment.objects.get().protocol
    assert (stored["iou_above"], stored["duplicates"], stored["score_above"]) == (0.3, "fp", 0.1)
    client.post("/study/experiments/1/launch/")
    page = client.get(f"{NEW}?copy=1")
    assert page.context["forms"].protocol["duplicates"].value() == "fp"
    back = page.context["given"].as_data() | {"compared_with": "1", "protocol-duplicates": "ignore"}
    rows = client.post(reverse("experiments:consequences", args=["study"]), back).context["comparison"].rows
    assert [(row.label, row.was, row.now) for row in rows] == [
        ("Protocol: Further findings on a found lesion", "false positives", "ignored")
    ]


def test_every_choice_of_the_protocol_has_words() -> None:
    from detection.evaluation import protocol
    from webapp.experiments.protocol_form import CHOICES

    for name, words in CHOICES.items():
        assert set(words) == set(protocol._CHOICES[name])


def test_an_arm_takes_a_setting_from_the_list_and_drops_it_again(client: Client, version: DatasetVersion) -> None:
    data = filled(version, **{"arms-1-adding": "weight_averaging", "change": "add-setting-1"})
    rows = client.post(NEW, data).context["arm_rows"]
    assert [[one["name"] for one in row["settings"]] for row in rows] == [[], ["weight_averaging"], []]
    assert rows[1]["settings"][0]["bound"].value() == preset_texts("cpu-quick")["weight_averaging"]
    assert "weight_averaging" not in {name for group in rows[1]["free"].values() for name, _ in group}

    data = with_arm_change(filled(version, change="drop-setting-1-epochs"), 1, epochs="7")
    assert client.post(NEW, data).context["arm_rows"][1]["settings"] == []


def test_an_arm_differs_from_the_shared_training_in_its_own_settings_only(
    client: Client, version: DatasetVersion
) -> None:
    client.post(NEW, with_arm_change(filled(version, **{"set-batch_size": "3"}), 1, mixed_precision="on", epochs="2"))

    plain, differing, _ = (arm.configuration["values"] for arm in Experiment.objects.get().arms.order_by("position"))
    changed = {name for name in plain if plain[name] != differing[name]}
    assert changed == {"mixed_precision", "epochs"}
    assert (plain["batch_size"], differing["batch_size"], differing["epochs"]) == (3, 3, 2)


def test_an_arm_with_a_preset_of_its_own_leaves_the_shared_training_aside(
    client: Client, version: DatasetVersion
) -> None:
    data = filled(version, **{"set-batch_size": "3", "arms-2-preset": "modern"})
    client.post(NEW, with_arm_change(data, 2, epochs="2"))

    arm = Experiment.objects.get().arms.get(position=2)
    expected = presets()["modern"].configuration.to_dict()["values"] | {"epochs": 2}
    assert arm.preset == "modern" and arm.configuration["values"] == expected


def test_an_impossible_setting_of_one_arm_is_refused_at_its_field(client: Client, version: DatasetVersion) -> None:
    answer = client.post(NEW, with_arm_change(filled(version), 1, input_max_size="100"))

    assert answer.status_code == 422
    (entry,) = answer.context["errors"]
    assert entry["target"] == "id_arms-1-set-input_max_size" and "expected at least input_min_size" in entry["message"]


def test_a_copy_keeps_presets_and_settings_of_each_arm(client: Client, version: DatasetVersion) -> None:
    data = with_arm_change(filled(version, **{"arms-2-preset": "modern", "margin": "0.1"}), 1, epochs="2")
    client.post(NEW, with_arm_change(data, 2, epochs="3"))
    client.post("/study/experiments/1/launch/")

    page = client.get(f"{NEW}?copy=1")
    given = page.context["given"]
    assert [dict(arm.changes) for arm in given.arms] == [{}, {"epochs": "2"}, {"epochs": "3"}]
    assert [arm.preset for arm in given.arms] == ["", "", "modern"] and given.values["margin"] == "0.1"
    assert page.context["comparison"].rows == []


def test_another_preset_replaces_its_own_values_and_keeps_what_was_changed(
    client: Client, version: DatasetVersion
) -> None:
    answer = client.post(NEW, filled(version, **{"set-batch_size": "7", "preset": "paper-2024", "change": "preset"}))

    rows = {row["name"]: row for row in answer.context["forms"].settings.rows()}
    assert rows["batch_size"]["bound"].value() == "7" and rows["batch_size"]["changed"]
    assert rows["epochs"]["bound"].value() == "1" and rows["epochs"]["changed"]
    assert rows["backbone"]["bound"].value() == "resnet50" and not rows["backbone"]["changed"]
    assert answer.content.decode().count("preset: ") >= 2


def test_resetting_brings_every_setting_back_to_the_preset(client: Client, version: DatasetVersion) -> None:
    answer = client.post(NEW, filled(version, **{"set-batch_size": "7", "change": "reset"}))

    assert not any(row["changed"] for row in answer.context["forms"].settings.rows())


@pytest.mark.parametrize("name", list(presets()))
def test_every_preset_goes_through_the_form_unchanged(version: DatasetVersion, researcher: User, name: str) -> None:
    from webapp.experiments.forms import DesignForms

    texts = preset_texts(name)
    given = DesignInput.posted(
        filled(version, preset=name, preset_shown=name) | {**{f"set-{key}": text for key, text in texts.items()}}
    )
    forms = DesignForms(given, user=researcher, project=version.dataset.project, check=True)

    assert forms.is_valid(), forms.summary()
    assert forms.settings.changes() == {}


def test_an_arm_whose_ratio_gives_no_case_is_refused_with_the_counts(client: Client, project: Project) -> None:
    exams = [
        records.make_exam(project, lesions=(("mass", "malignant"),), shape=experiment_records.SHAPE) for _ in range(12)
    ]
    masses = records.make_frozen_version(project, records.make_member(project, "curator"), exams, name="Masses")

    answer = client.post(NEW, filled(masses, primary_endpoint="sensitivity:malignant_mass:internal_test"))

    assert answer.status_code == 422
    assert any("no training patient has a real cluster" in entry["message"] for entry in answer.context["errors"])


def test_the_web_process_draws_the_form_without_torch() -> None:
    import subprocess
    import sys

    code = (
        "import sys, django; django.setup(); import webapp.experiments.design_views, webapp.experiments.run_views, "
        "webapp.results.views; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"
