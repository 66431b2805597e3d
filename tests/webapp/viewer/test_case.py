"""The case page and the JSON it draws from."""

from __future__ import annotations

from typing import Any

import cv2
import pytest
from django.test import Client
from django.urls import reverse

from tests.webapp import records
from tests.webapp.viewer.constructed import SQUARE, Constructed, add_run, add_synthetic, construct, pixels, store
from webapp.accounts.models import User
from webapp.annotations.models import Annotation
from webapp.cases.models import Exam, View
from webapp.experiments.models import Prediction, Run, RunState
from webapp.results import models as results


def read(client: Client, case: Constructed, name: str, **query: Any) -> Any:
    return client.get(reverse(f"viewer:{name}", args=[case.project.slug, case.exam.number]), query)


@pytest.fixture
def run(case: Constructed):
    return add_run(case, split="internal_test", boxes=[((98, 118, 133, 151), 0.93), ((10, 10, 30, 30), 0.1)])


def test_missing_views_and_images_keep_their_place(case: Constructed, client_of_observer: Client) -> None:
    places = {place["key"]: place for place in read(client_of_observer, case, "study").json()["places"]}
    assert list(places) == ["R-CC", "L-CC", "R-MLO", "L-MLO"]
    assert places["L-MLO"]["view"] is None
    assert places["R-MLO"]["view"]["images"]["recombined"] is None
    assert places["R-MLO"]["view"]["images"]["low_energy"]["rows"] == 320


def test_hanging_follows_the_orientation_attribute(case: Constructed, client_of_observer: Client) -> None:
    places = {place["key"]: place for place in read(client_of_observer, case, "study").json()["places"]}
    assert places["R-CC"]["view"]["chest_wall"] == "right"
    assert places["L-CC"]["view"]["chest_wall"] == "left"


def test_a_picture_without_attributes_is_hung_by_its_pixels(
    case: Constructed, client_of_observer: Client, tmp_path
) -> None:
    view = View.objects.create(exam=case.exam, laterality="L", position="MLO", origin="phantom")
    wrong_way = (pixels("R", "low_energy", None) // 16).astype("uint8")
    cv2.imwrite(str(tmp_path / "wrong.png"), wrong_way)
    store(view, "low_energy", tmp_path / "wrong.png", format="png", bits_stored=8, window_high=255)
    places = {place["key"]: place for place in read(client_of_observer, case, "study").json()["places"]}
    assert places["L-MLO"]["view"]["chest_wall"] == "right"


def test_annotations_come_in_image_pixels_with_a_label_and_a_size(
    case: Constructed, client_of_observer: Client
) -> None:
    layers = read(client_of_observer, case, "layers").json()
    view = case.views["R-CC"]
    outline = layers["views"][str(view.pk)]["annotation"][0]
    assert outline["label"] == "1 mass, malignant"
    assert outline["polygons"][0][2] == [SQUARE[2], SQUARE[3]]
    lesion = layers["lesions"][0]
    assert lesion["title"] == "mass, malignant"
    assert lesion["views"][0]["label"] == "R CC"
    assert lesion["views"][0]["extent_mm"] == pytest.approx(30 * 0.4)


def test_only_the_current_outline_is_shown(case: Constructed, client_of_observer: Client) -> None:
    first = Annotation.objects.get(view=case.views["R-CC"])
    Annotation.objects.filter(pk=first.pk).update(current=False)
    Annotation.objects.create(
        lesion=first.lesion, view=first.view, revision=2, polygons=[], withdrawn=True, x1=1, y1=1, x2=2, y2=2
    )
    layers = read(client_of_observer, case, "layers").json()
    assert layers["lesions"] == []
    assert all(not shapes["annotation"] for shapes in layers["views"].values())


def test_predictions_of_a_run_are_those_above_the_score(case: Constructed, run, client_of_observer: Client) -> None:
    without = read(client_of_observer, case, "layers").json()
    assert without["findings"] == []
    assert without["run"] is None
    every = read(client_of_observer, case, "layers", run=run.pk).json()
    assert [finding["score"] for finding in every["findings"]] == [0.93, 0.1]
    above = read(client_of_observer, case, "layers", run=run.pk, score=0.1).json()
    assert [finding["label"] for finding in above["findings"]] == ["0.93"], "a score of exactly 0.1 is not above 0.1"
    assert above["run"]["no_evidence"] is None
    assert above["run"]["split"] == "Internal test"


@pytest.mark.parametrize(("split", "word"), [("train", "Training case"), ("validation", "Validation case")])
def test_predictions_on_cases_used_in_training_are_called_no_evidence(
    case: Constructed, client_of_observer: Client, split: str, word: str
) -> None:
    run = add_run(case, split=split, boxes=[((98, 118, 133, 151), 0.9)])
    said = read(client_of_observer, case, "layers", run=run.pk).json()["run"]["no_evidence"]
    assert said.startswith(word)
    assert "no evidence" in said


@pytest.mark.parametrize("query", [{"run": 999_999}, {"run": "x"}, {"score": 7}])
def test_an_address_that_names_no_run_or_score_finds_nothing(
    case: Constructed, client_of_observer: Client, query: dict[str, Any]
) -> None:
    assert read(client_of_observer, case, "layers", **query).status_code == 404


def test_a_run_that_is_not_finished_is_not_offered(case: Constructed, run, client_of_observer: Client) -> None:
    page = read(client_of_observer, case, "case").content.decode()
    assert "200 %, seed 1 (experiment 1, test set)" in page
    run.state = RunState.RUNNING
    run.save()
    assert "200 %, seed 1" not in read(client_of_observer, case, "case").content.decode()
    assert read(client_of_observer, case, "layers", run=run.pk).status_code == 404


LOCKED = "Test sets of experiment 1 are locked until its runs end."


def second_run(run: Run, state: RunState) -> Run:
    """Another run of the experiment."""
    return Run.objects.create(arm=run.arm, seed=2, state=state)


@pytest.mark.parametrize("state", [RunState.QUEUED, RunState.RUNNING])
@pytest.mark.parametrize("split", ["internal_test", "external_test"])
def test_findings_on_a_test_set_stay_locked_until_every_run_of_the_experiment_has_ended(
    case: Constructed, client_of_observer: Client, split: str, state: RunState
) -> None:
    run = add_run(case, split=split, boxes=[((98, 118, 133, 151), 0.93)])
    other = second_run(run, state)
    page = read(client_of_observer, case, "case").content.decode()
    assert "200 %, seed 1" not in page
    assert LOCKED in page
    assert read(client_of_observer, case, "layers", run=run.pk).status_code == 404
    chosen = read(client_of_observer, case, "case", run=run.pk)
    assert chosen.context["absent"].words == "Findings on this test case are locked until the runs of experiment 1 end."
    assert not results.TestSetLook.objects.exists()

    Run.objects.filter(pk=other.pk).update(state=RunState.FAILED)
    page = read(client_of_observer, case, "case").content.decode()
    assert "200 %, seed 1 (experiment 1, test set)" in page
    assert LOCKED not in page
    assert len(read(client_of_observer, case, "layers", run=run.pk).json()["findings"]) == 1


@pytest.mark.parametrize("split", ["train", "validation"])
def test_findings_outside_the_test_sets_show_while_runs_are_open(
    case: Constructed, client_of_observer: Client, split: str
) -> None:
    run = add_run(case, split=split, boxes=[((98, 118, 133, 151), 0.93)])
    second_run(run, RunState.RUNNING)
    page = read(client_of_observer, case, "case").content.decode()
    assert "200 %, seed 1 (experiment 1, 1 finding)" in page
    assert LOCKED not in page
    assert len(read(client_of_observer, case, "layers", run=run.pk).json()["findings"]) == 1
    assert not results.TestSetLook.objects.exists()


def test_opening_findings_on_a_test_set_counts_as_a_look_once_for_each_run_and_session(
    case: Constructed, run: Run, client_of_observer: Client, observer: User
) -> None:
    other = second_run(run, RunState.DONE)
    Prediction.objects.filter(run=run, rank=1).update(run=other)
    read(client_of_observer, case, "layers")
    read(client_of_observer, case, "case")
    assert not results.TestSetLook.objects.exists(), "the page itself shows no findings"

    for score in (0, 0.5):
        read(client_of_observer, case, "layers", run=run.pk, score=score)
    (look,) = results.TestSetLook.objects.all()
    assert (look.experiment, look.test_set, look.person) == (run.arm.experiment, "internal_test", observer)

    read(client_of_observer, case, "layers", run=other.pk)
    assert results.TestSetLook.objects.count() == 2, "another run is another look"
    elsewhere = Client()
    elsewhere.force_login(observer)
    read(elsewhere, case, "layers", run=run.pk)
    assert results.TestSetLook.objects.count() == 3, "another session is another look"


def test_synthetic_views_stand_beside_their_host(case: Constructed, client_of_observer: Client) -> None:
    run = add_run(case, split="train", boxes=[])
    view = add_synthetic(case, run)
    study = read(client_of_observer, case, "study").json()
    (synthetic,) = study["synthetic_cases"]
    assert synthetic["label"] == "malignant cluster 1 of simulation 3"
    assert synthetic["views"]["L-CC"]["id"] == view.pk
    assert study["places"][1]["view"]["id"] == case.views["L-CC"].pk
    layers = read(client_of_observer, case, "layers").json()
    outline = layers["views"][str(view.pk)]["synthetic"][0]
    assert outline["label"] == "S2 cluster, malignant"
    assert len(outline["points"]) == 2
    assert layers["views"][str(case.views["L-CC"].pk)]["synthetic"] == []
    assert [lesion["mark"] for lesion in layers["lesions"]] == ["1", "S2"]


def test_inserted_calcifications_are_listed_strongest_first(case: Constructed, client_of_observer: Client) -> None:
    view = add_synthetic(case, add_run(case, split="train", boxes=[]))
    views = read(client_of_observer, case, "layers").json()["views"]
    assert views[str(view.pk)]["calcifications"] == [
        {"x": 72.5, "y": 152.5, "diameter_mm": 0.3, "morphology": "linear", "contrast_to_noise": 5.25},
        {"x": 70.5, "y": 150.5, "diameter_mm": 0.3, "morphology": "punctate", "contrast_to_noise": 3.0},
    ]
    assert views[str(case.views["L-CC"].pk)]["calcifications"] == []


def test_a_synthetic_view_offers_its_difference_to_the_host(case: Constructed, client_of_observer: Client) -> None:
    view = add_synthetic(case, add_run(case, split="train", boxes=[]))
    study = read(client_of_observer, case, "study").json()
    shown = study["synthetic_cases"][0]["views"]["L-CC"]
    difference, image = shown["differences"]["low_energy"], shown["images"]["low_energy"]
    assert difference["id"] == -image["id"]
    assert difference["bits_stored"] == 13
    assert (difference["window"]["low"] + difference["window"]["high"]) / 2 == 4096
    assert difference["metadata"]["00280101"]["Value"] == [13]
    assert difference["metadata"]["00080018"] != image["metadata"]["00080018"]
    assert study["places"][1]["view"]["differences"] == {"low_energy": None, "recombined": None}
    assert view.pk == shown["id"]


def test_next_and_previous_keep_the_filter(case: Constructed, client_of_observer: Client) -> None:
    construct(case.project, number=2)
    page = read(client_of_observer, case, "case", site="phantoms", layout="pair").content.decode()
    following = reverse("viewer:case", args=[case.project.slug, 2])
    assert f'data-next="{following}?site=phantoms"' in page
    assert 'data-previous=""' in page
    assert "1 of 2" in page


def test_whose_findings_are_shown_goes_along_to_a_case_that_has_none(
    case: Constructed, run: Run, client_of_observer: Client
) -> None:
    construct(case.project, number=2)
    page = read(client_of_observer, case, "case", run=run.pk, score=0.5, site="phantoms", kind="recombined")
    following = reverse("viewer:case", args=[case.project.slug, 2])
    assert page.context["next_url"] == f"{following}?site=phantoms&run={run.pk}&score=0.5"

    page = client_of_observer.get(page.context["next_url"])

    option = f'<option value="{run.pk}" data-absent="This run did not look at this case." selected>'
    assert option in page.content.decode()
    assert page.context["previous_url"].endswith(f"run={run.pk}&score=0.5")
    layers = reverse("viewer:layers", args=[case.project.slug, 2])
    assert client_of_observer.get(layers, {"run": run.pk}).status_code == 404
    assert read(client_of_observer, case, "case", run=999_999).status_code == 404


def test_a_run_of_another_project_is_not_even_named(case: Constructed, client_of_observer: Client) -> None:
    elsewhere = construct(records.make_project("elsewhere"))
    foreign = add_run(elsewhere, split="train", boxes=[])
    for name in ("case", "layers"):
        assert read(client_of_observer, case, name, run=foreign.pk).status_code == 404


def test_the_page_asks_the_database_the_same_for_one_and_for_many_views(
    case: Constructed, client_of_observer: Client, django_assert_max_num_queries
) -> None:
    run = add_run(case, split="train", boxes=[])
    for name in ("study", "layers"):
        read(client_of_observer, case, name)
        with django_assert_max_num_queries(12):
            read(client_of_observer, case, name)
    before = Exam.objects.count()
    add_synthetic(case, run)
    assert Exam.objects.count() == before
    with django_assert_max_num_queries(12):
        read(client_of_observer, case, "study")


def test_no_patient_identifier_is_in_the_page_or_its_data(case: Constructed, client_of_observer: Client) -> None:
    for name in ("case", "study", "layers"):
        content = read(client_of_observer, case, name).content.decode()
        assert case.exam.patient.source_key not in content
        assert case.exam.source_key not in content
        assert "CONSTRUCTED" not in content
