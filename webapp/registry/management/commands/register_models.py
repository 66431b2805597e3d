"""Register the models of runs that were complete before there was a registry."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from webapp.core.errors import UserError
from webapp.experiments.models import Run, RunState
from webapp.registry.registration import register_complete_run


class Command(BaseCommand):
    """`manage.py register_models`: once after the update; running it again changes nothing."""

    help = "Register the models of complete runs that have none yet."

    def handle(self, *args: Any, **options: Any) -> None:
        """Go through the runs in the order they were started."""
        waiting = Run.objects.filter(state=RunState.DONE, registered_model__isnull=True).select_related(
            "arm__experiment__version", "arm__experiment__project", "job__created_by"
        )
        registered = 0
        for run in waiting.order_by("arm__experiment_id", "arm__position", "seed"):
            try:
                model = register_complete_run(run)
            except UserError as error:
                self.stderr.write(f"Left out, {run.arm.experiment}, {run}: {error}")
                continue
            registered += 1
            self.stdout.write(f"{run.arm.experiment}: {model}")
        self.stdout.write(f"{registered} model{'' if registered == 1 else 's'} registered.")
