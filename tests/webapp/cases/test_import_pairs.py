"""Importing view pairs by a manifest."""

from __future__ import annotations

import errno
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from imaging.contours import polygons_to_mask
from imaging.reading import read_pixels
from tests.webapp.cases.material import SHAPE, Pairs, refusals, run_import, stored_files
from webapp.annotations.models import Annotation, Lesion
from webapp.cases.importing import pairs as pairs_module
from webapp.cases.models import Exam, Image, ImportBatch, ImportFile, Patient, Site, Verdict, View
from webapp.core import files
from webapp.core.models import AuditEvent

pytestmark = pytest.mark.django_db


def test_both_breasts_of_a_patient_become_one_exam(pairs: Pairs) -> None:
    for laterality in "RL":
        for view in ("CC", "MLO"):
            pairs.add("W001", laterality, view)
    pairs.add("W002", "L", "CC")

    status, answer = run_import("import_pairs", pairs.write())

    assert status == 0
    assert answer == {
        "patients": 2, "exams": 2, "views": 5, "images": 10, "imported": 10, "unchanged": 0, "failed": [],
    }  # fmt: skip
    whole = Exam.objects.get(cells=255)
    assert whole.complete and whole.views.count() == 4 and not whole.needs_look
    assert Image.objects.count() == 10 and Lesion.objects.count() == 5


def test_a_second_run_changes_nothing(pairs: Pairs, files_root: Path) -> None:
    pairs.add()
    run_import("import_pairs", pairs.write())
    before = {path: path.stat().st_mtime_ns for path in stored_files(files_root)}
    rows = list(Exam.objects.values()), list(Image.objects.values()), list(Annotation.objects.values())

    status, answer = run_import("import_pairs", pairs.manifest)

    assert status == 0
    assert (answer["imported"], answer["unchanged"], answer["patients"], answer["failed"]) == (0, 2, 0, [])
    assert {path: path.stat().st_mtime_ns for path in stored_files(files_root)} == before
    assert rows == (list(Exam.objects.values()), list(Image.objects.values()), list(Annotation.objects.values()))


def test_a_missing_project_and_site_are_created(pairs: Pairs) -> None:
    pairs.add()
    run_import("import_pairs", pairs.write(), project="new-study", site="North")
    assert Site.objects.get(project__slug="new-study").code == "North"


def test_stored_pixels_are_those_of_the_picture_and_carry_nothing_else(pairs: Pairs) -> None:
    row = pairs.add()
    path = pairs.folder / row["low_energy"]
    pixels = np.asarray(PillowImage.open(path))
    exif = PillowImage.Exif()
    exif[0x010E] = "Winter, Ada"
    PillowImage.fromarray(pixels).save(path, exif=exif)

    run_import("import_pairs", pairs.write())

    stored = files.absolute(Image.objects.get(kind="low_energy").file)
    assert np.array_equal(read_pixels(stored).pixels, pixels)
    assert b"Winter" not in stored.read_bytes()
    assert files.sha256(stored) == Image.objects.get(kind="low_energy").sha256


def test_no_identifier_of_the_source_is_stored_in_the_clear(pairs: Pairs) -> None:
    pairs.add("WINTER-ADA")
    run_import("import_pairs", pairs.write())
    patient = Patient.objects.get()
    assert "WINTER" not in f"{patient.pseudonym}{patient.source_key}{patient.attributes}{Exam.objects.get().source_key}"
    assert not [event for event in AuditEvent.objects.all() if "WINTER" in f"{event.object_name}{event.details}"]


def test_each_region_of_the_low_energy_mask_is_a_lesion_and_keeps_its_pixels(pairs: Pairs) -> None:
    pairs.add(masks=[(30, 42, 40, 50), (60, 70, 60, 75)])
    run_import("import_pairs", pairs.write())
    outlines = [polygon for annotation in Annotation.objects.all() for polygon in annotation.polygons]
    expected = np.zeros(SHAPE, bool)
    expected[30:42, 40:50] = expected[60:70, 60:75] = True
    assert Lesion.objects.count() == 2
    assert np.array_equal(polygons_to_mask([np.array(one) for one in outlines], SHAPE), expected)
    first = Annotation.objects.first()
    assert first is not None and (first.x1, first.y1, first.x2, first.y2) == (40, 30, 50, 42)


def test_specks_of_a_mask_are_no_lesions(pairs: Pairs) -> None:
    # 0.02 % of 120 x 100 pixels is 2.4 pixels
    pairs.add(masks=[(30, 31, 40, 42), (60, 61, 60, 63)])
    run_import("import_pairs", pairs.write())
    assert Lesion.objects.count() == 1


def test_regions_that_touch_at_a_corner_are_one_lesion(pairs: Pairs) -> None:
    pairs.add(masks=[(30, 35, 40, 45), (35, 40, 45, 50)])
    run_import("import_pairs", pairs.write())
    assert Lesion.objects.count() == 1


@pytest.mark.parametrize(
    ("microcalcification", "pathology", "expected"),
    [
        ("1", "Malignant", ("cluster", "malignant")),
        ("0", "Malignant", ("mass", "malignant")),
        ("0", "Benign", ("mass", "benign")),
        ("1", "", ("cluster", "unknown")),
        ("", "Benign", ("other", "benign")),
    ],
)
def test_columns_give_type_and_malignancy(
    pairs: Pairs, microcalcification: str, pathology: str, expected: tuple[str, str]
) -> None:
    pairs.add(microcalcification=microcalcification, pathology=pathology)
    run_import("import_pairs", pairs.write())
    lesion = Lesion.objects.get()
    assert (lesion.lesion_type, lesion.malignancy) == expected


def test_a_view_without_mask_has_no_lesion(pairs: Pairs) -> None:
    pairs.add(mask_low_energy="", mask_recombined="")
    status, _ = run_import("import_pairs", pairs.write())
    assert status == 0 and Lesion.objects.count() == 0


def test_unknown_columns_are_kept_as_attributes(pairs: Pairs) -> None:
    pairs.columns.append("density")
    pairs.add(density="C")
    run_import("import_pairs", pairs.write())
    assert View.objects.get().attributes["density"] == "C"
    assert View.objects.get().attributes["birads"] == "4"


def test_spacing_is_unknown_unless_given(pairs: Pairs) -> None:
    pairs.add()
    run_import("import_pairs", pairs.write())
    assert Image.objects.filter(spacing_row=None, spacing_column=None).count() == 2
    run_import("import_pairs", pairs.manifest, "--spacing", "0.1", project="other")
    assert Image.objects.filter(view__exam__project__slug="other", spacing_row=0.1, spacing_column=0.1).count() == 2


def test_a_view_listed_twice_is_refused_once_and_the_others_go_on(pairs: Pairs) -> None:
    pairs.add()
    pairs.add("W001", "R", "MLO")
    pairs.add()
    status, answer = run_import("import_pairs", pairs.write())
    assert status == 1 and answer["imported"] == 4
    assert refusals(answer) == [
        "Line 4: R CC is on line 2 already. Keep one of the two lines: an exam has each view once."
    ]


def test_another_picture_for_a_stored_view_is_refused_and_the_stored_one_stays(pairs: Pairs) -> None:
    row = pairs.add()
    run_import("import_pairs", pairs.write())
    before = list(Image.objects.values_list("sha256", flat=True))
    PillowImage.new("L", (100, 120), 77).save(pairs.folder / row["recombined"])

    status, answer = run_import("import_pairs", pairs.manifest)

    assert status == 1 and "stored already from another file" in refusals(answer)[0]
    assert list(Image.objects.values_list("sha256", flat=True)) == before


def test_another_mask_for_a_stored_view_is_not_silently_dropped(pairs: Pairs) -> None:
    row = pairs.add()
    run_import("import_pairs", pairs.write())
    PillowImage.new("L", (100, 120)).save(pairs.folder / row["mask_low_energy"])
    status, answer = run_import("import_pairs", pairs.manifest)
    assert status == 1 and "other outlines" in refusals(answer)[0] and Lesion.objects.count() == 1


def test_one_picture_cannot_belong_to_two_patients(pairs: Pairs) -> None:
    first = pairs.add("W001")
    pairs.add("W002", low_energy=first["low_energy"])
    status, answer = run_import("import_pairs", pairs.write())
    assert (
        status == 1 and answer["imported"] == 2 and "The same file is stored already as Case 1" in refusals(answer)[0]
    )


def test_a_full_disk_is_said_and_leaves_whole_views_only(
    pairs: Pairs, files_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for patient in ("W001", "W002", "W003"):
        pairs.add(patient)
    written = Counter[str]()
    write = pairs_module._write_png

    def full_from_the_fourth(target: Path, pixels: np.ndarray) -> None:
        written["images"] += 1
        if written["images"] >= 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(target, pixels)

    monkeypatch.setattr(pairs_module, "_write_png", full_from_the_fourth)
    status, answer = run_import("import_pairs", pairs.write())

    assert status == 1 and "disk" in refusals(answer)[-1] and "is full" in refusals(answer)[-1]
    assert answer["imported"] == 2 and Image.objects.count() == 2 and Patient.objects.count() == 1
    assert len(stored_files(files_root)) == 4


def test_the_report_keeps_every_verdict_and_the_audit_trail_the_import(pairs: Pairs) -> None:
    pairs.add("W001")
    missing = pairs.add("W002")
    (pairs.folder / missing["low_energy"]).unlink()
    run_import("import_pairs", pairs.write())
    batch = ImportBatch.objects.get()
    assert batch.finished is not None and batch.summary["imported"] == 2 and batch.summary["refused"] == 1
    verdicts = Counter(ImportFile.objects.values_list("verdict", flat=True))
    assert verdicts == {Verdict.IMPORTED: 2, Verdict.REFUSED: 1}
    event = AuditEvent.objects.get(action="cases.import")
    assert event.details["imported"] == 2 and event.actor_name == "system"


@pytest.mark.slow
def test_the_real_pairs_come_in_once(shared_data: Path) -> None:
    manifest = shared_data / "cdd-cesm-512" / "pairs.csv"
    if not manifest.exists():
        pytest.skip("cdd-cesm-512 absent")
    status, answer = run_import("import_pairs", manifest)
    assert status == 0
    assert (answer["patients"], answer["exams"], answer["views"], answer["images"]) == (123, 123, 221, 442)
    lesions = Counter(Lesion.objects.values_list("lesion_type", "malignancy"))
    assert set(lesions) == {("mass", "malignant"), ("cluster", "malignant")}
    # every listed view has a drawn lesion
    assert View.objects.filter(annotations__isnull=False).distinct().count() == 221

    status, again = run_import("import_pairs", manifest)
    assert (status, again["imported"], again["unchanged"], again["patients"]) == (0, 0, 442, 0)
    assert Exam.objects.count() == 123 and Lesion.objects.count() == sum(lesions.values())
