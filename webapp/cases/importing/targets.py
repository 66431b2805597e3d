"""The project, site and batch that an import writes into."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max

from webapp.accounts.models import Project, User
from webapp.accounts.services import create_project
from webapp.cases.models import ImportBatch, Site
from webapp.core import audit
from webapp.core.errors import UserError


def project_for(slug: str) -> Project:
    """The project of this slug, created when missing (command line only)."""
    return Project.objects.filter(slug=slug).first() or create_project(actor=None, slug=slug)


def site_for(project: Project, code: str, *, actor: User | None = None) -> Site:
    """The site of this code, created when missing.

    Raises
    ------
    UserError
        If the code is not made of letters, digits, hyphens and underscores.
    """
    found = Site.objects.filter(project=project, code=code).first()
    if found is not None:
        return found
    site = Site(project=project, code=code)
    try:
        site.full_clean()
    except ValidationError as error:
        raise UserError(
            "The site code is made of at most 30 letters, digits, hyphens and underscores.", field="site"
        ) from error
    with transaction.atomic():
        site, created = Site.objects.get_or_create(project=project, code=code)
        if created:
            audit.record(actor=actor, action="cases.create_site", project=project, target=site)
    return site


@transaction.atomic
def start_batch(
    *, project: Project, site: Site, source: str, actor: User | None, spacing_mm: float | None = None, folder: str = ""
) -> ImportBatch:
    """A new import with the project's next number."""
    Project.objects.select_for_update().get(pk=project.pk)
    last = ImportBatch.objects.filter(project=project).aggregate(last=Max("number"))["last"] or 0
    return ImportBatch.objects.create(
        project=project,
        site=site,
        number=last + 1,
        source=source,
        created_by=actor,
        spacing_mm=spacing_mm,
        folder=folder,
    )
