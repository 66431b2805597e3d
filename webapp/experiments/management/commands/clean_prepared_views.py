"""``manage.py clean_prepared_views [--keep-gigabytes N]``."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from detection.view_cache import ViewCache


class Command(BaseCommand):
    """Make room on the disk; trainings under way prepare again what they miss."""

    help = "Remove the prepared views that were unused for longest; what a training needs is prepared again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument(
            "--keep-gigabytes", type=float, metavar="N", help="what may stay; default CEMLAB_PREPARED_GIGABYTES"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Clean, then say what was removed and what stays."""
        given = options["keep_gigabytes"]
        keep = settings.PREPARED_VIEWS_BYTES if given is None else int(given * 1e9)
        pruned = ViewCache(settings.PREPARED_VIEWS).prune(keep)
        self.stdout.write(
            f"{pruned.removed} prepared views removed ({pruned.removed_bytes / 1e9:.2f} GB), "
            f"{pruned.kept} kept ({pruned.kept_bytes / 1e9:.2f} GB)"
        )
