"""Batches, controls, trials and repetitions, really simulated on small pictures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from django.db import IntegrityError, transaction
from PIL import Image as PillowImage

from imaging.reading import read_pixels
from simulation.settings import SimulationSettings
from tests.webapp.simulations.conftest import Study
from webapp.annotations.models import Annotation
from webapp.cases.models import Image, View
from webapp.core import files
from webapp.core.errors import UserError
from webapp.jobs.execution import run_all_here
from webapp.simulations import generation, services
from webapp.simulations.hosts import HostFilter
from webapp.simulations.models import SimulationBatch, SyntheticView

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def outlines(batch: SimulationBatch) -> dict[tuple[str, int, int], object]:
    """Outline of each synthetic view by class, case and host."""
    return {
        (one.malignancy, one.case_number, one.host_id): Annotation.objects.get(view=one.view).polygons
        for one in batch.synthetic_views.all()
    }


def pixels(view_id: int, kind: str) -> np.ndarray:
    return read_pixels(files.absolute(Image.objects.get(view=view_id, kind=kind).file)).pixels


def test_a_batch_says_how_far_it_is_and_what_it_found(study: Study) -> None:
    batch = study.simulate(benign=2, malignant=2, hosts=HostFilter(lateralities=("L",)))

    assert batch.finished is not None
    assert batch.summary["made"] == batch.summary["cases"] == 4
    assert {one.host.laterality for one in batch.synthetic_views.all()} == {"L"}
    assert all(one.record["outcome"]["spacing_mm"] > 0 for one in batch.synthetic_views.all())


def test_the_system_is_the_one_recognised_before_de_identification(study: Study) -> None:
    Image.objects.filter(view__exam__project=study.project).update(vendor="phantom-b")

    batch = study.simulate(benign=0, malignant=1)

    assert {one.record["host"]["vendor"] for one in batch.synthetic_views.all()} == {"phantom-b"}


def whiten(view: View) -> None:
    """White pictures in place of the view's: nothing can be inserted there."""
    for image in view.images.all():
        white = np.full((image.rows, image.columns), 255, np.uint8)
        files.write_with(image.file, PillowImage.fromarray(white).save)


def test_a_case_that_no_host_accepts_is_listed_and_the_others_are_made(study: Study, monkeypatch) -> None:
    monkeypatch.setattr(generation, "HOSTS_TRIED", 1)
    first = study.simulate(benign=0, malignant=3)
    for one in first.synthetic_views.filter(case_number=2):
        whiten(one.host)

    batch = study.simulate(benign=0, malignant=3)

    assert batch.job is not None and batch.job.state == "done", batch.job and batch.job.error
    assert batch.summary["made"] == 2
    assert [(case["malignancy"], case["number"]) for case in batch.summary["unmade"]] == [("malignant", 2)]
    assert set(batch.synthetic_views.values_list("case_number", flat=True)) == {1, 3}


def test_a_batch_that_no_host_accepts_fails_with_the_reasons(study: Study) -> None:
    for view in View.objects.filter(exam__project=study.project):
        whiten(view)
    batch = study.simulate(benign=0, malignant=1)

    assert batch.job is not None and batch.job.state == "failed"
    assert "No host accepts a cluster: " in batch.job.error


def test_the_control_has_hosts_places_outlines_and_labels_of_its_clusters_and_nothing_inserted(study: Study) -> None:
    batch = study.simulate(benign=1, malignant=2)
    control = services.create_control(actor=study.researcher, batch=batch)
    run_all_here()
    control.refresh_from_db()

    assert control.job is not None and control.job.state == "done", control.job and control.job.error
    assert outlines(control) == outlines(batch)
    for view in control.synthetic_views.all():
        twin = batch.synthetic_views.get(malignancy=view.malignancy, case_number=view.case_number, host=view.host_id)
        box = np.array(view.record["mask"]["polygons"][0])
        host, off, on = (pixels(pk, "low_energy").astype(float) for pk in (view.host_id, view.view_id, twin.view_id))
        (left, top), (right, bottom) = box.min(0).astype(int), box.max(0).astype(int)
        inside = (slice(top, bottom), slice(left, right))
        assert abs(off - host)[inside].max() <= 1 < abs(on - host)[inside].max()


def test_a_control_is_made_once(study: Study) -> None:
    batch = study.simulate()

    first = services.create_control(actor=study.researcher, batch=batch)

    assert services.create_control(actor=study.researcher, batch=batch) == first
    with pytest.raises(UserError):
        services.create_control(actor=study.researcher, batch=first)


def test_only_controls_name_a_batch(study: Study) -> None:
    batch = study.simulate(run=False)

    with pytest.raises(IntegrityError), transaction.atomic():
        SimulationBatch.objects.filter(pk=batch.pk).update(purpose="control")


def test_a_case_simulated_again_without_a_change_is_the_same_to_the_byte(study: Study) -> None:
    first = study.simulate(benign=0, malignant=1).synthetic_views.select_related("batch__project").get()

    same = services.repeat_case(actor=study.researcher, synthetic_view=first, settings=SimulationSettings())
    other = services.repeat_case(
        actor=study.researcher,
        synthetic_view=first,
        settings=replace(SimulationSettings(), mask_dilation_mm=3.0),
    )
    run_all_here()

    again = SyntheticView.objects.get(batch=same)
    assert again.host_id == first.host_id and again.record["seed"] == first.record["seed"]
    assert again.record["output_sha256"] == first.record["output_sha256"]
    wider = SyntheticView.objects.get(batch=other)
    assert wider.record["mask"]["area_mm2"] > first.record["mask"]["area_mm2"]
    assert wider.host_id == first.host_id
