"""``manage.py import_pairs MANIFEST.csv --project SLUG --site CODE``."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from webapp.cases.importing.run import import_pairs
from webapp.cases.management.importing import add_target, answer


class Command(BaseCommand):
    """Import the view pairs that a manifest lists."""

    help = "Import view pairs listed in a CSV manifest (docs/formats/pairs.md)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("manifest", type=Path, metavar="MANIFEST.csv")
        parser.add_argument("--spacing", type=float, metavar="MM", help="pixel spacing where the files state none")
        add_target(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run to the end; exit status 1 if any line was not taken."""
        answer(
            self,
            options["manifest"].name,
            lambda: import_pairs(
                manifest_path=options["manifest"],
                project=options["project"],
                site=options["site"],
                spacing_mm=options["spacing"],
            ),
            as_json=options["json"],
        )
