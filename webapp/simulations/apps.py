from django.apps import AppConfig


class SimulationsConfig(AppConfig):
    name = "webapp.simulations"
    label = "simulations"

    def ready(self) -> None:
        """Guards: a synthetic view's host patient trains in the version the batch was made for; verdicts stay as they
        were given. Rail entry."""
        from webapp.core import guards, registry
        from webapp.core.guards import Guard

        guards.register(
            *(
                Guard(
                    name=f"simulations_host_in_training_{event.lower()}",
                    table="simulations_syntheticview",
                    event=event,
                    condition=(
                        "NOT EXISTS (SELECT 1 FROM simulations_simulationbatch b "
                        "JOIN datasets_datasetversion v ON v.id = b.version_id AND v.state = 'frozen' "
                        "JOIN datasets_splitassignment a ON a.version_id = b.version_id AND a.split = 'train' "
                        "JOIN cases_exam e ON e.patient_id = a.patient_id "
                        "JOIN cases_view h ON h.exam_id = e.id AND h.origin <> 'synthetic' "
                        "JOIN cases_view s ON s.exam_id = e.id AND s.origin = 'synthetic' "
                        "WHERE b.id = NEW.batch_id AND h.id = NEW.host_id AND s.id = NEW.view_id "
                        "AND a.patient_id = NEW.patient_id)"
                    ),
                    message="the host of a synthetic view must be a training patient of the batch's frozen version",
                )
                for event in ("INSERT", "UPDATE")
            ),
            *(
                Guard(
                    name=f"simulations_verdict_{event.lower()}",
                    table="simulations_syntheticverdict",
                    event=event,
                    condition="OLD.id IS NOT NULL",
                    message="verdicts on synthetic cases are append-only",
                )
                for event in ("UPDATE", "DELETE")
            ),
        )
        registry.navigation.register(
            "simulations",
            registry.NavigationEntry("Data", "Simulation", "simulation", "simulations:list", "s", 40),
        )
