"""``manage.py import_dicom PATH --project SLUG --site CODE``."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from webapp.cases.importing.report import shown_name
from webapp.cases.importing.run import import_dicom
from webapp.cases.management.importing import add_target, answer


class Command(BaseCommand):
    """Import DICOM files."""

    help = "Import CEM views from DICOM: a folder, a zip archive or a single file."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("path", type=Path, metavar="PATH")
        add_target(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run to the end; exit status 1 if any file was not taken."""
        answer(
            self,
            shown_name(str(options["path"])),
            lambda: import_dicom(path=options["path"], project=options["project"], site=options["site"]),
            as_json=options["json"],
        )
