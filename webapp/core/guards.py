"""Rules the database itself enforces where a check constraint cannot reach: across tables and over time.

Guards are triggers, written once for SQLite and PostgreSQL. They are dropped before and created after every
migration, because SQLite rebuilds tables when it alters them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

Event = Literal["INSERT", "UPDATE", "DELETE"]


@dataclass(frozen=True)
class Guard:
    """Refuse `event` on `table` where `condition` holds.

    `condition` is SQL over OLD and NEW that both engines understand; `message` is what IntegrityError says.
    """

    name: str
    table: str
    event: Event
    condition: str
    message: str


_guards: dict[str, Guard] = {}


def register(*guards: Guard) -> None:
    """Add guards; called in `AppConfig.ready()`."""
    for guard in guards:
        _guards[guard.name] = guard


def frozen_children(table: str, version: str = "{row}.version_id") -> list[Guard]:
    """Guards that keep rows of a frozen dataset version from being added, changed or removed.

    `version` is SQL for the row's version id, with ``{row}`` for NEW or OLD.
    """
    events: tuple[tuple[Event, str], ...] = (("INSERT", "NEW"), ("UPDATE", "OLD"), ("DELETE", "OLD"))
    return [
        Guard(
            name=f"{table}_frozen_{event.lower()}",
            table=table,
            event=event,
            condition=(
                f"EXISTS (SELECT 1 FROM datasets_datasetversion v WHERE v.id = {version.format(row=row)} "
                "AND v.state = 'frozen')"
            ),
            message="a frozen dataset version cannot change",
        )
        for event, row in events
    ]


def _create(guard: Guard, vendor: str) -> list[str]:
    message = guard.message.replace("'", "''")
    if vendor == "sqlite":
        return [
            f"CREATE TRIGGER {guard.name} BEFORE {guard.event} ON {guard.table} FOR EACH ROW "
            f"WHEN ({guard.condition}) BEGIN SELECT RAISE(ABORT, '{message}'); END"
        ]
    result = "OLD" if guard.event == "DELETE" else "NEW"
    return [
        f"CREATE OR REPLACE FUNCTION {guard.name}() RETURNS trigger LANGUAGE plpgsql AS $guard$ BEGIN "
        f"IF ({guard.condition}) THEN RAISE EXCEPTION '{message}' USING ERRCODE = 'check_violation'; END IF; "
        f"RETURN {result}; END $guard$",
        f"CREATE TRIGGER {guard.name} BEFORE {guard.event} ON {guard.table} "
        f"FOR EACH ROW EXECUTE FUNCTION {guard.name}()",
    ]


def remove(connection: BaseDatabaseWrapper) -> None:
    """Drop all guards."""
    tables = set(connection.introspection.table_names())
    with connection.cursor() as cursor:
        for guard in _guards.values():
            if guard.table in tables:
                on = "" if connection.vendor == "sqlite" else f" ON {guard.table}"
                cursor.execute(f"DROP TRIGGER IF EXISTS {guard.name}{on}")


def install(connection: BaseDatabaseWrapper) -> None:
    """Create all guards anew; tables that do not exist yet are passed over until they do."""
    remove(connection)
    tables = set(connection.introspection.table_names())
    with connection.cursor() as cursor:
        for guard in _guards.values():
            if guard.table in tables:
                for statement in _create(guard, connection.vendor):
                    cursor.execute(statement)


def before_migration(using: str, **kwargs: Any) -> None:
    """Signal receiver: SQLite cannot rebuild a table that a trigger names."""
    remove(connections[using])


def after_migration(using: str, **kwargs: Any) -> None:
    """Signal receiver."""
    install(connections[using])
