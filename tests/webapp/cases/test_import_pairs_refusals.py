"""What is refused of a manifest and its pairs, in words, and that nothing of it stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from PIL import Image as PillowImage

from tests.webapp.cases.material import Pairs, nothing_stored, refusals, run_import, stored_files
from webapp.accounts.models import Project
from webapp.cases.models import Exam, Patient, View

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("spacing", ["0", "-0.1", "nan", "5"])
def test_impossible_spacing_is_refused_before_anything_is_stored(pairs: Pairs, files_root: Path, spacing: str) -> None:
    pairs.add()
    status, answer = run_import("import_pairs", pairs.write(), f"--spacing={spacing}")
    assert status == 1 and "spacing" in refusals(answer)[0] and nothing_stored(files_root)


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
