"""Importing DICOM from archives: what is unsafe is refused as a whole, before or while it is unpacked."""

from __future__ import annotations

import io
import stat
import zipfile
from pathlib import Path

import pytest

from tests.webapp.cases.material import (
    nothing_stored,
    refusals,
    run_import,
    stored_files,
    write_view,
    zipped,
)
from webapp.accounts.models import Project
from webapp.cases.importing import archive

pytestmark = pytest.mark.django_db


def test_zip_and_single_file_give_what_the_folder_gives(scans: Path) -> None:
    low_energy, _ = write_view(scans)
    _, from_zip = run_import("import_dicom", zipped(scans, scans.parent / "export.zip"))
    assert from_zip["imported"] == 2
    _, single = run_import("import_dicom", low_energy)
    assert (single["imported"], single["unchanged"]) == (0, 1)


def make_zip(path: Path, **entries: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as packed:
        for name, content in entries.items():
            packed.writestr(name, content)
    return path


def empty_zip(path: Path) -> None:
    make_zip(path)


def folders_only(path: Path) -> None:
    make_zip(path, **{"a/": b""})


def climbing(path: Path) -> None:
    make_zip(path, **{"../../climb.dcm": b"x"})


def absolute_name(path: Path) -> None:
    make_zip(path, **{"/climb.dcm": b"x"})


def drive_name(path: Path) -> None:
    make_zip(path, **{"C:/climb.dcm": b"x"})


def backslashes(path: Path) -> None:
    entry = zipfile.ZipInfo("a.dcm")
    entry.filename = "..\\climb.dcm"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr(entry, b"x")


def link(path: Path) -> None:
    entry = zipfile.ZipInfo("link")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr(entry, "/etc/passwd")


def nested(path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as packed:
        packed.writestr("a.dcm", b"x")
    make_zip(path, **{"innocent.dcm": inner.getvalue()})


def bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("bomb.dcm", b"\0" * (60 * 2**20))


def encrypted(path: Path) -> None:
    make_zip(path, **{"a.dcm": b"x"})
    content = bytearray(path.read_bytes())
    content[content.find(b"PK\x01\x02") + 8] |= 1
    content[6] |= 1
    path.write_bytes(bytes(content))


def damaged(path: Path) -> None:
    make_zip(path, **{"a.dcm": b"x" * 5000})
    path.write_bytes(path.read_bytes()[:3000])


def wrong_checksum(path: Path) -> None:
    make_zip(path, **{"a.dcm": b"x" * 50})
    path.write_bytes(path.read_bytes().replace(b"x" * 50, b"y" * 50))


def twice(path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(path, "w") as packed:
        packed.writestr("a.dcm", b"x")
        packed.writestr("a.dcm", b"y")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (empty_zip, "empty"),
        (folders_only, "empty"),
        (climbing, "outside"),
        (absolute_name, "outside"),
        (drive_name, "outside"),
        (backslashes, "outside"),
        (link, "link"),
        (nested, "another archive"),
        (bomb, "would grow from"),
        (encrypted, "encrypted"),
        (damaged, "damaged"),
        (wrong_checksum, "damaged"),
        (twice, "same name twice"),
    ],
)
def test_an_unsafe_archive_is_refused_as_a_whole(tmp_path: Path, files_root: Path, spoil: object, words: str) -> None:
    path = tmp_path / "export.zip"
    assert callable(spoil)
    spoil(path)
    status, answer = run_import("import_dicom", path)
    assert status == 1 and answer["failed"][0]["file"] == "export.zip"
    assert words in refusals(answer)[0] and "Nothing was stored" in refusals(answer)[0]
    assert nothing_stored(files_root) and Project.objects.count() == 0
    assert stored_files(files_root.parent) == []
    assert not (tmp_path / "climb.dcm").exists() and not (tmp_path.parent / "climb.dcm").exists()


def test_an_archive_of_too_many_entries_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_ENTRIES", 3)
    path = make_zip(tmp_path / "many.zip", **{f"{number}.dcm": b"x" for number in range(4)})
    status, answer = run_import("import_dicom", path)
    assert status == 1 and "4 entries" in refusals(answer)[0]


def test_an_archive_larger_than_the_free_space_is_refused_before_unpacking(
    scans: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_view(scans)
    path = zipped(scans, scans.parent / "export.zip")
    monkeypatch.setattr(archive, "SPARE_BYTES", 2**60)
    status, answer = run_import("import_dicom", path)
    assert status == 1 and "are free" in refusals(answer)[0]


def test_an_archive_that_grows_beyond_what_it_says_is_stopped(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "liar.zip", **{"a.dcm": b"x" * 5000})
    content = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = content.find(mark) + offset
        content[at : at + 4] = (10).to_bytes(4, "little")
    path.write_bytes(bytes(content))
    status, answer = run_import("import_dicom", path)
    assert status == 1 and "Nothing was stored" in refusals(answer)[0]
