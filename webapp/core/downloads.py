"""Files sent in parts, so that a large one is never held in memory."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from typing import BinaryIO, TextIO

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import FileResponse, HttpRequest, StreamingHttpResponse
from django.utils.http import content_disposition_header

PART = 1 << 20
"""Bytes read at once."""


def download(request: HttpRequest, handle: BinaryIO, *, filename: str, content_type: str) -> StreamingHttpResponse:
    """An open file as an attachment, from its beginning; it is closed when all of it is sent.

    Django reads a `FileResponse` into memory as a whole where the server is asynchronous, so that it stands here for
    the others alone.
    """
    size = handle.seek(0, os.SEEK_END)
    handle.seek(0)
    if not isinstance(request, ASGIRequest):
        return FileResponse(handle, as_attachment=True, filename=filename, content_type=content_type)
    disposition = content_disposition_header(True, filename)
    return StreamingHttpResponse(
        _parts(handle),
        content_type=content_type,
        headers={"Content-Length": str(size), "Content-Disposition": disposition or "attachment"},
    )


def written(
    request: HttpRequest, write: Callable[[TextIO], None], *, filename: str, content_type: str
) -> StreamingHttpResponse:
    """Text as an attachment, written to disk as a whole before anything is sent: a fault is an error, never half."""
    with ExitStack() as closing:
        kept = closing.enter_context(tempfile.TemporaryFile())
        handle = io.TextIOWrapper(kept, encoding="utf-8", newline="")
        write(handle)
        handle.detach()
        # what is sent is closed when it is sent
        closing.pop_all()
    return download(request, kept, filename=filename, content_type=content_type)


async def _parts(handle: BinaryIO) -> AsyncIterator[bytes]:
    try:
        while part := await sync_to_async(handle.read, thread_sensitive=False)(PART):
            yield part
    finally:
        handle.close()
