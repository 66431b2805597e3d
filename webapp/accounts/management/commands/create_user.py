"""`manage.py create_user NAME --project SLUG --role ROLE`: the first account of an installation, and later ones."""

from __future__ import annotations

import getpass
import os
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from webapp.accounts.models import Project, Role, User
from webapp.accounts.services import create_project, create_user, set_role
from webapp.core.errors import UserError

PASSWORD_VARIABLE = "CEMLAB_PASSWORD"


class Command(BaseCommand):
    help = (
        "Make an account, and make it a member of a project. An account that exists keeps its password. "
        f"The password is asked for, or read from {PASSWORD_VARIABLE}."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="Name to sign in with.")
        parser.add_argument("--project", help="Slug of the project to become a member of.")
        parser.add_argument("--role", choices=Role.values, default=Role.OBSERVER, help="Role (default: observer).")
        parser.add_argument("--new-project", action="store_true", help="Make the project, too, where there is none.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with transaction.atomic():
                for line in self._make(**options):
                    self.stdout.write(line)
        except UserError as error:
            raise CommandError(str(error)) from error

    def _make(self, *, name: str, project: str | None, role: str, new_project: bool, **_: Any) -> list[str]:
        lines = []
        place = Project.objects.filter(slug=project).first() if project else None
        if project and place is None:
            if not new_project:
                raise CommandError(f"There is no project {project!r}: check the slug, or add --new-project.")
            place = create_project(actor=None, slug=project)
            lines.append(f"Project {place.slug} made.")
        user = User.objects.filter(username__iexact=name.strip()).first()
        if user is None:
            user = create_user(actor=None, username=name, password=_password())
            lines.append(f"Account {user.username} made.")
        elif place is None:
            raise CommandError(f"An account called {user.username!r} exists already.")
        if place is not None:
            set_role(actor=None, project=place, user=user, role=role)
            lines.append(f"{user.username} is {role} in {place.slug}.")
        return lines


def _password() -> str:
    given = os.environ.get(PASSWORD_VARIABLE)
    if given:
        return given
    first = getpass.getpass("Password: ")
    if first != getpass.getpass("Password again: "):
        raise CommandError("The two passwords differ: nothing was made.")
    return first
