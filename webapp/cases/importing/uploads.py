"""Files on their way in from a browser: kept under numbers of our own, in pieces, until they are whole."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from webapp.cases.importing.errors import ImportStopped, storage_errors
from webapp.cases.importing.sources import SourceFile
from webapp.core import files
from webapp.core.errors import UserError

MOST_FILES = 20_000
LARGEST_FILE = 8 * 2**30
"""Of one file or archive; a mammogram has 20 to 60 MB."""
LARGEST_PIECE = 4 * 2**20
SPARE_BYTES = 2**30
"""Left free on the disk."""
_LONGEST_NAME = 1000


class OutOfStep(UserError):
    """A piece came that does not continue what is there; `received` says where to go on."""

    def __init__(self, received: int) -> None:
        super().__init__("The upload went out of step; it goes on from what has arrived.")
        self.received = received


@dataclass(frozen=True)
class Piece:
    """One piece of one file: its number (from 1), relative name, whole size, and where the piece begins."""

    index: int
    name: str
    size: int
    offset: int
    content: bytes


def new_folder() -> str:
    """A fresh relative folder for one upload."""
    return f"uploads/{uuid.uuid4().hex}"


def add_piece(folder: str, piece: Piece) -> int:
    """Append a piece; returns how many bytes of the file have arrived.

    Raises
    ------
    UserError
        If a limit is passed, the name is unusable or the disk is nearly full.
    OutOfStep
        If the piece begins elsewhere than the last one ended.
    StorageFull
    """
    _check(piece)
    root = files.absolute(folder)
    with storage_errors():
        root.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(root).free < len(piece.content) + SPARE_BYTES:
            raise UserError("The disk of the server is nearly full. Nothing more is taken: tell an administrator.")
        done, part, note = (root / f"{piece.index:06d}{suffix}" for suffix in (".bin", ".part", ".json"))
        if done.exists():
            return piece.size
        if piece.offset == 0:
            note.write_text(json.dumps({"name": piece.name, "size": piece.size}))
            part.write_bytes(piece.content)
        else:
            received = part.stat().st_size if part.exists() else 0
            if received != piece.offset:
                raise OutOfStep(received)
            with part.open("ab") as handle:
                handle.write(piece.content)
        received = part.stat().st_size
        if received == piece.size:
            part.replace(done)
    return received


def uploaded(folder: str) -> list[SourceFile]:
    """The whole files of an upload, in the order they were handed in, under their relative names."""
    root = files.absolute(folder)
    found = []
    for path in sorted(root.glob("*.bin")):
        note = path.with_suffix(".json")
        if note.exists():
            found.append(SourceFile(path, str(json.loads(note.read_text())["name"])))
    return found


def unfinished(folder: str) -> int:
    """How many files have not arrived completely."""
    root = files.absolute(folder)
    return len(list(root.glob("*.part"))) if root.is_dir() else 0


def put_aside(folder: str, file: SourceFile, picture: bytes) -> str:
    """Keep a file that a person has to decide about, with its picture; returns the name it waits under."""
    root = files.absolute(folder)
    name = f"ask-{uuid.uuid4().hex[:12]}"
    with storage_errors():
        root.mkdir(parents=True, exist_ok=True)
        try:
            os.link(file.path, root / name)
        except OSError:
            shutil.copyfile(file.path, root / name)
        (root / f"{name}.png").write_bytes(picture)
    return name


def waiting_file(folder: str, name: str) -> Path:
    """Where a file put aside lies."""
    return files.absolute(f"{folder}/{name}")


def clear(folder: str) -> None:
    """Remove an upload's files, except those put aside."""
    root = files.absolute(folder)
    if not root.is_dir():
        return
    for path in root.iterdir():
        if not path.name.startswith("ask-"):
            path.unlink(missing_ok=True)
    remove_if_empty(folder)


def drop(folder: str, name: str) -> None:
    """Remove a file put aside."""
    for path in (waiting_file(folder, name), waiting_file(folder, f"{name}.png")):
        path.unlink(missing_ok=True)
    remove_if_empty(folder)


def remove_if_empty(folder: str) -> None:
    """Remove the folder when nothing waits in it."""
    with contextlib.suppress(OSError):
        files.absolute(folder).rmdir()


def lay_out(found: list[SourceFile], folder: Path) -> list[SourceFile]:
    """The same files below `folder` under their relative names, so that a manifest finds its images.

    Raises
    ------
    ImportStopped
        If two files have one name.
    """
    placed = []
    with storage_errors():
        for file in found:
            target = folder / safe_name(file.name)
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(file.path, target)
            except FileExistsError as error:
                raise ImportStopped("Two of the files have the same name: hand in one folder at a time.") from error
            except OSError:
                shutil.copyfile(file.path, target)
            placed.append(SourceFile(target, file.name))
    return placed


def safe_name(name: str) -> str:
    """A relative name without anything that leads elsewhere."""
    parts = [part for part in PurePosixPath(name.replace("\\", "/")).parts if part not in ("/", "..", ".")]
    return "/".join(part.replace("\x00", "")[:200] or "_" for part in parts) or "unnamed"


def _check(piece: Piece) -> None:
    if not 1 <= piece.index <= MOST_FILES:
        raise UserError(f"At most {MOST_FILES:,} files are taken at once: hand in a zip archive, or parts.")
    if not piece.name or len(piece.name) > _LONGEST_NAME or "\x00" in piece.name:
        raise UserError("A file has no usable name.")
    if not 0 <= piece.size <= LARGEST_FILE:
        raise UserError(
            f"One file is larger than {LARGEST_FILE // 2**30} GiB, more than is taken. Hand it in in parts."
        )
    if len(piece.content) > LARGEST_PIECE:
        raise UserError("A piece of the upload is too large.")
    if piece.offset < 0 or piece.offset + len(piece.content) > piece.size:
        raise UserError("More arrived than the file was said to have. Hand it in again.")
