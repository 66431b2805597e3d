from django.apps import AppConfig


class DatasetsConfig(AppConfig):
    name = "webapp.datasets"
    label = "datasets"

    def ready(self) -> None:
        """Guards against leakage and against changes to frozen versions; rail entry; case columns."""
        from webapp.accounts.permissions import CURATE, role_may
        from webapp.core import guards, registry
        from webapp.core.guards import Guard

        guards.register(
            *guards.frozen_children("datasets_versionexam"),
            *guards.frozen_children("datasets_splitassignment"),
            *guards.frozen_children("datasets_versionview"),
            *guards.frozen_children(
                "datasets_versionannotation",
                "(SELECT x.version_id FROM datasets_versionview x WHERE x.id = {row}.version_view_id)",
            ),
            Guard(
                name="datasets_version_frozen_update",
                table="datasets_datasetversion",
                event="UPDATE",
                condition="OLD.state = 'frozen'",
                message="a frozen dataset version cannot change",
            ),
            Guard(
                name="datasets_version_frozen_delete",
                table="datasets_datasetversion",
                event="DELETE",
                condition="OLD.state = 'frozen'",
                message="a frozen dataset version cannot be deleted",
            ),
            *(
                Guard(
                    name=f"datasets_versionview_split_{event.lower()}",
                    table="datasets_versionview",
                    event=event,
                    condition=(
                        "NOT EXISTS (SELECT 1 FROM cases_view w JOIN cases_exam e ON e.id = w.exam_id "
                        "JOIN datasets_splitassignment a ON a.patient_id = e.patient_id "
                        "WHERE w.id = NEW.view_id AND w.origin = NEW.origin AND e.patient_id = NEW.patient_id "
                        "AND a.version_id = NEW.version_id AND a.split = NEW.split)"
                    ),
                    message="a view can only be used in the split of its own patient",
                )
                for event in ("INSERT", "UPDATE")
            ),
        )
        registry.navigation.register(
            "datasets",
            registry.NavigationEntry("Data", "Datasets", "datasets", "datasets:list", "d", 30),
        )
        registry.selection_actions.register(
            "datasets",
            registry.SelectionAction(
                "Add to dataset",
                "datasets:add",
                icon="datasets",
                primary=True,
                visible=lambda role: role_may(role, CURATE),
            ),
        )
        from webapp.datasets.case_columns import SPLIT_COLUMN

        registry.case_columns.register("split", SPLIT_COLUMN)
