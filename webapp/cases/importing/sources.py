"""The files handed in: a folder, a zip archive, single files, or what was uploaded."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from django.conf import settings

from webapp.cases.importing import archive
from webapp.cases.importing.errors import ImportStopped, storage_errors

MOST_FILES = 50_000
# What operating systems and archives leave beside images.
_LITTER = {".ds_store", "thumbs.db", "desktop.ini", "dicomdir", "autorun.inf", "lockfile", "version"}


@dataclass(frozen=True)
class SourceFile:
    """One file on disk under the relative name it was handed in with."""

    path: Path
    name: str

    @property
    def is_litter(self) -> bool:
        """Whether the file only accompanies images (``DICOMDIR``, ``.DS_Store``, ``__MACOSX/``)."""
        parts = PurePosixPath(self.name.lower()).parts
        return parts[-1] in _LITTER or parts[-1].startswith("._") or "__macosx" in parts

    @property
    def is_link(self) -> bool:
        """Whether the name is a link to somewhere else."""
        return self.path.is_symlink()


@contextmanager
def workspace() -> Iterator[Path]:
    """A folder for unpacked and half-made files, on the disk of the data folder, gone afterwards."""
    root = Path(settings.DATA_ROOT) / "importing"
    with storage_errors():
        root.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=root))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def collect(path: Path, folder: Path) -> list[SourceFile]:
    """All files of a path; zip archives are checked as a whole, then unpacked under `folder`.

    Raises
    ------
    ImportStopped
        If the path is absent or empty, there are too many files, or an archive is unsafe.
    """
    if path.is_dir():
        found = list(_walk(path))
        if not found:
            raise ImportStopped(f"The folder {path.name} is empty: nothing was imported.")
    elif path.is_file():
        found = [SourceFile(path, path.name)]
    else:
        raise ImportStopped(f"{path.name or 'The path'} is not there: check the path. Nothing was imported.")
    return unpack_archives(found, folder)


def unpack_archives(found: list[SourceFile], folder: Path) -> list[SourceFile]:
    """Replace each zip archive by its files. All archives are checked before the first is unpacked.

    Raises
    ------
    ImportStopped
    """
    archives = [file for file in found if not file.is_link and archive.is_zip(file.path)]
    for file in archives:
        archive.check(file.path)
    files = [file for file in found if file not in archives]
    for number, file in enumerate(archives, start=1):
        target = folder / f"archive-{number}"
        with storage_errors():
            names = archive.unpack(file.path, target)
        files += [SourceFile(target / name, name) for name in names]
    if len(files) > MOST_FILES:
        raise ImportStopped(f"There are {len(files):,} files; at most {MOST_FILES:,} are taken at once. Split them.")
    return files


def _walk(root: Path) -> Iterator[SourceFile]:
    count = 0
    for folder, folders, names in os.walk(root, followlinks=False):
        folders.sort()
        for name in sorted(names):
            count += 1
            if count > MOST_FILES:
                raise ImportStopped(f"The folder has more than {MOST_FILES:,} files. Import its parts one by one.")
            path = Path(folder) / name
            yield SourceFile(path, path.relative_to(root).as_posix())
