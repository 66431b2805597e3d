"""The audit trail grows and never changes; guards stand on both engines."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from django.db import DatabaseError, connection, transaction

from tests.conftest import ROOT
from tests.services import postgresql_server, production_services, redis_url  # fixtures
from tests.webapp import records
from webapp.core import audit, guards
from webapp.core.models import AuditEvent

__all__ = ["postgresql_server", "production_services", "redis_url"]


@pytest.mark.django_db
def test_an_event_keeps_names_when_what_it_names_is_gone() -> None:
    project = records.make_project()
    person = records.make_member(project, "curator", "ruth")
    audit.record(actor=person, action="cases.import", project=project, target=project, files=3)
    person.delete()
    project.delete()

    event = AuditEvent.objects.get()

    assert (event.actor_name, event.project_name, event.object_type, event.object_name) == (
        "ruth",
        "study",
        "accounts.Project",
        "Study",
    )
    assert event.details == {"files": 3}


@pytest.mark.django_db
def test_what_the_system_does_by_itself_says_so() -> None:
    assert audit.record(actor=None, action="jobs.reap").actor_name == "system"


@pytest.mark.django_db
@pytest.mark.parametrize("change", ["update", "delete", "raw"])
def test_no_event_is_changed_or_removed(change: str) -> None:
    audit.record(actor=None, action="cases.import")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        if change == "update":
            AuditEvent.objects.update(action="nothing")
        elif change == "delete":
            AuditEvent.objects.all().delete()
        else:
            connection.cursor().execute("DELETE FROM core_auditevent")
    assert AuditEvent.objects.get().action == "cases.import"


@pytest.mark.django_db
def test_a_migration_puts_every_guard_back() -> None:
    guards.remove(connection)
    AuditEvent.objects.all().delete()
    guards.install(connection)
    guards.install(connection)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
            if connection.vendor == "sqlite"
            else "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
        )
        installed = {name for (name,) in cursor.fetchall()}
    assert installed == set(guards._guards)
    assert {"core_auditevent_update", "core_auditevent_delete"} <= installed


PROGRAM = """
import json, os, django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.db import DatabaseError, connection, transaction
from webapp.core import audit, guards
from webapp.core.models import AuditEvent
audit.record(actor=None, action="cases.import")
said = []
for change in (lambda: AuditEvent.objects.update(action="x"), lambda: AuditEvent.objects.all().delete()):
    try:
        with transaction.atomic():
            change()
    except DatabaseError as error:
        said.append(str(error).splitlines()[0])
with connection.cursor() as cursor:
    cursor.execute("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal")
    installed = sorted(name for (name,) in cursor.fetchall())
print(json.dumps({"said": said, "installed": installed, "expected": sorted(guards._guards),
                  "left": AuditEvent.objects.count(), "engine": connection.vendor}))
"""


@pytest.mark.slow
def test_the_same_guards_stand_on_postgresql(production_services: dict[str, str]) -> None:
    environment = os.environ | production_services | {"DJANGO_SETTINGS_MODULE": "webapp.settings.test"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["engine"] == "postgresql"
    assert found["said"] == ["the audit trail is append-only"] * 2
    assert found["installed"] == found["expected"]
    assert found["left"] == 1
