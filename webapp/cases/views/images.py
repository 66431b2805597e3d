"""Stored pictures, to those who may see them."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from webapp.accounts.models import Project
from webapp.accounts.project_pages import project_page
from webapp.cases.models import Image
from webapp.cases.selectors import images_of
from webapp.core import audit, files

_TYPES = {"dicom": "application/dicom", "png": "image/png", "jpeg": "image/jpeg", "pgm": "image/x-portable-graymap"}


def _image(request: HttpRequest, project: Project, image_id: int) -> Image:
    image = (
        images_of(request.user).filter(view__exam__project=project, pk=image_id).select_related("view__exam").first()
    )
    if image is None:
        raise Http404("No such image.")
    return image


@require_GET
@project_page()
def thumbnail(request: HttpRequest, project: Project, image_id: int) -> HttpResponse:
    """A small PNG. It never changes under its address, so the browser keeps it for a day."""
    image = _image(request, project, image_id)
    tag = f'"{image.thumbnail}"'
    if request.headers.get("If-None-Match") == tag:
        return HttpResponse(status=304, headers={"ETag": tag})
    try:
        content = files.absolute(image.thumbnail).read_bytes() if image.thumbnail else None
    except OSError:
        content = None
    if content is None:
        raise Http404("This image has no small picture.")
    return HttpResponse(
        content, content_type="image/png", headers={"ETag": tag, "Cache-Control": "private, max-age=86400"}
    )


@require_GET
@project_page()
def file(request: HttpRequest, project: Project, image_id: int) -> HttpResponse:
    """The whole de-identified file; each reading is written into the audit trail."""
    image = _image(request, project, image_id)
    try:
        content = files.absolute(image.file).read_bytes()
    except OSError as error:
        raise Http404("The file of this image is not where it was stored.") from error
    audit.record(
        actor=request.user,
        action="cases.read_image",
        project=project,
        target=image,
        name=f"{image.view.exam} {image}",
    )
    response = HttpResponse(content, content_type=_TYPES[image.format])
    suffix = {"dicom": "dcm"}.get(image.format, image.format)
    name = f"case-{image.view.exam.number}-{image.view.laterality}-{image.view.position}-{image.kind}.{suffix}"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "private, no-store"
    return response
