"""Why an import, or one file of it, went no further."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from django.db import OperationalError

from webapp.core.errors import UserError

if TYPE_CHECKING:
    from webapp.cases.importing.report import Report


class Refused(UserError):
    """One file or view cannot be taken; the others go on.

    `group` names the kind of finding for the report, `advice` says what to do, `file` which file of a view it is
    about (its kind or its name).
    """

    def __init__(self, group: str, message: str, advice: str = "", *, file: str = "") -> None:
        super().__init__(message)
        self.group = group
        self.advice = advice
        self.file = file


class ImportStopped(UserError):
    """The whole import cannot go on: nothing of it, or nothing more, was stored.

    `report` has the verdicts up to here, where the import had begun.
    """

    report: Report | None = None


class StorageFull(ImportStopped):
    """No space is left where files and records are kept."""

    def __init__(self) -> None:
        super().__init__(
            "The disk where CEMLab keeps its files is full. Views stored before this one are whole, nothing is "
            "half-written. Free some space and import again: what is stored already is skipped."
        )


@contextmanager
def storage_errors() -> Iterator[None]:
    """Turn a full disk into words, whether a file or the database met it.

    Raises
    ------
    StorageFull
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull from error
        raise
    except OperationalError as error:
        if "full" in str(error) or "No space left" in str(error):
            raise StorageFull from error
        raise
