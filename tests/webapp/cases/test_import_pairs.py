"""Importing view pairs by a manifest."""

from __future__ import annotations

import errno
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from PIL import Image as PillowImage

from imaging.contours import polygons_to_mask
from imaging.reading import read_pixels
from tests.webapp.cases.material import SHAPE, Pairs, run_import, stored_files
from webapp.accounts.models import Project
from webapp.annotations.models import Annotation, Lesion
from webapp.cases.importing import pairs as pairs_module
from webapp.cases.models import Exam, Image, ImportBatch, ImportFile, Patient, Site, Verdict, View
from webapp.core import files
from webapp.core.models import AuditEvent

pytestmark = pytest.mark.django_db


def refusals(answer: dict) -> list[str]:
    return [failure["reason"] for failure in answer["failed"]]


def nothing_stored(files_root: Path) -> bool:
    rows = Patient.objects.count() + Exam.objects.count() + View.objects.count() + Image.objects.count()
    return rows == 0 and stored_files(files_root) == []


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


@pytest.mark.parametrize("spacing", ["0", "-0.1", "nan", "5"])
def test_impossible_spacing_is_refused_before_anything_is_stored(pairs: Pairs, files_root: Path, spacing: str) -> None:
    pairs.add()
    status, answer = run_import("import_pairs", pairs.write(), f"--spacing={spacing}")
    assert status == 1 and "spacing" in refusals(answer)[0] and nothing_stored(files_root)


def test_a_view_listed_twice_is_refused_once_and_the_others_go_on(pairs: Pairs) -> None:
    pairs.add()
    pairs.add("W001", "R", "MLO")
    pairs.add()
    status, answer = run_import("import_pairs", pairs.write())
    assert status == 1 and answer["imported"] == 4
    assert refusals(answer) == [
        "Line 4: R CC is on line 2 already. Keep one of the two lines: an exam has each view once."
    ]


def missing_file(pairs: Pairs) -> None:
    (pairs.folder / pairs.rows[0]["recombined"]).unlink()


def mask_of_another_size(pairs: Pairs) -> None:
    PillowImage.new("L", (50, 50)).save(pairs.folder / pairs.rows[0]["mask_low_energy"])


def recombined_mask_of_another_size(pairs: Pairs) -> None:
    PillowImage.new("L", (50, 50)).save(pairs.folder / pairs.rows[0]["mask_recombined"])


def pair_of_two_sizes(pairs: Pairs) -> None:
    PillowImage.new("L", (99, 120)).save(pairs.folder / pairs.rows[0]["recombined"])


def unreadable_image(pairs: Pairs) -> None:
    (pairs.folder / pairs.rows[0]["low_energy"]).write_bytes(b"\x89PNG\r\n\x1a\nno more")


def cut_off_image(pairs: Pairs) -> None:
    path = pairs.folder / pairs.rows[0]["low_energy"]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def colour_image(pairs: Pairs) -> None:
    PillowImage.new("RGB", (100, 120), (200, 20, 20)).save(pairs.folder / pairs.rows[0]["low_energy"])


def the_same_picture_twice(pairs: Pairs) -> None:
    pairs.rows[0]["recombined"] = pairs.rows[0]["low_energy"]


def path_outside(pairs: Pairs) -> None:
    outside = pairs.folder.parent / "outside.png"
    (pairs.folder / pairs.rows[0]["low_energy"]).rename(outside)
    pairs.rows[0]["low_energy"] = "../outside.png"


def absolute_path(pairs: Pairs) -> None:
    pairs.rows[0]["low_energy"] = str(pairs.folder / pairs.rows[0]["low_energy"])


def link_outside(pairs: Pairs) -> None:
    path = pairs.folder / pairs.rows[0]["low_energy"]
    outside = pairs.folder.parent / "outside.png"
    path.rename(outside)
    path.symlink_to(outside)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (missing_file, "recombined: the file"),
        (mask_of_another_size, "the mask has 50 × 50 pixels, the image 120 × 100"),
        (recombined_mask_of_another_size, "the mask has 50 × 50 pixels"),
        (pair_of_two_sizes, "must have the same size"),
        (unreadable_image, "none of DICOM, PNG, JPEG or PGM"),
        (cut_off_image, "damaged"),
        (colour_image, "in colour"),
        (the_same_picture_twice, "the same picture"),
        (path_outside, "outside the manifest's folder"),
        (absolute_path, "outside the manifest's folder"),
        (link_outside, "outside the manifest's folder"),
    ],
)
def test_a_bad_row_leaves_nothing_behind_and_the_others_go_on(
    pairs: Pairs, files_root: Path, spoil: object, words: str
) -> None:
    pairs.add("W001")
    pairs.add("W002")
    assert callable(spoil)
    spoil(pairs)

    status, answer = run_import("import_pairs", pairs.write())

    assert status == 1 and answer["imported"] == 2 and answer["patients"] == 1
    assert len(answer["failed"]) == 1 and words in refusals(answer)[0] and "Line 2" in refusals(answer)[0]
    assert Patient.objects.count() == Exam.objects.count() == View.objects.count() == 1
    # two images and two thumbnails of the good row
    assert len(stored_files(files_root)) == 4


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("laterality", "X", "laterality is “X”: R or L is needed"),
        ("view", "LM", "view is “LM”: CC or MLO is needed"),
        ("pathology", "perhaps", "pathology is “perhaps”"),
        ("microcalcification", "many", "microcalcification is “many”: 1 or 0 is needed"),
        ("patient", "", "patient is empty"),
        ("low_energy", "", "low_energy is empty"),
        ("recombined", "", "recombined is empty"),
    ],
)
def test_a_wrong_value_names_line_and_column(pairs: Pairs, column: str, value: str, words: str) -> None:
    pairs.add("W001", **{column: value}) if column != "patient" else pairs.add("W001").update(patient="")
    status, answer = run_import("import_pairs", pairs.write())
    assert status == 1 and words in refusals(answer)[0] and "Line 2" in refusals(answer)[0]


@pytest.mark.parametrize("column", ["patient", "laterality", "view", "low_energy", "recombined"])
def test_a_missing_column_is_named_and_nothing_is_stored(pairs: Pairs, files_root: Path, column: str) -> None:
    pairs.add()
    pairs.columns.remove(column)
    status, answer = run_import("import_pairs", pairs.write())
    assert status == 1 and f"lacks the column {column}" in refusals(answer)[0]
    assert nothing_stored(files_root) and Project.objects.count() == 0


def test_a_misspelt_column_is_named_with_the_right_one(pairs: Pairs) -> None:
    pairs.add()
    text = pairs.write().read_text().replace("mask_low_energy,", "mask_lowenergy,", 1)
    pairs.manifest.write_text(text)
    status, answer = run_import("import_pairs", pairs.manifest)
    assert status == 1 and "mask_lowenergy is not known; did you mean mask_low_energy?" in refusals(answer)[0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"patient,laterality,view,low_energy,recombined\n", "no views"),
        (b"patient;laterality;view;low_energy;recombined\nA;R;CC;a;b\n", "separated by commas"),
        (b"\xff\xfe\x00p", "not UTF-8"),
        (b"patient,patient,laterality,view,low_energy,recombined\nA,A,R,CC,a,b\n", "patient more than once"),
        (b'patient,laterality,view,low_energy,recombined\n"A,R,CC,a,b\n', "broken"),
    ],
)
def test_an_unusable_manifest_says_why(pairs: Pairs, files_root: Path, content: bytes, words: str) -> None:
    pairs.manifest.write_bytes(content)
    status, answer = run_import("import_pairs", pairs.manifest)
    assert status == 1 and words in refusals(answer)[0] and nothing_stored(files_root)


def test_an_absent_manifest_is_said_in_words_without_json_too(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"absent\.csv is not there"):
        call_command("import_pairs", str(tmp_path / "absent.csv"), "--project", "study", "--site", "A")


def test_an_impossible_project_name_is_said_in_words(pairs: Pairs) -> None:
    pairs.add()
    status, answer = run_import("import_pairs", pairs.write(), project="Not A Slug")
    assert status == 1 and "Project slug" in refusals(answer)[0]


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
