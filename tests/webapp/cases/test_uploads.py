"""Handing in files on the page: in pieces, within limits, and what becomes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from tests.imaging.written_files import changed
from tests.webapp.cases.material import Pairs, stored_files, write_view, zipped
from tests.webapp.records import make_member, make_project
from webapp.accounts.models import Project, User
from webapp.annotations.models import Lesion
from webapp.cases import services
from webapp.cases.importing import uploads
from webapp.cases.importing.errors import ImportStopped
from webapp.cases.importing.run import run_upload
from webapp.cases.importing.uploads import OutOfStep, Piece
from webapp.cases.models import Exam, Image, ImportBatch, ImportFile, Verdict
from webapp.core.errors import NotAllowed, UserError
from webapp.jobs.models import Job

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def curator(project: Project) -> User:
    return make_member(project, "curator")


def hand_in(actor: User, project: Project, files: dict[str, bytes], *, size: int = 1000) -> ImportBatch:
    """Send files in small pieces, as the page does."""
    batch = services.begin_upload(actor=actor, project=project, site="A")
    for index, (name, content) in enumerate(files.items(), start=1):
        for offset in range(0, len(content), size) or [0]:
            services.add_piece(
                actor=actor,
                batch=batch,
                piece=Piece(index, name, len(content), offset, content[offset : offset + size]),
            )
    return batch


def contents(folder: Path) -> dict[str, bytes]:
    return {
        f"{folder.name}/{path.relative_to(folder)}": path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_folder_in_pieces_becomes_an_exam_and_leaves_no_upload_behind(
    project: Project, curator: User, scans: Path, files_root: Path
) -> None:
    write_view(scans)
    batch = hand_in(curator, project, contents(scans))
    job = services.finish_upload(actor=curator, batch=batch)
    assert job.payload == {"batch": batch.pk} and Job.objects.get().kind == "import"

    report = run_upload(batch=ImportBatch.objects.get())

    assert report.as_dict()["imported"] == 2 and Exam.objects.get().cells != 0
    assert not (files_root / "uploads").exists() or stored_files(files_root / "uploads") == []


def test_names_of_patients_in_folders_are_not_kept(project: Project, curator: User, scans: Path) -> None:
    write_view(scans, Modality="US")
    batch = hand_in(curator, project, contents(scans))
    run_upload(batch=batch)
    assert "WINTER" not in str(list(ImportFile.objects.values()) + list(ImportBatch.objects.values()))


def test_a_manifest_among_the_files_makes_it_a_pairs_import(project: Project, curator: User, pairs: Pairs) -> None:
    pairs.add()
    pairs.write()
    run_upload(batch=hand_in(curator, project, contents(pairs.folder)))
    assert Image.objects.filter(format="png").count() == 2 and Lesion.objects.count() == 1


def test_a_zip_with_a_manifest_works_too(project: Project, curator: User, pairs: Pairs) -> None:
    pairs.add()
    pairs.write()
    archive = zipped(pairs.folder, pairs.folder.parent / "pairs.zip")
    run_upload(batch=hand_in(curator, project, {"pairs.zip": archive.read_bytes()}))
    assert Image.objects.count() == 2


def test_hostile_relative_names_stay_inside(project: Project, curator: User, pairs: Pairs, tmp_path: Path) -> None:
    pairs.add()
    pairs.write()
    files = contents(pairs.folder)
    files["../../../escaped.png"] = b"x"
    run_upload(batch=hand_in(curator, project, files))
    assert not list(tmp_path.parent.glob("escaped.png")) and Image.objects.count() == 2


@pytest.mark.parametrize(
    ("name", "expected"),
    [("../../a", "a"), ("/etc/passwd", "etc/passwd"), ("..\\..\\a", "a"), ("a/../b", "a/b"), ("..", "unnamed")],
)
def test_a_safe_name_leads_nowhere_else(name: str, expected: str) -> None:
    assert uploads.safe_name(name) == expected


def test_an_unsafe_archive_stops_the_import_and_is_removed(
    project: Project, curator: User, tmp_path: Path, files_root: Path
) -> None:
    import zipfile

    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("../x", b"x")
    batch = hand_in(curator, project, {"a.zip": path.read_bytes()})
    with pytest.raises(ImportStopped, match="Nothing was stored"):
        run_upload(batch=batch)
    batch.refresh_from_db()
    assert "outside" in batch.summary["stopped"] and stored_files(files_root) == []


def test_a_piece_sent_twice_does_no_harm_and_a_gap_is_noticed(project: Project, curator: User) -> None:
    batch = services.begin_upload(actor=curator, project=project, site="A")

    def send(offset: int, content: bytes) -> int:
        return services.add_piece(actor=curator, batch=batch, piece=Piece(1, "a", 6, offset, content))

    assert send(0, b"ab") == 2
    with pytest.raises(OutOfStep) as gap:
        send(4, b"ef")
    assert gap.value.received == 2
    assert send(2, b"cdef") == 6 and send(2, b"cdef") == 6
    assert uploads.uploaded(batch.folder)[0].path.read_bytes() == b"abcdef"


@pytest.mark.parametrize(
    "piece",
    [
        Piece(0, "a", 1, 0, b"x"),
        Piece(uploads.MOST_FILES + 1, "a", 1, 0, b"x"),
        Piece(1, "", 1, 0, b"x"),
        Piece(1, "a\x00b", 1, 0, b"x"),
        Piece(1, "a" * 1001, 1, 0, b"x"),
        Piece(1, "a", uploads.LARGEST_FILE + 1, 0, b"x"),
        Piece(1, "a", 1, 0, b"xx"),
        Piece(1, "a", -1, 0, b""),
    ],
)
def test_limits_are_said_in_words(project: Project, curator: User, files_root: Path, piece: Piece) -> None:
    batch = services.begin_upload(actor=curator, project=project, site="A")
    with pytest.raises(UserError):
        services.add_piece(actor=curator, batch=batch, piece=piece)
    assert stored_files(files_root) == []


def test_a_nearly_full_disk_takes_nothing_more(
    project: Project, curator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "SPARE_BYTES", 2**60)
    with pytest.raises(UserError, match="nearly full"):
        hand_in(curator, project, {"a.dcm": b"x"})


def test_an_upload_that_is_not_whole_cannot_be_finished(project: Project, curator: User) -> None:
    batch = services.begin_upload(actor=curator, project=project, site="A")
    with pytest.raises(UserError, match="No file arrived"):
        services.finish_upload(actor=curator, batch=batch)
    services.add_piece(actor=curator, batch=batch, piece=Piece(1, "a", 2, 0, b"x"))
    with pytest.raises(UserError, match="not arrived completely"):
        services.finish_upload(actor=curator, batch=batch)


def test_finishing_twice_starts_one_job_and_nothing_may_be_added(project: Project, curator: User) -> None:
    batch = hand_in(curator, project, {"a.dcm": b"x"})
    assert services.finish_upload(actor=curator, batch=batch) == services.finish_upload(actor=curator, batch=batch)
    batch.refresh_from_db()
    with pytest.raises(UserError, match="has begun already"):
        services.add_piece(actor=curator, batch=batch, piece=Piece(2, "b", 1, 0, b"x"))


def test_only_the_person_who_began_adds_files_and_observers_cannot(project: Project, curator: User) -> None:
    batch = services.begin_upload(actor=curator, project=project, site="A")
    with pytest.raises(UserError, match="Another person"):
        services.add_piece(actor=make_member(project, "curator"), batch=batch, piece=Piece(1, "b", 1, 0, b"x"))
    with pytest.raises(NotAllowed):
        services.begin_upload(actor=make_member(project, "observer"), project=project, site="A")


@pytest.fixture
def asked(project: Project, curator: User, scans: Path) -> ImportBatch:
    """An import in which the recombined image does not say what it is."""
    _, recombined = write_view(scans)
    changed(recombined, ImageType=["DERIVED", "PRIMARY"])
    batch = hand_in(curator, project, contents(scans))
    run_upload(batch=batch)
    batch.refresh_from_db()
    return batch


def test_a_person_says_what_an_unknown_file_is(
    asked: ImportBatch, curator: User, project: Project, files_root: Path
) -> None:
    file = ImportFile.objects.get(verdict=Verdict.ASK)
    assert not Exam.objects.get().complete and asked.summary["asked"] == 1
    client = Client()
    client.force_login(curator)
    base = f"/{project.slug}/import/{asked.number}/files/{file.pk}/"
    assert client.get(base + "picture.png").content.startswith(b"\x89PNG")
    assert b"Low energy or recombined?" in client.get(f"/{project.slug}/import/{asked.number}/").content

    assert client.post(base + "kind/", {"kind": "recombined"}).status_code == 302

    assert Exam.objects.get().complete
    assert Image.objects.get(kind="recombined").attributes["kind_rule"] == "said by a person"
    asked.refresh_from_db()
    assert (asked.summary["asked"], asked.summary["imported"]) == (0, 2)
    assert not ImportFile.objects.filter(verdict=Verdict.ASK).exists()
    assert not (files_root / "uploads").exists() or stored_files(files_root / "uploads") == []


def test_the_wrong_answer_is_refused_when_the_place_is_taken(asked: ImportBatch, curator: User) -> None:
    file = ImportFile.objects.get(verdict=Verdict.ASK)
    report = services.answer_kind(actor=curator, file=file, kind="low_energy")
    assert "stored already from another file" in report.as_dict()["failed"][0]["reason"]
    assert Image.objects.count() == 1


def test_nonsense_and_observers_cannot_answer(asked: ImportBatch, curator: User, project: Project) -> None:
    file = ImportFile.objects.get(verdict=Verdict.ASK)
    with pytest.raises(UserError, match="low energy or recombined"):
        services.answer_kind(actor=curator, file=file, kind="high_energy")
    with pytest.raises(NotAllowed):
        services.answer_kind(actor=make_member(project, "observer"), file=file, kind="recombined")
    assert ImportFile.objects.filter(verdict=Verdict.ASK).count() == 1


def test_the_page_takes_files_in_one_post_without_a_script(project: Project, curator: User, scans: Path) -> None:
    low_energy, recombined = write_view(scans)
    client = Client()
    client.force_login(curator)
    given: list[Any] = [SimpleUploadedFile(path.name, path.read_bytes()) for path in (low_energy, recombined)]
    response = client.post(f"/{project.slug}/import/", {"site": "A", "files": given})
    assert response.status_code == 302 and response.url == f"/{project.slug}/import/1/"
    assert client.get(response.url).status_code == 200
    assert run_upload(batch=ImportBatch.objects.get()).as_dict()["imported"] == 2


@pytest.mark.parametrize("values", [{"site": ""}, {"site": "a b"}, {"site": "A", "spacing_mm": "9"}, {"site": "A"}])
def test_a_form_that_lacks_something_says_so(project: Project, curator: User, values: dict[str, str]) -> None:
    client = Client()
    client.force_login(curator)
    response = client.post(f"/{project.slug}/import/", values)
    assert response.status_code == 422 and ImportBatch.objects.count() == 0


def test_the_script_talks_json(project: Project, curator: User) -> None:
    client = Client()
    client.force_login(curator)
    refused = client.post(f"/{project.slug}/import/begin/", {"site": "a b"})
    assert refused.status_code == 400 and refused.json()["error"]
    begun = client.post(f"/{project.slug}/import/begin/", {"site": "A"}).json()
    piece = begun["pieces"] + "?index=1&name=a.dcm&size=4&offset="
    kind = "application/octet-stream"
    assert client.post(piece + "0", b"ab", content_type=kind).json() == {"received": 2}
    ahead = client.post(piece + "3", b"d", content_type=kind)
    assert ahead.status_code == 409 and ahead.json() == {"received": 2}
    assert client.post(piece + "x", b"d", content_type=kind).status_code == 400
    assert client.post(begun["finish"]).status_code == 400
    assert client.post(piece + "2", b"cd", content_type=kind).json() == {"received": 4}
    assert client.post(begun["finish"]).json() == {"report": begun["report"]}
