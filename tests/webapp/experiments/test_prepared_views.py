"""The folder of prepared views: emptied by a command, down to the size asked for."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

from django.core.management import call_command


def fill(folder: Path) -> None:
    for index in range(4):
        entry = folder / "views" / "aa" / f"aa{index}.safetensors"
        entry.parent.mkdir(parents=True, exist_ok=True)
        entry.write_bytes(b"x" * 1_000_000)


def left(folder: Path) -> int:
    return len(list(folder.rglob("*.safetensors")))


def test_the_command_keeps_what_is_asked_for_or_set(tmp_path: Path, settings: Any) -> None:
    settings.PREPARED_VIEWS = tmp_path
    settings.PREPARED_VIEWS_BYTES = 3_000_000
    fill(tmp_path)
    out = StringIO()
    call_command("clean_prepared_views", stdout=out)
    assert left(tmp_path) == 3
    assert out.getvalue() == "1 prepared views removed (0.00 GB), 3 kept (0.00 GB)\n"
    call_command("clean_prepared_views", keep_gigabytes=0.001, stdout=out)
    assert left(tmp_path) == 1
    call_command("clean_prepared_views", keep_gigabytes=0.0, stdout=out)
    assert left(tmp_path) == 0
