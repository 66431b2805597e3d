"""Projects and people pages."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.webapp import records
from webapp.accounts.models import Membership, Project, User
from webapp.accounts.permissions import role_of
from webapp.core.models import AuditEvent

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return records.make_project()


@pytest.fixture
def admin(project: Project) -> User:
    return records.make_member(project, "admin", "chief")


@pytest.fixture
def signed_in(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


def test_without_a_project_the_page_says_whom_to_ask(client: Client) -> None:
    client.force_login(records.make_member(None, "outsider"))
    page = client.get("/projects/").content.decode()
    assert "You are not a member of any project yet. Ask an admin." in page


def test_only_the_person_s_own_projects_are_listed_each_with_the_role(client: Client) -> None:
    mine = [records.make_project(slug) for slug in ("alpha", "beta")]
    records.make_member(records.make_project("secret"), "observer", "other")
    person = records.make_member(mine[0], "curator", "ruth")
    Membership.objects.create(project=mine[1], user=person, role="observer")
    client.force_login(person)

    page = client.get("/projects/").content.decode()

    assert "/alpha/" in page and "/beta/" in page and "secret" not in page.lower()
    assert "Curator" in page and "Observer" in page


def test_the_people_page_lists_members_and_is_on_the_rail_of_admins(signed_in: Client, project: Project) -> None:
    records.make_member(project, "observer", "ruth")
    page = signed_in.get("/study/people/").content.decode()
    assert "ruth" in page and "chief" in page
    assert 'href="/study/people/"' in page
    assert "the only one" in page, "the last admin has neither form nor button"
    assert page.count("/remove/") == 1


@pytest.mark.parametrize("role", ["observer", "radiologist", "curator", "researcher"])
def test_others_have_no_people_page(client: Client, project: Project, role: str) -> None:
    client.force_login(records.make_member(project, role))
    assert "ask an admin" in client.get("/study/people/").content.decode()
    assert client.get("/study/people/").status_code == 403
    assert "/study/people/" not in client.get("/study/jobs/").content.decode()


def test_an_admin_adds_a_person_by_name_in_any_case(signed_in: Client, project: Project) -> None:
    ruth = records.make_member(None, "outsider", "ruth")
    response = signed_in.post("/study/people/", {"username": "Ruth", "role": "curator"})
    assert response["Location"] == "/study/people/"
    assert role_of(ruth, project) == "curator"
    assert AuditEvent.objects.get(action="accounts.set_role").actor_name == "chief"


def test_adding_somebody_twice_does_not_change_the_role(signed_in: Client, project: Project) -> None:
    ruth = records.make_member(project, "curator", "ruth")
    response = signed_in.post("/study/people/", {"username": "ruth", "role": "observer"})
    assert response.status_code == 400 and "member already" in response.content.decode()
    assert role_of(ruth, project) == "curator"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"username": "nobody", "role": "curator"}, "No account is called"),
        ({"username": "chief", "role": "king"}, "king is not one of the available choices"),
        ({"username": "", "role": "curator"}, "This field is required"),
    ],
)
def test_what_cannot_be_added_is_said(signed_in: Client, given: dict[str, str], said: str) -> None:
    response = signed_in.post("/study/people/", given)
    assert response.status_code == 400 and said in response.content.decode()
    assert Membership.objects.count() == 1


def test_an_admin_changes_a_role_and_removes(signed_in: Client, project: Project) -> None:
    ruth = records.make_member(project, "curator", "ruth")
    signed_in.post(f"/study/people/{ruth.pk}/role/", {"role": "radiologist"})
    assert role_of(ruth, project) == "radiologist"
    signed_in.post(f"/study/people/{ruth.pk}/remove/")
    assert role_of(ruth, project) is None


def test_the_last_admin_is_told_why_nothing_happened(signed_in: Client, project: Project, admin: User) -> None:
    for address, data in (("role", {"role": "observer"}), ("remove", {})):
        response = signed_in.post(f"/study/people/{admin.pk}/{address}/", data)
        assert response.status_code == 400 and "only admin" in response.content.decode()
    assert role_of(admin, project) == "admin"


def test_an_admin_who_steps_down_is_not_shown_an_error(signed_in: Client, project: Project, admin: User) -> None:
    records.make_member(project, "admin", "second")
    response = signed_in.post(f"/study/people/{admin.pk}/role/", {"role": "observer"}, follow=True)
    assert response.status_code == 200 and role_of(admin, project) == "observer"


def test_people_of_another_project_cannot_be_touched(signed_in: Client) -> None:
    elsewhere = records.make_project("elsewhere")
    stranger = records.make_member(elsewhere, "observer", "stranger")
    assert signed_in.post(f"/study/people/{stranger.pk}/remove/").status_code == 404
    assert role_of(stranger, elsewhere) == "observer"
