"""The audit page: every entry of the project, filters, pages, CSV, and nothing that may name a patient."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.webapp import records
from webapp.accounts.models import Project, User
from webapp.core import audit, guards
from webapp.core.models import AuditEvent

pytestmark = pytest.mark.django_db
PAGE = "/study/audit/"
FILE = "/study/audit/events.csv"


@pytest.fixture
def project() -> Project:
    return records.make_project()


@pytest.fixture
def admin(project: Project) -> User:
    return records.make_member(project, "admin", "chief")


@pytest.fixture
def ruth(project: Project) -> User:
    return records.make_member(project, "curator", "ruth")


@pytest.fixture
def signed_in(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


@pytest.fixture
def happened(project: Project, admin: User, ruth: User) -> None:
    """Five entries, the last one first on the page."""
    audit.record(actor=ruth, action="cases.import", project=project, name="Import 1", site="A", imported=8)
    audit.record(actor=ruth, action="viewer.open_case", project=project, name="Case 1", views=4)
    audit.record(actor=admin, action="viewer.open_case", project=project, name="Case 12", views=4)
    audit.record(actor=ruth, action="cases.read_image", project=project, name="Case 1 R CC low energy")
    audit.record(actor=None, action="jobs.submit", project=project, name="Import 1", kind="import")


def entries(client: Client, **query: str) -> list[str]:
    """Person, action and object of each row."""
    rows = client.get(PAGE, query).context["rows"]
    return [f"{row['line'].person}: {row['line'].action} {row['line'].object}".strip() for row in rows]


def file_of(client: Client, **query: str) -> str:
    answered = client.get(FILE, query)
    assert answered["Content-Disposition"] == 'attachment; filename="study-audit.csv"'
    content: bytes = answered.getvalue()
    return content.decode()


def written_on(event: AuditEvent, day: str) -> None:
    """Move an entry to noon of a day, past the guard that keeps the trail from changing."""
    guards.remove(connection)
    noon = timezone.make_aware(datetime.fromisoformat(f"{day}T12:00"))
    AuditEvent.objects.filter(pk=event.pk).update(time=noon)
    guards.install(connection)


def test_every_entry_of_the_project_newest_first_and_none_of_another(
    signed_in: Client, happened: None, ruth: User
) -> None:
    audit.record(actor=ruth, action="cases.import", project=records.make_project("elsewhere"), name="Import 9")

    assert entries(signed_in) == [
        "system: submit Import 1",
        "ruth: read image Case 1 R CC low energy",
        "chief: open case Case 12",
        "ruth: open case Case 1",
        "ruth: import Import 1",
    ]
    page = signed_in.get(PAGE).content.decode()
    assert "site A, imported 8" in page
    assert "Import 9" not in page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"person": "chief"}, ["chief: open case Case 12"]),
        ({"person": "system"}, ["system: submit Import 1"]),
        ({"person": "nobody"}, []),
        ({"action": "viewer.open_case"}, ["chief: open case Case 12", "ruth: open case Case 1"]),
        ({"object": "case 1"}, ["ruth: read image Case 1 R CC low energy", "ruth: open case Case 1"]),
        ({"object": "Case 1 (R"}, []),
        ({"action": "viewer.open_case", "person": "ruth"}, ["ruth: open case Case 1"]),
    ],
)
def test_it_is_narrowed_by_person_action_and_whole_words_of_the_object(
    signed_in: Client, happened: None, query: dict[str, str], found: list[str]
) -> None:
    assert entries(signed_in, **query) == found


def test_days_are_included_on_both_ends(signed_in: Client, project: Project, ruth: User) -> None:
    for day in ("2026-03-01", "2026-03-02", "2026-03-03"):
        written_on(audit.record(actor=ruth, action="cases.import", project=project, name=day), day)

    assert entries(signed_in, since="2026-03-02") == ["ruth: import 2026-03-03", "ruth: import 2026-03-02"]
    assert entries(signed_in, until="2026-03-02") == ["ruth: import 2026-03-02", "ruth: import 2026-03-01"]
    assert entries(signed_in, since="2026-03-02", until="2026-03-02") == ["ruth: import 2026-03-02"]


@pytest.mark.parametrize("query", [{"since": "2026-03-02", "until": "2026-03-01"}, {"since": "soon"}])
@pytest.mark.parametrize("address", [PAGE, FILE])
def test_impossible_days_are_refused_and_nothing_is_listed(
    signed_in: Client, happened: None, query: dict[str, str], address: str
) -> None:
    answered = signed_in.get(address, query)

    assert answered.status_code == 422
    assert answered.context["form"].errors and not answered.context["rows"]


def test_where_nothing_is_left_the_page_says_so(signed_in: Client, happened: None) -> None:
    page = signed_in.get(PAGE, {"person": "nobody"}).content.decode()
    assert "Nothing in this period." in page and "Clear filters" in page


def test_choices_are_the_people_and_actions_of_the_project(
    signed_in: Client, happened: None, project: Project, ruth: User
) -> None:
    ruth.delete()

    context = signed_in.get(PAGE).context

    assert context["people"] == ["chief", "ruth", "system"]
    assert context["actions"] == {
        "Cases": [("cases.import", "import"), ("cases.read_image", "read image")],
        "Jobs": [("jobs.submit", "submit")],
        "Viewer": [("viewer.open_case", "open case")],
    }


def test_text_that_somebody_wrote_is_neither_on_the_page_nor_in_the_file(
    signed_in: Client, project: Project, ruth: User
) -> None:
    secret: dict[str, Any] = {
        "filters": "q=Miller",
        "reason": "told by Mrs Miller",
        "former": {"evidence": "report of Miller"},
        "note": "Miller",
    }
    audit.record(actor=ruth, action="cases.export", project=project, name="cases", exams=3, **secret)

    for content in (signed_in.get(PAGE).content.decode(), file_of(signed_in)):
        assert "exams 3" in content and "Miller" not in content


def test_the_file_has_the_same_rows_and_taking_it_is_an_entry(
    signed_in: Client, happened: None, project: Project, ruth: User
) -> None:
    audit.record(actor=ruth, action="datasets.create", project=project, name="=1+1")

    rows = list(csv.DictReader(io.StringIO(file_of(signed_in, person="ruth"))))

    assert [(row["area"], row["action"], row["object"]) for row in rows] == [
        ("Datasets", "create", "'=1+1"),
        ("Cases", "read image", "Case 1 R CC low energy"),
        ("Viewer", "open case", "Case 1"),
        ("Cases", "import", "Import 1"),
    ]
    assert datetime.fromisoformat(rows[0]["time"]) == AuditEvent.objects.get(action="datasets.create").time
    taken = AuditEvent.objects.get(action="accounts.export_audit")
    assert (taken.actor_name, taken.project_name) == ("chief", "study")
    assert f'href="{FILE}?person=ruth"' in signed_in.get(PAGE, {"person": "ruth"}).content.decode()


def test_fifty_entries_a_page_and_as_many_queries_for_many_as_for_few(
    signed_in: Client, project: Project, ruth: User
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert signed_in.get(PAGE, {"person": "ruth"}).status_code == 200
        return len(captured)

    audit.record(actor=ruth, action="cases.import", project=project, name="Import 0")
    few = queries()
    for number in range(1, 60):
        audit.record(actor=ruth, action="cases.import", project=project, name=f"Import {number}")
    assert queries() == few
    assert len(entries(signed_in, person="ruth")) == 50
    assert entries(signed_in, person="ruth", page="2")[-1] == "ruth: import Import 0"
    assert "1 to 50 of 60" in signed_in.get(PAGE, {"person": "ruth"}).content.decode()


@pytest.mark.parametrize("role", ["observer", "radiologist", "curator", "researcher"])
def test_others_neither_read_it_nor_find_it_on_the_rail(client: Client, project: Project, role: str) -> None:
    client.force_login(records.make_member(project, role))
    assert client.get(PAGE).status_code == client.get(FILE).status_code == 403
    assert PAGE not in client.get("/study/jobs/").content.decode()


def test_admins_find_it_on_the_rail(signed_in: Client) -> None:
    assert f'href="{PAGE}"' in signed_in.get("/study/jobs/").content.decode()
