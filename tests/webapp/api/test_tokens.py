"""Personal tokens: who calls."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from tests.webapp.api.conftest import ROOT, design
from webapp.accounts.models import Membership, Project, User
from webapp.api import services
from webapp.api.models import PersonalToken
from webapp.core.errors import UserError
from webapp.core.models import AuditEvent
from webapp.datasets.models import DatasetVersion

pytestmark = pytest.mark.django_db


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def test_a_token_signs_in_and_only_its_hash_is_kept(project: Project, researcher: User) -> None:
    token = services.create_token(actor=None, user=researcher, name="laptop")
    response = Client().get(ROOT, headers=bearer(token))
    assert response.status_code == 200 and response.json()["role"] == "researcher"
    row = PersonalToken.objects.get()
    assert token not in json.dumps([row.digest, row.name]) and len(row.digest) == 64
    assert row.last_used is not None
    assert token not in json.dumps(list(AuditEvent.objects.values("object_name", "details")))


def test_a_token_needs_no_csrf_key_but_a_session_does(version: DatasetVersion, researcher: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(researcher)
    body = json.dumps(design(version))
    refused = strict.post(f"{ROOT}experiments/", body, content_type="application/json")
    assert refused.status_code == 403 and "CSRF" in refused.json()["detail"]
    token = services.create_token(actor=None, user=researcher, name="laptop")
    strict.logout()
    made = strict.post(f"{ROOT}experiments/", body, content_type="application/json", headers=bearer(token))
    assert made.status_code == 201


@pytest.mark.parametrize("how", ["unknown", "expired", "revoked", "closed account"])
def test_a_token_that_does_not_work_is_401_even_beside_a_session(project: Project, researcher: User, how: str) -> None:
    token = services.create_token(actor=None, user=researcher, name="laptop")
    client = Client()
    if how == "unknown":
        token += "x"
    elif how == "expired":
        PersonalToken.objects.update(expires=timezone.now() - timedelta(seconds=1))
    elif how == "revoked":
        services.revoke_token(actor=None, user=researcher, name="laptop")
    else:
        User.objects.filter(pk=researcher.pk).update(is_active=False)
    if how != "closed account":
        client.force_login(researcher)
    response = client.get(ROOT, headers=bearer(token))
    assert response.status_code == 401 and response["WWW-Authenticate"] == "Bearer"


def test_who_left_the_project_reads_no_more_with_the_token(project: Project, researcher: User) -> None:
    token = services.create_token(actor=None, user=researcher, name="laptop")
    Membership.objects.filter(user=researcher).delete()
    assert Client().get(ROOT, headers=bearer(token)).status_code == 404


@pytest.mark.parametrize(("name", "days"), [("", 90), ("x" * 61, 90), ("laptop", 0), ("laptop", 367)])
def test_impossible_tokens_are_refused(researcher: User, name: str, days: int) -> None:
    with pytest.raises(UserError):
        services.create_token(actor=None, user=researcher, name=name, days=days)
    assert not PersonalToken.objects.exists()


def test_tokens_from_the_command_line(project: Project, researcher: User, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("create_token", "Ruth", name="laptop")
    token = capsys.readouterr().out.strip()
    assert Client().get(ROOT, headers=bearer(token)).status_code == 200
    with pytest.raises(CommandError, match="already"):
        call_command("create_token", "ruth", name="laptop")
    call_command("create_token", "ruth", name="laptop", revoke=True)
    assert Client().get(ROOT, headers=bearer(token)).status_code == 401
    with pytest.raises(CommandError, match="No account"):
        call_command("create_token", "nobody")
