"""The jobs entry of the rail."""

from __future__ import annotations

from webapp.accounts.models import Project
from webapp.core.registry import NavigationEntry, navigation
from webapp.jobs.models import Job, JobState


def active_count(project: Project) -> int:
    """Running and queued jobs."""
    return Job.objects.filter(project=project, state__in=[JobState.RUNNING, JobState.QUEUED]).count()


def register() -> None:
    """Put the jobs page on the rail."""
    navigation.register(
        "jobs",
        NavigationEntry(
            section="System", label="Jobs", icon="jobs", url_name="jobs:list", key="j", position=80, count=active_count
        ),
    )
