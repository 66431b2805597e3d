"""Secrets of an installation are made once."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT
from webapp.settings.secrets import installation_secret

PROGRAM = """
import sys
from pathlib import Path
from webapp.settings.secrets import installation_secret
sys.stdin.read(1)
print(installation_secret(Path(sys.argv[1]), "NAME"))
"""


def test_processes_that_start_together_agree(tmp_path: Path) -> None:
    started = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for _ in range(4)
    ]
    for process in started:
        assert process.stdin is not None
        process.stdin.write("x")
        process.stdin.flush()
    secrets = {process.communicate()[0].strip() for process in started}
    assert len(secrets) == 1 and len(secrets.pop()) >= 48
    assert [path.name for path in (tmp_path / "secrets").iterdir()] == ["name"], "no draft is left"


def test_a_secret_is_its_owner_s_alone_and_stays(tmp_path: Path) -> None:
    first = installation_secret(tmp_path, "NAME")
    assert installation_secret(tmp_path, "NAME") == first
    assert installation_secret(tmp_path, "OTHER") != first
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "secrets" / "name").stat().st_mode) == 0o600


def test_one_who_lost_the_race_takes_the_winner_s_secret(tmp_path: Path, monkeypatch) -> None:
    """Both saw no file; the other linked its own first."""
    import os

    def lose(source: Path, target: Path) -> None:
        Path(target).write_text("the winner's")
        raise FileExistsError

    monkeypatch.setattr(os, "link", lose)
    assert installation_secret(tmp_path, "NAME") == "the winner's"
