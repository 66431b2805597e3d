from django.apps import AppConfig


class ResultsConfig(AppConfig):
    name = "webapp.results"
    label = "results"

    def ready(self) -> None:
        """Runs are evaluated before they count as done; evaluations never change; rail entry, panel of the home."""
        from webapp.core import guards
        from webapp.core.guards import Guard
        from webapp.experiments.evaluators import evaluators
        from webapp.registry.looks import look_counters
        from webapp.results import pages
        from webapp.results.models import REWRITTEN
        from webapp.results.reports import chapters
        from webapp.results.services import evaluate_run, record_part

        pages.register()
        chapters.register()
        look_counters.register(
            "results", lambda actor, experiment, part: record_part(actor=actor, experiment=experiment, part=part)
        )
        evaluators.register("results", evaluate_run)
        guards.register(
            Guard(
                name="results_evaluation_immutable",
                table="results_evaluation",
                event="UPDATE",
                condition="OLD.id IS NOT NULL",
                message="an evaluation never changes",
            ),
            Guard(
                name="results_checklist_kept",
                table="results_checklistanswer",
                event="UPDATE",
                condition=REWRITTEN,
                message="an answer is superseded, not changed",
            ),
        )
