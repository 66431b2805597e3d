"""Projects, accounts and roles."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command

from tests.webapp import records
from webapp.accounts import permissions, services
from webapp.accounts.models import Membership, Project, Role, User
from webapp.core.errors import NotAllowed, UserError
from webapp.core.models import AuditEvent

pytestmark = pytest.mark.django_db

GRANTED = {
    "observer": set(),
    "radiologist": {permissions.REVIEW},
    "curator": {permissions.CURATE},
    "researcher": {permissions.LAUNCH},
    "admin": {permissions.REVIEW, permissions.CURATE, permissions.LAUNCH, permissions.MANAGE},
    "outsider": set(),
}


@pytest.mark.parametrize("role", GRANTED)
def test_a_role_may_exactly_what_is_written_here(role: str) -> None:
    project = records.make_project()
    user = records.make_member(project if role != "outsider" else None, role)

    allowed = {each for each in permissions.GRANTS if permissions.may(user, project, each)}

    assert allowed == GRANTED[role]
    for permission in set(permissions.GRANTS) - allowed:
        with pytest.raises(NotAllowed, match="does not let you"):
            permissions.require(user, project, permission)


def test_who_creates_a_project_becomes_its_admin_and_the_trail_says_so() -> None:
    creator = records.make_member(None, "outsider")

    project = services.create_project(actor=creator, slug="breast-2", question="Does it help?")

    assert project.name == "Breast 2"
    assert permissions.role_of(creator, project) == Role.ADMIN
    event = AuditEvent.objects.get(action="accounts.create_project")
    assert (event.actor_name, event.project_name) == (creator.username, "breast-2")


@pytest.mark.parametrize("slug", ["", "Über", "a b", "-a", "../x", "x" * 61])
def test_a_slug_that_cannot_stand_in_an_address_is_refused(slug: str) -> None:
    with pytest.raises(UserError) as refusal:
        services.create_project(actor=None, slug=slug)
    assert refusal.value.field == "slug"


@pytest.mark.parametrize("slug", ["api", "projects", "sign-in", "sign-out", "health", "static", "style-guide"])
def test_an_address_of_the_application_cannot_be_a_project(slug: str) -> None:
    with pytest.raises(UserError, match="address of the application"):
        services.create_project(actor=None, slug=slug)
    assert not Project.objects.exists()


def test_a_slug_is_given_once() -> None:
    services.create_project(actor=None, slug="study")
    with pytest.raises(UserError, match="already exists"):
        services.create_project(actor=None, slug="study")


def test_an_admin_changes_roles_and_others_do_not() -> None:
    project = records.make_project()
    admin, researcher = (records.make_member(project, role) for role in ("admin", "researcher"))
    newcomer = records.make_member(None, "outsider")

    services.set_role(actor=admin, project=project, user=newcomer, role="curator")
    services.set_role(actor=admin, project=project, user=newcomer, role="radiologist")

    assert permissions.role_of(newcomer, project) == "radiologist"
    assert [event.details["role"] for event in AuditEvent.objects.filter(action="accounts.set_role")] == [
        "radiologist",
        "curator",
    ]
    with pytest.raises(NotAllowed):
        services.set_role(actor=researcher, project=project, user=researcher, role="admin")
    with pytest.raises(UserError, match="Unknown role 'king'"):
        services.set_role(actor=admin, project=project, user=newcomer, role="king")


def test_the_last_admin_neither_steps_down_nor_leaves() -> None:
    project = records.make_project()
    admin = records.make_member(project, "admin")

    with pytest.raises(UserError, match="only admin"):
        services.set_role(actor=admin, project=project, user=admin, role="observer")
    with pytest.raises(UserError, match="only admin"):
        services.remove_member(actor=admin, project=project, user=admin)
    assert permissions.role_of(admin, project) == "admin"

    second = records.make_member(project, "admin")
    services.remove_member(actor=second, project=project, user=admin)
    assert permissions.role_of(admin, project) is None
    event = AuditEvent.objects.get(action="accounts.remove_member")
    assert (event.object_name, event.details) == (admin.username, {"role": "admin"})


def test_only_admins_remove_and_only_members_are_removed() -> None:
    project = records.make_project()
    admin, curator = (records.make_member(project, role) for role in ("admin", "curator"))
    with pytest.raises(NotAllowed):
        services.remove_member(actor=curator, project=project, user=admin)
    with pytest.raises(UserError, match="not a member"):
        services.remove_member(actor=admin, project=project, user=records.make_member(None, "outsider"))
    assert Membership.objects.filter(project=project).count() == 2


def test_names_differ_by_more_than_case() -> None:
    services.create_user(actor=None, username="Ruth", password="quiet reading room 7")
    with pytest.raises(UserError, match="exists already"):
        services.create_user(actor=None, username="ruth", password="quiet reading room 7")


@pytest.mark.parametrize("password", ["", "short", "password123", "ruth.ames1"])
def test_a_weak_password_is_refused(password: str) -> None:
    with pytest.raises(UserError) as refusal:
        services.create_user(actor=None, username="ruth.ames", password=password)
    assert refusal.value.field == "password"
    assert not User.objects.exists()


def test_the_first_account_of_an_installation(monkeypatch: pytest.MonkeyPatch, client) -> None:
    monkeypatch.setenv("CEMLAB_PASSWORD", "quiet reading room 7")

    call_command("create_user", "ruth", project="study", role="admin", new_project=True)

    assert permissions.role_of(User.objects.get(), Project.objects.get(slug="study")) == "admin"
    client.post("/sign-in/", {"username": "ruth", "password": "quiet reading room 7"})
    assert client.get("/study/people/").status_code == 200


def test_a_mistyped_project_makes_neither_project_nor_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CEMLAB_PASSWORD", "quiet reading room 7")
    with pytest.raises(CommandError, match="--new-project"):
        call_command("create_user", "ruth", project="studdy")
    assert not User.objects.exists() and not Project.objects.exists()


def test_a_weak_password_leaves_no_project_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CEMLAB_PASSWORD", "short")
    with pytest.raises(CommandError, match="too short"):
        call_command("create_user", "ruth", project="study", new_project=True)
    assert not User.objects.exists() and not Project.objects.exists()


def test_the_password_is_asked_for_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CEMLAB_PASSWORD", raising=False)
    answers = iter(["quiet reading room 7", "quiet reading room 8"])
    monkeypatch.setattr("getpass.getpass", lambda prompt: next(answers))
    with pytest.raises(CommandError, match="differ"):
        call_command("create_user", "ruth")
    assert not User.objects.exists()
