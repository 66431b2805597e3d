"""Where a job keeps its files: one opaque folder, never shown and never part of an address."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from webapp.jobs.models import Job

LOG_TAIL_BYTES = 64 * 1024


def folder(job: Job) -> Path:
    """The job's folder."""
    return Path(settings.FILES_ROOT) / "jobs" / job.folder


def work_directory(job: Job) -> Path:
    """The same for every attempt: checkpoints."""
    return folder(job) / "work"


def attempt_directory(job: Job) -> Path:
    """For the current attempt alone."""
    return folder(job) / "attempts" / str(job.attempt)


def log_file(job: Job) -> Path:
    """Log of all attempts."""
    return folder(job) / "log.txt"


def log_tail(job: Job, limit: int = LOG_TAIL_BYTES) -> str:
    """The last whole lines of the log, at most `limit` bytes; empty while there is none."""
    try:
        with log_file(job).open("rb") as handle:
            size = handle.seek(0, 2)
            handle.seek(max(0, size - limit))
            content = handle.read(limit)
    except FileNotFoundError:
        return ""
    if size > limit:
        content = content.partition(b"\n")[2]
    return content.decode("utf-8", errors="replace")


def log_size(job: Job) -> int:
    """Bytes of the log so far."""
    try:
        return log_file(job).stat().st_size
    except FileNotFoundError:
        return 0


def log_since(job: Job, start: int) -> tuple[str, int]:
    """Whole lines added after byte `start` (at most `LOG_TAIL_BYTES`), and where they end."""
    try:
        with log_file(job).open("rb") as handle:
            handle.seek(start)
            content = handle.read(LOG_TAIL_BYTES)
    except FileNotFoundError:
        return "", 0
    whole = content[: content.rfind(b"\n") + 1] if len(content) < LOG_TAIL_BYTES else content
    return whole.decode("utf-8", errors="replace"), start + len(whole)
