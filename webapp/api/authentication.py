"""Who calls: a personal token in the header, or the session of the browser."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from webapp.accounts.models import User
from webapp.api.services import person_of

SCHEME = "Bearer"


class TokenAuthentication(BaseAuthentication):
    """``Authorization: Bearer cemlab_…``."""

    def authenticate(self, request: Request) -> tuple[User, None] | None:
        """The token's person; None without such a header, so that the session is asked next.

        Raises
        ------
        AuthenticationFailed
            If the header is there but the token does not work.
        """
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != SCHEME.lower():
            return None
        user = person_of(token.strip())
        if user is None:
            raise AuthenticationFailed("This token is unknown, expired or revoked: make a new one.")
        return user, None

    def authenticate_header(self, request: Request) -> str:
        """Makes anonymous answers 401."""
        return SCHEME


class TokenScheme(OpenApiAuthenticationExtension):
    """The token in the OpenAPI schema."""

    target_class = TokenAuthentication
    name = "personalToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """HTTP bearer."""
        return {"type": "http", "scheme": "bearer", "description": "Made with `manage.py create_token`."}
