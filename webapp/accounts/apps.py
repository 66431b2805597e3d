from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "webapp.accounts"
    label = "accounts"

    def ready(self) -> None:
        """Rail entries of people and audit trail, for those who manage."""
        from webapp.accounts import permissions
        from webapp.core.registry import NavigationEntry, navigation

        navigation.register(
            "people",
            NavigationEntry(
                section="System",
                label="People",
                icon="admin",
                url_name="accounts:people",
                key="u",
                position=90,
                visible=lambda role: permissions.role_may(role, permissions.MANAGE),
            ),
        )
        navigation.register(
            "audit",
            NavigationEntry(
                section="System",
                label="Audit",
                icon="report",
                url_name="accounts:audit",
                key="a",
                position=91,
                visible=lambda role: permissions.role_may(role, permissions.MANAGE),
            ),
        )
