"""Files are addressed inside the data folder only, and nobody sees half of one."""

from __future__ import annotations

import errno
import hashlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from webapp.core import files


@pytest.fixture
def root(settings, tmp_path: Path) -> Path:
    settings.FILES_ROOT = tmp_path / "files"
    settings.FILES_ROOT.mkdir()
    return settings.FILES_ROOT


def everything(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


part = st.one_of(st.sampled_from(["..", ".", "", "images", "a b", "~", "%2e%2e", "…"]), st.text("ab./\\", max_size=6))


@given(parts=st.lists(part, max_size=8), absolute=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_a_stored_name_never_leads_out_of_the_folder(root: Path, parts: list[str], absolute: bool) -> None:
    name = ("/" if absolute else "") + "/".join(parts)
    try:
        found = files.absolute(name)
    except ValueError:
        return
    assert found.is_relative_to(root.resolve()) and ".." not in found.parts


@pytest.mark.parametrize("name", ["../secrets/cemlab_secret_key", "images/../../x", "/etc/passwd", "images/../.."])
def test_names_that_lead_out_are_refused(root: Path, name: str) -> None:
    with pytest.raises(ValueError, match="outside the data folder"):
        files.absolute(name)


def test_a_link_that_leads_out_is_refused(root: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (root / "images").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="outside the data folder"):
        files.absolute("images/picture.png")


def test_new_names_are_opaque_and_differ(root: Path) -> None:
    names = {files.new_name("images", ".dcm") for _ in range(50)}
    assert len(names) == 50
    assert all(name.startswith("images/") and name.endswith(".dcm") for name in names)
    for name in names:
        files.absolute(name)


def test_what_is_written_is_read(root: Path) -> None:
    path = files.write("area/x.bin", b"content")
    assert path.read_bytes() == b"content"
    assert files.sha256(path) == hashlib.sha256(b"content").hexdigest()
    assert everything(root) == ["x.bin"]


def test_a_full_disk_leaves_the_old_file_and_nothing_else(root: Path) -> None:
    files.write("area/x.bin", b"old")

    def half(draft: Path) -> None:
        draft.write_bytes(b"ne")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        files.write_with("area/x.bin", half)

    assert everything(root) == ["x.bin"]
    assert files.absolute("area/x.bin").read_bytes() == b"old"


def test_while_a_file_is_being_written_readers_see_the_old_one(root: Path) -> None:
    files.write("area/x.bin", b"old")
    seen = []

    def writer(draft: Path) -> None:
        draft.write_bytes(b"half")
        seen.append(files.absolute("area/x.bin").read_bytes())

    files.write_with("area/x.bin", writer)
    assert seen == [b"old"]
    assert files.absolute("area/x.bin").read_bytes() == b"half"


def test_a_writer_that_writes_nothing_leaves_nothing(root: Path) -> None:
    with pytest.raises(FileNotFoundError):
        files.write_with("area/x.bin", lambda draft: None)
    assert everything(root) == []


def test_a_rename_that_fails_leaves_no_draft(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="Input/output"):
        files.write("area/x.bin", b"content")
    assert everything(root) == []
