"""``manage.py import_phantoms MANIFEST.json --project SLUG``."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from webapp.cases.importing.phantoms import import_phantom_set
from webapp.cases.importing.targets import project_for
from webapp.core.errors import UserError


class Command(BaseCommand):
    """Import a set of phantoms."""

    help = "Import phantoms with their lesions from the manifest that `python -m simulation phantom` writes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("manifest", type=Path, metavar="MANIFEST.json")
        parser.add_argument("--project", required=True, help="slug; the project is created when missing")
        parser.add_argument("--site", help="only the patients of this site of the manifest")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run to the end; exit status 1 if any view was not taken."""
        try:
            reports = import_phantom_set(
                project=project_for(options["project"]), manifest=options["manifest"], site=options["site"]
            )
        except UserError as error:
            raise CommandError(str(error)) from error
        failed = [failure for report in reports for failure in report.as_dict()["failed"]]
        for failure in failed:
            self.stderr.write(f"{failure['file']}: {failure['reason']}")
        self.stdout.write(
            f"{sum(report.counts['views'] for report in reports)} views of "
            f"{sum(report.counts['patients'] for report in reports)} phantoms imported, "
            f"{sum(report.counts['unchanged'] for report in reports)} images unchanged, {len(failed)} views not taken."
        )
        if failed:
            raise SystemExit(1)
