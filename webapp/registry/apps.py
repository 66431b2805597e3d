from django.apps import AppConfig


class RegistryConfig(AppConfig):
    name = "webapp.registry"
    label = "registry"

    def ready(self) -> None:
        """Every complete run leaves a model; models and complete applications never change; rail entry, actions."""
        from webapp.core import guards
        from webapp.experiments.evaluators import evaluators
        from webapp.registry import pages
        from webapp.registry.guards import GUARDS
        from webapp.registry.registration import evaluate_run

        pages.register()
        evaluators.register("registry", evaluate_run)
        guards.register(*GUARDS)
