"""Zip archives from outside: looked through completely before a single file is unpacked."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from webapp.cases.importing.errors import ImportStopped

MOST_ENTRIES = 50_000
MOST_UNPACKED_BYTES = 200 * 2**30
LARGEST_ENTRY = 2 * 2**30
HIGHEST_RATIO = 200
"""Unpacked to packed size. Mammograms reach 20 (large black background), bombs start in the thousands."""
RATIO_MATTERS_ABOVE = 50 * 2**20
SPARE_BYTES = 2**30
"""Left free on the disk after unpacking."""
_BLOCK = 1 << 20
_ZIP_MARKS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_ARCHIVE_MARKS = (*_ZIP_MARKS, b"\x1f\x8b", b"7z\xbc\xaf\x27\x1c", b"Rar!", b"BZh", b"\xfd7zXZ\x00")
_NOTHING = "Nothing was stored."


def is_zip(path: Path) -> bool:
    """Whether a file begins like a zip archive, whatever its name."""
    try:
        with path.open("rb") as handle:
            return handle.read(4) in _ZIP_MARKS
    except OSError:
        return False


def check(path: Path) -> None:
    """Look at every entry of an archive.

    Raises
    ------
    ImportStopped
        If it is damaged, empty, encrypted, too large when unpacked, holds links or archives, or names a place
        outside itself.
    """
    try:
        with zipfile.ZipFile(path) as packed:
            entries = packed.infolist()
            _check_names(entries)
            files = [entry for entry in entries if not entry.is_dir()]
            if not files:
                raise ImportStopped(f"The archive is empty. {_NOTHING}")
            _check_sizes(files, path)
            _check_contents(packed, files)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, RuntimeError) as error:
        raise ImportStopped(f"The archive is damaged or of a kind not read here. {_NOTHING} Pack it again.") from error


def unpack(path: Path, folder: Path) -> list[str]:
    """Unpack a checked archive below `folder`; returns the relative names of its files.

    Raises
    ------
    ImportStopped
        If an entry turns out larger than it claimed, or damaged.
    """
    names = []
    try:
        with zipfile.ZipFile(path) as packed:
            for entry in packed.infolist():
                if entry.is_dir():
                    continue
                name = entry.filename
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                with packed.open(entry) as source, target.open("xb") as copy:
                    written = 0
                    while block := source.read(_BLOCK):
                        written += len(block)
                        if written > entry.file_size:
                            raise ImportStopped(f"The archive holds more than it says. {_NOTHING}")
                        copy.write(block)
                names.append(name)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, RuntimeError) as error:
        raise ImportStopped(f"The archive is damaged. {_NOTHING} Pack it again.") from error
    except (FileExistsError, NotADirectoryError) as error:
        raise ImportStopped(f"The archive holds the same name twice. {_NOTHING} Pack it again.") from error
    return names


def _check_names(entries: list[zipfile.ZipInfo]) -> None:
    if len(entries) > MOST_ENTRIES:
        raise ImportStopped(
            f"The archive has {len(entries):,} entries; at most {MOST_ENTRIES:,} are unpacked. {_NOTHING}"
        )
    seen: set[str] = set()
    for entry in entries:
        name = entry.filename
        parts = PurePosixPath(name).parts
        outside = (
            not parts or name.startswith("/") or ".." in parts or "\\" in name or ":" in parts[0] or "\x00" in name
        )
        if outside or len(name.encode()) > 1000 or any(len(part.encode()) > 255 for part in parts):
            raise ImportStopped(f"An entry of the archive names a place outside it or has no usable name. {_NOTHING}")
        mode = entry.external_attr >> 16
        if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise ImportStopped(f"The archive holds a link or a device, not only files. {_NOTHING} Pack plain files.")
        if entry.flag_bits & 0x1:
            raise ImportStopped(f"The archive is encrypted. {_NOTHING} Pack it again without a password.")
        if name in seen:
            raise ImportStopped(f"The archive holds the same name twice. {_NOTHING} Pack it again.")
        seen.add(name)


def _check_sizes(files: list[zipfile.ZipInfo], path: Path) -> None:
    total = sum(entry.file_size for entry in files)
    packed = max(path.stat().st_size, 1)
    too_dense = total > RATIO_MATTERS_ABOVE and total / packed > HIGHEST_RATIO
    if total > MOST_UNPACKED_BYTES or too_dense or any(entry.file_size > LARGEST_ENTRY for entry in files):
        raise ImportStopped(
            f"The archive would grow from {_size(packed)} to {_size(total)} when unpacked, more than images do. "
            f"{_NOTHING} Import the folder itself, or pack it in parts."
        )
    free = shutil.disk_usage(path.parent).free
    if total + SPARE_BYTES > free:
        raise ImportStopped(
            f"Unpacked, the archive needs {_size(total)}, but only {_size(free)} are free. {_NOTHING} Free some space."
        )


def _check_contents(packed: zipfile.ZipFile, files: list[zipfile.ZipInfo]) -> None:
    for entry in files:
        with packed.open(entry) as source:
            if source.read(8).startswith(_ARCHIVE_MARKS):
                raise ImportStopped(f"The archive holds another archive. {_NOTHING} Pack plain files.")


def _size(value: int) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value = value / 1000  # type: ignore[assignment]
    return f"{value:.1f} TB"
