"""`manage.py create_token USER --name NAME`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from webapp.accounts.models import User
from webapp.api.services import create_token, revoke_token
from webapp.core.errors import UserError


class Command(BaseCommand):
    help = "Make a personal token for the API, or take one back. The token is printed once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", help="Name of the account.")
        parser.add_argument("--name", default="api", help="What to call the token (default: api).")
        parser.add_argument("--days", type=int, default=90, help="How long it works, 1 to 366 (default: 90).")
        parser.add_argument("--revoke", action="store_true", help="Take the token of this name back instead.")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username__iexact=options["user"]).first()
        if user is None:
            raise CommandError(f"No account is called {options['user']!r}.")
        try:
            if options["revoke"]:
                revoke_token(actor=None, user=user, name=options["name"])
                self.stdout.write(f"Token {options['name']!r} of {user.username} works no more.")
            else:
                self.stdout.write(create_token(actor=None, user=user, name=options["name"], days=options["days"]))
        except UserError as error:
            raise CommandError(str(error)) from error
