"""Secrets of one installation, created once and kept in its data folder."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path


def installation_secret(data_root: Path, name: str) -> str:
    """The secret `name` of this installation; written on first use, readable by its owner only.

    Two processes that start together agree: the file is created exclusively and the loser reads the winner's.
    """
    folder = data_root / "secrets"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / name.lower()
    if not path.exists():
        draft = folder / f".{name.lower()}.{os.getpid()}"
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(48))
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path.read_text().strip()
