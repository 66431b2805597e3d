"""Pages of simulations as a browser gets them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tests.webapp.simulations.conftest import Study
from webapp.core.models import AuditEvent
from webapp.jobs.execution import run_all_here
from webapp.simulations.models import SimulationBatch, SyntheticVerdict, SyntheticView

pytestmark = pytest.mark.django_db(transaction=True)
NEW = "/study/simulation/new/"


@pytest.fixture
def web(study: Study) -> Client:
    client = Client()
    client.force_login(study.researcher)
    return client


def form(study: Study, **changes: Any) -> dict[str, Any]:
    """What a browser sends for the form as it is first drawn, with changes; None leaves a field out."""
    from simulation.settings import SimulationSettings
    from webapp.simulations.forms import initial_settings

    settings = initial_settings(SimulationSettings().to_json())
    data = {
        "version": str(study.version.pk),
        "lesions": "prefer_free",
        "amount": "count",
        "wanted_malignant": "1",
        "wanted_benign": "1",
        "seed": "5",
        "preset": "default",
        "preset_shown": "default",
        **{name: "on" if value is True else value for name, value in settings.items() if value is not False},
    }
    return {name: value for name, value in (data | changes).items() if value is not None}


def test_the_form_starts_a_batch_with_its_hosts_settings_and_seed(study: Study, web: Client) -> None:
    answer = web.post(NEW, form(study, lateralities=["L"], **{"set-mask_dilation_mm": "2"}))

    batch = SimulationBatch.objects.get()
    assert answer.status_code == 302 and answer["Location"] == f"/study/simulation/{batch.number}/"
    assert (batch.seed, batch.purpose, batch.preset) == (5, "arms", "default")
    assert batch.host_filter["lateralities"] == ["L"] and batch.settings_used["mask_dilation_mm"] == 2.0


def test_without_a_seed_one_is_drawn_and_kept(study: Study, web: Client) -> None:
    web.post(NEW, form(study, seed=""))

    assert SimulationBatch.objects.get().seed >= 0
    assert f"seed {SimulationBatch.objects.get().seed}" in web.get("/study/simulation/1/").content.decode()


def test_a_ratio_counts_against_the_real_clusters(study: Study, web: Client) -> None:
    from webapp.simulations.amounts import cluster_patients, wanted_cases

    web.post(NEW, form(study, amount="ratio", ratio_malignant="250", ratio_benign="100"))

    batch = SimulationBatch.objects.get()
    wanted = wanted_cases(cluster_patients(study.version), 1.0, 2.5)
    assert {"benign": batch.wanted_benign, "malignant": batch.wanted_malignant} == wanted


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"version": "999999"}, "version"),
        ({"amount": "ratio", "ratio_malignant": "401", "ratio_benign": "0"}, "ratio_malignant"),
        ({"wanted_malignant": "-1"}, "wanted_malignant"),
        ({"wanted_malignant": "0", "wanted_benign": "0"}, "wanted_malignant"),
        ({"seed": "-3"}, "seed"),
        ({"without": "Nobody"}, "without"),
        ({"sites": ["nowhere"]}, "sites"),
        ({"lateralities": ["R"], "lesions": "free"}, "lesions"),
        ({"set-cell_mm": "1"}, "set-cell_mm"),
        ({"set-packing_low": "0.9", "set-packing_high": "0.5"}, "set-packing_low"),
        ({"set-site_selection": "anywhere"}, "set-site_selection"),
    ],
)
def test_every_error_names_its_field_and_nothing_typed_is_lost(
    study: Study, web: Client, changes: dict[str, Any], field: str
) -> None:
    answer = web.post(NEW, form(study, **changes, **{"set-temperature": "3.25"}))
    page = answer.content.decode()

    assert answer.status_code == 422 and not SimulationBatch.objects.exists()
    assert f'<a href="#id_{field}' in page
    assert 'value="3.25"' in page


def test_the_panel_counts_while_the_form_is_not_complete(study: Study, web: Client) -> None:
    every = web.post("/study/simulation/new/panel/", form(study, lesions="any")).content.decode()
    broken = web.post("/study/simulation/new/panel/", form(study, wanted_malignant="many", sites=["A"]))

    assert '<p class="headline-number" id="matching-hosts">10</p>' in every
    assert broken.status_code == 200 and 'id="matching-hosts">5<' in broken.content.decode()


def test_another_preset_brings_its_values_and_keeps_what_was_changed(study: Study, web: Client) -> None:
    page = web.post(
        NEW, form(study, change="redraw", preset="van-camp-2024", **{"set-mask_dilation_mm": "2"})
    ).content.decode()

    assert '<option value="best" selected>' in page and '<option value="literal" selected>' in page
    assert 'name="set-mask_dilation_mm" value="2"' in page
    assert "data-error-summary" not in page


def test_a_verdict_from_the_gallery_answers_every_tile_of_the_case(study: Study, web: Client) -> None:
    synthetic = study.simulate(benign=0, malignant=1).synthetic_views.get()
    address = reverse("simulations:judge", args=["study", 1, synthetic.pk])

    refused = web.post(address, {"verdict": "reject"}, headers={"HX-Request": "true"})
    done = web.post(address, {"verdict": "reject", "reason": "place"}, headers={"HX-Request": "true"})

    assert refused.status_code == 400 and refused.content == b"Choose why the case is rejected."
    assert f'id="tile-{synthetic.pk}"' in done.content.decode() and "hx-swap-oob" in done.content.decode()
    toast = json.loads(done["HX-Trigger"])["toast"]
    assert web.post(toast["undo_url"]).status_code == 204
    synthetic.refresh_from_db()
    assert synthetic.quality == "unreviewed"
    assert [one.verdict for one in SyntheticVerdict.objects.all()] == ["rejected", "reopened"]


def test_a_refused_verdict_on_the_record_says_why(study: Study, web: Client) -> None:
    synthetic = study.simulate(benign=0, malignant=1).synthetic_views.get()

    answer = web.post(reverse("simulations:judge", args=["study", 1, synthetic.pk]), {"verdict": "reject"})

    assert answer.status_code == 400 and "Choose why the case is rejected." in answer.content.decode()


def test_pictures_of_a_case_are_read_on_record_once_in_a_session(study: Study, web: Client) -> None:
    synthetic = study.simulate(benign=0, malignant=1).synthetic_views.get()
    read = AuditEvent.objects.filter(action="simulations.read_image")

    for which in ("synthetic", "host"):
        for kind in ("low_energy", "recombined"):
            answer = web.get(reverse("simulations:crop", args=["study", 1, synthetic.pk, which, kind]))
            assert answer.status_code == 200 and answer["Content-Type"] == "image/png"
    unchanged = web.get(
        reverse("simulations:crop", args=["study", 1, synthetic.pk, which, kind]),
        headers={"If-None-Match": answer["ETag"]},
    )

    assert unchanged.status_code == 304 and read.count() == 1
    assert web.get(f"/study/simulation/1/views/{synthetic.pk}/mask/low_energy.png").status_code == 404


def test_the_gallery_filters_and_sorts(study: Study, web: Client) -> None:
    batch = study.simulate(benign=2, malignant=2)
    one = batch.synthetic_views.filter(malignancy="benign").first()
    assert one is not None

    def shown(query: str) -> list[SyntheticView]:
        return [tile.synthetic for tile in web.get(f"/study/simulation/1/?{query}").context["tiles"]]

    assert {view.malignancy for view in shown("malignancy=benign")} == {"benign"}
    pattern = one.record["cluster"]["plan"]["pattern"]
    assert {view.record["cluster"]["plan"]["pattern"] for view in shown(f"pattern={pattern}")} == {pattern}
    sizes = [view.record["cluster"]["diameter_mm"] for view in shown("sort=-size")]
    assert sizes == sorted(sizes, reverse=True)
    assert len(shown("quality=rejected")) == 0
    assert len(shown("sort=nonsense&pattern=<script>&host=²")) == 4


def test_the_record_reads_in_words_and_downloads_whole(study: Study, web: Client) -> None:
    synthetic = study.simulate(benign=0, malignant=1).synthetic_views.get()
    page = web.get(reverse("simulations:record", args=["study", 1, synthetic.pk])).content.decode()
    file = web.get(reverse("simulations:record-file", args=["study", 1, synthetic.pk]))

    for words in ("Host", "Place", "Cluster", "Grey values", "Outline", "Enhancement", "Versions", "Settings"):
        assert f"<summary>{words}</summary>" in page
    assert synthetic.record["output_sha256"] in page
    assert "Calcification pixels inside the outline" in page and "10 to 1600" in page and "passed" in page
    assert json.loads(file.content) == synthetic.record
    assert file["Content-Disposition"].startswith("attachment")


def test_a_case_again_marks_the_changed_setting_and_shows_both(study: Study, web: Client) -> None:
    from simulation.settings import SimulationSettings
    from webapp.simulations.forms import initial_settings

    synthetic = study.simulate(benign=0, malignant=1).synthetic_views.get()
    address = reverse("simulations:again", args=["study", 1, synthetic.pk])
    settings = initial_settings(SimulationSettings().to_json())
    data = {name: "on" if value is True else value for name, value in settings.items() if value is not False}

    wrong = web.post(address, data | {"set-mask_dilation_mm": "99"})
    assert wrong.status_code == 422 and "field-changed" in wrong.content.decode()
    answer = web.post(address, data | {"set-mask_dilation_mm": "3"})
    assert answer["Location"] == "/study/simulation/2/"
    run_all_here()
    page = web.get("/study/simulation/2/")

    comparison = page.context["comparison"]
    assert [row["label"] for row in comparison["settings"]] == ["Dilation of the outline"]
    outcome = {row["label"]: row["same"] for row in comparison["pairs"][0]["rows"]}
    assert outcome["Calcifications"] and not outcome["Outline, mm²"]


def test_real_clusters_that_were_not_measured_say_why(study: Study, web: Client) -> None:
    study.simulate(benign=3, malignant=3)

    plots = {plot["label"]: plot for plot in web.get("/study/simulation/1/").context["plots"]}

    assert list(plots) == ["Calcifications", "Diameter", "Spacing", "Contrast to noise", "Enhancement"]
    assert any("the pixel size is unknown" in note for note in plots["Calcifications"]["notes"])
    names = [trace["name"] for trace in plots["Calcifications"]["figure"]["data"]]
    assert "requested, benign (n=3)" in names and "realised, malignant (n=3)" in names
    assert any(note.startswith("requested: not set") for note in plots["Spacing"]["notes"])
