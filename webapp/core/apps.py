from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate


class CoreConfig(AppConfig):
    name = "webapp.core"
    label = "core"

    def ready(self) -> None:
        """Hang the guards onto migrations (design, section 3: constraints live in the database)."""
        from webapp.core import guards
        from webapp.core.guards import Guard

        pre_migrate.connect(guards.before_migration, dispatch_uid="guards.before_migration")
        post_migrate.connect(guards.after_migration, sender=self, dispatch_uid="guards.after_migration")
        guards.register(
            *(
                Guard(
                    name=f"core_auditevent_{event.lower()}",
                    table="core_auditevent",
                    event=event,
                    condition="OLD.id IS NOT NULL",
                    message="the audit trail is append-only",
                )
                for event in ("UPDATE", "DELETE")
            )
        )
