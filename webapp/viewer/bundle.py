"""Where the built browser part of the viewer lies."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings


@dataclass(frozen=True)
class Bundle:
    """Addresses of the viewer's script, style and decoders."""

    entry: str
    style: str
    wasm: str


def bundle() -> Bundle | None:
    """The bundle that ``static/build.py`` wrote last, or None before the first build.

    The directory carries the content hash, and the worker and decoders are found beside the entry under their own
    names: so the entry is named by ``build.json`` and not by a renaming storage.
    """
    path = Path(settings.ROOT) / "static" / "dist" / "viewer" / "build.json"
    try:
        described = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    base = settings.STATIC_URL
    return Bundle(
        entry=base + described["entry"],
        style=base + described["style"] if described.get("style") else "",
        wasm=base + described["wasm"],
    )
