from django.apps import AppConfig


class CasesConfig(AppConfig):
    name = "webapp.cases"
    label = "cases"

    def ready(self) -> None:
        """Entries of the rail and the facets of this app."""
        from webapp.accounts import permissions
        from webapp.cases.facets import register_own
        from webapp.core.registry import NavigationEntry, navigation

        navigation.register("home", NavigationEntry("", "Project home", "home", "cases:home", "h", 0))
        navigation.register("cases", NavigationEntry("Data", "Cases", "cases", "cases:list", "c", 10))
        navigation.register(
            "import",
            NavigationEntry(
                "Data",
                "Import",
                "import",
                "cases:import",
                "i",
                20,
                visible=lambda role: permissions.role_may(role, permissions.CURATE),
            ),
        )
        register_own()
