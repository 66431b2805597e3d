"""Importing DICOM: every file has a verdict, nothing identifying is kept, nothing is half-written."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pydicom
import pytest
from django.test import Client
from PIL import Image as PillowImage

from imaging.deidentification_profile import Action
from imaging.reading import read_pixels
from simulation.phantom.phantom_set import write_phantom_set
from tests.imaging.written_files import changed
from tests.webapp.cases.material import (
    breast,
    nothing_stored,
    refusals,
    run_import,
    stored_files,
    write_view,
)
from tests.webapp.records import make_member
from webapp.accounts.models import Project
from webapp.annotations.models import Lesion
from webapp.cases import matrix
from webapp.cases.import_report import DEIDENTIFICATION
from webapp.cases.importing.phantoms import import_phantom_set
from webapp.cases.models import Exam, Image, ImportBatch, ImportFile, Patient, Verdict, View
from webapp.core import files
from webapp.core.models import AuditEvent

pytestmark = pytest.mark.django_db


def test_a_folder_becomes_an_exam_with_its_matrix(scans: Path) -> None:
    for laterality in "RL":
        for view in ("CC", "MLO"):
            write_view(scans, laterality=laterality, view=view)
    status, answer = run_import("import_dicom", scans)
    assert status == 0
    assert (answer["patients"], answer["exams"], answer["views"], answer["imported"]) == (1, 1, 4, 8)
    exam = Exam.objects.get()
    assert exam.complete and exam.cells == matrix.ALL and exam.attention == []
    assert exam.patient.age == 61
    image = Image.objects.first()
    assert image is not None and image.spacing_row == pytest.approx(0.1) and image.bits_stored == 12


def test_a_second_run_changes_nothing(scans: Path, files_root: Path) -> None:
    write_view(scans)
    run_import("import_dicom", scans)
    before = {path: path.stat().st_mtime_ns for path in stored_files(files_root)}
    status, answer = run_import("import_dicom", scans)
    assert (status, answer["imported"], answer["unchanged"], answer["exams"]) == (0, 0, 2, 0)
    assert {path: path.stat().st_mtime_ns for path in stored_files(files_root)} == before


def test_no_identifier_of_the_file_is_kept_anywhere(scans: Path, files_root: Path) -> None:
    paths = write_view(scans)
    original = pydicom.dcmread(paths[0])
    run_import("import_dicom", scans)

    needles = [
        b"Winter",
        b"4711-0815",
        b"19600102",
        b"ACC123456",
        b"General Hospital",
        original.StudyInstanceUID.encode(),
    ]
    for path in stored_files(files_root):
        assert not [needle for needle in needles if needle in path.read_bytes()]
    told = str(
        [list(model.objects.values()) for model in (Patient, Exam, View, Image, ImportBatch, ImportFile, AuditEvent)]
    )
    for needle in (*needles, b"WINTER"):
        assert needle.decode() not in told

    image = Image.objects.get(kind="low_energy")
    stored = pydicom.dcmread(files.absolute(image.file))
    assert stored.PatientID == stored.PatientName == Patient.objects.get().pseudonym
    assert stored.StudyDate != original.StudyDate and stored.SOPInstanceUID == image.sop_uid
    assert image.deidentification["changes"] and image.deidentification["schema"] == "cemlab.deidentification/1"
    assert ImportBatch.objects.get().summary["deidentification"]["files"] == 2


def test_the_report_says_in_words_what_was_taken_out(scans: Path) -> None:
    assert {action.value for action in Action if action is not Action.KEEP} <= set(DEIDENTIFICATION)
    write_view(scans)
    run_import("import_dicom", scans)
    batch = ImportBatch.objects.get()
    assert set(batch.summary["deidentification"]) <= set(DEIDENTIFICATION)
    client = Client()
    client.force_login(make_member(batch.project, "curator"))
    page = client.get(f"/{batch.project.slug}/import/{batch.number}/").content.decode()
    assert "<dt>DICOM files stored</dt><dd>2</dd>" in page
    assert "<dt>UIDs replaced</dt>" in page and "<dt>UID replaced</dt>" not in page


def test_pixels_are_untouched(scans: Path) -> None:
    low_energy, _ = write_view(scans)
    run_import("import_dicom", scans)
    stored = files.absolute(Image.objects.get(kind="low_energy").file)
    assert (read_pixels(stored).pixels == read_pixels(low_energy).pixels).all()


def test_a_missing_partner_is_flagged_and_can_follow(scans: Path) -> None:
    _, recombined = write_view(scans)
    later = scans.parent / "later"
    later.mkdir()
    recombined.rename(later / "recombined.dcm")
    run_import("import_dicom", scans)
    exam = Exam.objects.get()
    assert not exam.complete and exam.attention == ["R CC recombined is missing"]

    status, answer = run_import("import_dicom", later)
    exam.refresh_from_db()
    assert (status, answer["exams"], answer["views"], answer["imported"]) == (0, 0, 0, 1)
    assert exam.complete and exam.attention == []


def test_names_and_folders_do_not_matter(scans: Path) -> None:
    low_energy, recombined = write_view(scans)
    low_energy.rename(scans / "recombined_but_not.txt")
    recombined.rename(scans / "x")
    run_import("import_dicom", scans)
    assert Image.objects.get(kind="low_energy").attributes["kind_rule"] == "Image Type value 5"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ImageType": ["DERIVED", "PRIMARY", "POST_CONTRAST", "", "HIGH_ENERGY"]}, "high-energy"),
        ({"Modality": "CT"}, "Modality (0008,0060)"),
        ({"ImageType": ["DERIVED", "PRIMARY", "TOMO_2D", "", "LOW_ENERGY"]}, "tomosynthesis"),
        ({"EstimatedRadiographicMagnificationFactor": "1.8"}, "magnification view"),
        ({"PresentationIntentType": "FOR PROCESSING"}, "FOR PROCESSING"),
        ({"ViewPosition": "XCCL", "ViewCodeSequence": None}, "neither CC nor MLO"),
        ({"ImageLaterality": None}, "left from right"),
        ({"PatientID": ""}, "Patient ID (0010,0020) is empty"),
        ({"StudyInstanceUID": ""}, "Study Instance UID"),
        ({"BurnedInAnnotation": "YES"}, "Burned In Annotation"),
    ],
)
def test_what_is_no_cem_view_is_refused_in_words(
    scans: Path, files_root: Path, changes: dict[str, Any], words: str
) -> None:
    write_view(scans, **changes)
    status, answer = run_import("import_dicom", scans)
    assert status == 1 and answer["imported"] == 0
    assert all(words in reason for reason in refusals(answer)) and len(answer["failed"]) == 2
    assert nothing_stored(files_root)


def test_an_unknown_kind_is_asked_and_not_stored(scans: Path, files_root: Path) -> None:
    write_view(scans, ImageType=["DERIVED", "PRIMARY"])
    status, answer = run_import("import_dicom", scans)
    assert status == 1 and len(answer["failed"]) == 2
    assert all(reason.startswith("Needs a person") for reason in refusals(answer))
    assert ImportFile.objects.filter(verdict=Verdict.ASK).count() == 2 and nothing_stored(files_root)


def test_a_refused_file_does_not_hold_back_the_others(scans: Path, files_root: Path) -> None:
    write_view(scans)
    write_view(scans, laterality="L", Modality="US")
    status, answer = run_import("import_dicom", scans)
    assert (status, answer["imported"], len(answer["failed"])) == (1, 2, 2)
    assert len(stored_files(files_root)) == 4


def test_reports_show_base_names_only(scans: Path) -> None:
    write_view(scans / "WINTER^ADA", Modality="US")
    _, answer = run_import("import_dicom", scans)
    assert {failure["file"] for failure in answer["failed"]} == {"R_CC_low_energy.dcm", "R_CC_recombined.dcm"}
    assert not ImportFile.objects.filter(name__contains="/").exists()


def test_pairs_of_different_size_are_refused(scans: Path, files_root: Path) -> None:
    first, _ = write_view(scans)
    _, second = write_view(scans / "b", shape=(140, 100))
    first.with_name("R_CC_recombined.dcm").unlink()
    second.rename(scans / "R_CC_recombined.dcm")
    (scans / "b" / "R_CC_low_energy.dcm").unlink()
    status, answer = run_import("import_dicom", scans)
    assert status == 1 and all("different sizes (120 × 100 and 140 × 100)" in reason for reason in refusals(answer))
    assert len(answer["failed"]) == 2 and nothing_stored(files_root)


def test_a_side_that_contradicts_the_pixels_is_flagged(scans: Path) -> None:
    write_view(scans, laterality="R", pixels_of="L")
    status, _ = run_import("import_dicom", scans)
    exam = Exam.objects.get()
    assert status == 0 and exam.needs_look and exam.complete
    assert exam.attention == ["R CC: the header says right breast, but the chest wall is on the left"]


@pytest.mark.parametrize(
    ("fact", "value", "words"),
    [
        ("PatientBirthDate", "19710203", "birth date"),
        ("PatientSex", "M", "sex"),
        ("IssuerOfPatientID", "Elsewhere", "issuer of the identifier"),
    ],
)
def test_two_people_under_one_identifier_are_refused(
    scans: Path, files_root: Path, fact: str, value: str, words: str
) -> None:
    write_view(scans, **({"IssuerOfPatientID": "Here"} if fact == "IssuerOfPatientID" else {}))
    write_view(scans, laterality="L", study="2", **{fact: value})
    status, answer = run_import("import_dicom", scans)
    assert status == 1 and len(answer["failed"]) == 4 and nothing_stored(files_root)
    assert all(f"differ in {words}" in reason for reason in refusals(answer))


def test_a_later_import_that_contradicts_a_stored_patient_is_refused(scans: Path) -> None:
    write_view(scans)
    run_import("import_dicom", scans)
    later = scans.parent / "later"
    write_view(later, laterality="L", study="2", PatientBirthDate="19710203")
    status, answer = run_import("import_dicom", later)
    assert status == 1 and all("but its birth date differs" in reason for reason in refusals(answer))
    assert Exam.objects.count() == 1 and Image.objects.count() == 2


def test_a_repeated_exposure_keeps_the_complete_and_later_pair(scans: Path) -> None:
    early = write_view(scans, stem="early", seed=1, AcquisitionDateTime="20210304090000")
    late = write_view(scans, stem="late", seed=2, AcquisitionDateTime="20210304090500")
    for path in late:
        changed(path, StudyInstanceUID=pydicom.dcmread(early[0]).StudyInstanceUID)
    status, answer = run_import("import_dicom", scans)
    assert status == 1 and answer["imported"] == 2
    assert {failure["file"] for failure in answer["failed"]} == {path.name for path in early}
    assert all("exposed more than once" in reason for reason in refusals(answer))


def test_the_same_file_twice_is_taken_once(scans: Path) -> None:
    low_energy, _ = write_view(scans)
    (scans / "copy.dcm").write_bytes(low_energy.read_bytes())
    status, answer = run_import("import_dicom", scans)
    assert (status, answer["imported"], answer["failed"]) == (0, 2, [])
    assert ImportFile.objects.get(verdict=Verdict.IGNORED).reason == "A copy of another file of this import."


def test_other_files_of_a_disc_are_not_mistaken_for_images(scans: Path) -> None:
    write_view(scans)
    (scans / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM")
    (scans / ".DS_Store").write_bytes(b"x")
    (scans / "readme.txt").write_text("export of 2021")
    PillowImage.fromarray(breast("L", 1).astype("uint8")).save(scans / "screenshot.png")
    (scans / "link.dcm").symlink_to(scans.parent / "elsewhere.dcm")
    status, answer = run_import("import_dicom", scans)
    assert status == 1 and answer["imported"] == 2
    reasons = {failure["file"]: failure["reason"] for failure in answer["failed"]}
    assert set(reasons) == {"readme.txt", "screenshot.png", "link.dcm"}
    assert "none of DICOM" in reasons["readme.txt"] and "manifest" in reasons["screenshot.png"]
    assert "link to another place" in reasons["link.dcm"]


@pytest.mark.parametrize("what", ["absent", "empty"])
def test_an_absent_or_empty_folder_is_said(tmp_path: Path, what: str) -> None:
    if what == "empty":
        (tmp_path / what).mkdir()
    status, answer = run_import("import_dicom", tmp_path / what)
    assert status == 1 and "othing was imported" in refusals(answer)[0]


def test_a_full_disk_leaves_nothing_half_written(
    scans: Path, files_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_view(scans)
    real, calls = files.write, []

    def full(relative: str, content: bytes) -> Path:
        calls.append(relative)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(relative, content)

    monkeypatch.setattr(files, "write", full)
    status, answer = run_import("import_dicom", scans)
    assert status == 1 and "is full" in refusals(answer)[-1] and nothing_stored(files_root)


def test_real_mammograms_get_their_verdicts(shared_data: Path) -> None:
    folder = shared_data / "dicom-mg"
    if not folder.is_dir():
        pytest.skip("dicom-mg absent")
    status, answer = run_import("import_dicom", folder)
    reasons = {failure["file"]: failure["reason"] for failure in answer["failed"]}
    assert status == 1 and answer["imported"] == 0 and len(reasons) == 3
    assert reasons["ge_essential_mlo_jpeg_lossless.dcm"].startswith("Needs a person: R MLO")
    assert "biopsy" in reasons["siemens_stereo_crop_out_of_bounds_overlay.dcm"]
    assert "Modality" in reasons["nema_digitised_film_j2k.dcm"]


def test_malformed_files_are_all_refused_and_none_breaks_the_import(shared_data: Path, files_root: Path) -> None:
    folder = shared_data / "dicom-malformed"
    if not folder.is_dir():
        pytest.skip("dicom-malformed absent")
    status, answer = run_import("import_dicom", folder)
    assert status == 1 and answer["imported"] == 0 and nothing_stored(files_root)
    assert ImportFile.objects.count() == len(list(folder.iterdir()))
    assert all(failure["reason"] for failure in answer["failed"])


def test_phantoms_bring_their_lesions_linked_across_views(tmp_path: Path) -> None:
    manifest = write_phantom_set(tmp_path / "set", sites={"A": 1, "B": 1}, size="test", seed=5)
    project = Project.objects.create(slug="demo", name="Demo")
    reports = import_phantom_set(project=project, manifest=manifest)
    assert [report.counts["views"] for report in reports] == [4, 4] and not any(one.failed for one in reports)
    assert set(Exam.objects.values_list("origin", flat=True)) == {"phantom"}
    assert {lesion.annotations.count() for lesion in Lesion.objects.all()} == {2}
    assert set(Lesion.objects.values_list("origin", flat=True)) == {"phantom"}
    assert {site.code for site in project.sites.all()} == {"A", "B"}

    again = import_phantom_set(project=project, manifest=manifest)
    assert [report.counts["imported"] for report in again] == [0, 0] and Lesion.objects.count() == 2
