"""What tests of reviews do again and again: sign in, find an address, read items."""

from __future__ import annotations

from typing import Any

from django.test import Client
from django.urls import reverse

from webapp.accounts.models import User
from webapp.reviews import services
from webapp.reviews.models import ReviewQueue


def client_of(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def address(name: str, *arguments: Any, **query: Any) -> str:
    return reverse(f"reviews:{name}", args=["study", *arguments], query=query or None)


def read(reader: User, queue: ReviewQueue, reasons: list[str]) -> None:
    for item, reason in zip(queue.items.all(), reasons, strict=False):
        services.reveal(actor=reader, item=item, seconds=1.0)
        services.answer(actor=reader, item=item, state="answered", reason=reason, seconds=2.0)
