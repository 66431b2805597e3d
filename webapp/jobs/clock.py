"""The database's clock: leases are compared on one clock, whatever the hosts of the workers believe."""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.db.models import FloatField, Func

SQLITE = "((julianday('now') - 2440587.5) * 86400.0)"
POSTGRESQL = "(EXTRACT(EPOCH FROM clock_timestamp())::double precision)"


class DatabaseSeconds(Func):
    """Seconds since the epoch as an expression, evaluated by the database when the statement runs."""

    arity = 0
    output_field = FloatField()
    template = POSTGRESQL

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """SQLite has no clock_timestamp()."""
        return self.as_sql(compiler, connection, template=SQLITE, **context)


def now() -> float:
    """Seconds since the epoch by the database's clock."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {SQLITE if connection.vendor == 'sqlite' else POSTGRESQL}")
        return float(cursor.fetchone()[0])
