"""Downloads: sent in parts, whole, and closed at the end, by a server of either kind."""

from __future__ import annotations

import asyncio
import tempfile

from django.http import StreamingHttpResponse
from django.test import AsyncRequestFactory, RequestFactory

from webapp.core.downloads import PART, download

CONTENT = bytes(range(256)) * (PART // 256) + b"the end"


async def received(response: StreamingHttpResponse) -> list[bytes]:
    return [part async for part in response]


def test_an_asynchronous_server_reads_no_more_than_a_part_at_once() -> None:
    with tempfile.TemporaryFile() as handle:
        handle.write(CONTENT)
        response = download(AsyncRequestFactory().get("/"), handle, filename="all “rows”.csv", content_type="text/csv")

        parts = asyncio.run(received(response))

        assert [len(part) for part in parts] == [PART, 7] and b"".join(parts) == CONTENT
        assert handle.closed
    assert response["Content-Length"] == str(len(CONTENT)) and response["Content-Type"] == "text/csv"
    assert response["Content-Disposition"].startswith("attachment; filename")


def test_a_synchronous_server_sends_the_same() -> None:
    with tempfile.TemporaryFile() as handle:
        handle.write(CONTENT)
        response = download(RequestFactory().get("/"), handle, filename="rows.csv", content_type="text/csv")

        assert response.getvalue() == CONTENT
        assert response["Content-Length"] == str(len(CONTENT))
        assert response["Content-Disposition"] == 'attachment; filename="rows.csv"'
