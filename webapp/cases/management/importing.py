"""What the import commands share: their arguments, their answer and their exit status."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from webapp.cases.importing.errors import ImportStopped
from webapp.cases.importing.report import Report
from webapp.core.errors import UserError

EMPTY: dict[str, Any] = {
    **dict.fromkeys(("patients", "exams", "views", "images", "imported", "unchanged"), 0),
    "failed": [],
}


def add_target(parser: ArgumentParser) -> None:
    """``--project``, ``--site`` and ``--json``."""
    parser.add_argument("--project", required=True, help="slug; the project is created when missing")
    parser.add_argument("--site", required=True, help="code of the hospital; created when missing")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")


def answer(command: BaseCommand, name: str, run: Callable[[], Report], *, as_json: bool) -> None:
    """Run an import and print what came of it; exit status 1 if anything failed.

    `name` is the file that a failure of the whole import is reported under.
    """
    try:
        report = run()
    except UserError as error:
        if not as_json:
            raise CommandError(str(error)) from error
        command.stderr.write(str(error))
        counts = error.report.as_dict() if isinstance(error, ImportStopped) and error.report else EMPTY
        failed = [*counts["failed"], {"file": name, "reason": str(error)}]
        command.stdout.write(json.dumps({**counts, "failed": failed}, ensure_ascii=False))
        # The JSON object is the last line, so no exception may print after it.
        raise SystemExit(1) from error
    found = report.as_dict()
    for failure in found["failed"]:
        command.stderr.write(f"{failure['file']}: {failure['reason']}")
    command.stdout.write(
        f"Import {report.batch.number}: {found['imported']} files imported "
        f"({found['views']} views of {found['exams']} exams and {found['patients']} patients are new), "
        f"{found['unchanged']} unchanged, {len(found['failed'])} not taken."
    )
    if as_json:
        command.stdout.write(json.dumps(found, ensure_ascii=False))
    if found["failed"]:
        # The reasons stand above; an exception would repeat them after the JSON line.
        raise SystemExit(1)
