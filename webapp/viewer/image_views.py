"""Images as a DICOMweb viewer asks for them: metadata, frame, rendered picture."""

from __future__ import annotations

from pathlib import Path

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe

from imaging.errors import ImagingError
from imaging.htj2k import TRANSFER_SYNTAX
from webapp.accounts.models import Project, User
from webapp.accounts.project_pages import project_page
from webapp.cases.models import Image
from webapp.viewer import byte_range, dicom_json, differences, frames, selectors, services

CACHE = "private, max-age=3600"
"""An image's content never changes under its number; `Vary: Cookie` keeps people apart in a shared browser."""
FRAME_TYPE = f"image/jphc; transfer-syntax={TRANSFER_SYNTAX}"


def _read(request: HttpRequest, project: Project, image_id: int) -> Image:
    image = selectors.image_or_404(project, image_id)
    assert isinstance(request.user, User)
    services.record_image_read(actor=request.user, exam=image.view.exam, session=request.session, image_id=image.pk)
    return image


@require_safe
@project_page()
def metadata(request: HttpRequest, project: Project, image_id: int) -> HttpResponseBase:
    """DICOM JSON of one image, a list of one as in WADO-RS."""
    image = _read(request, project, image_id)
    etag = f'"{image.sha256}-metadata"'
    response = JsonResponse([dicom_json.describe(image)], safe=False, content_type="application/dicom+json")
    return _cacheable(request, response, etag)


@require_safe
@project_page()
def frame(request: HttpRequest, project: Project, image_id: int) -> HttpResponseBase:
    """The one frame of an image as HTJ2K, single part; `Range` is honoured."""
    image = _read(request, project, image_id)
    etag = f'"{image.sha256}-frame"'
    if unchanged := _not_modified(request, etag):
        return unchanged
    try:
        path = frames.encoded(image)
    except (ImagingError, FileNotFoundError) as error:
        return _unreadable(error)
    return _cacheable(request, _partial(request, path, etag), etag)


@require_safe
@project_page()
def rendered(request: HttpRequest, project: Project, image_id: int) -> HttpResponseBase:
    """The image as an 8-bit PNG in its display window."""
    image = _read(request, project, image_id)
    etag = f'"{image.sha256}-{image.window_low:g}-{image.window_high:g}-rendered"'
    if unchanged := _not_modified(request, etag):
        return unchanged
    try:
        path = frames.rendered(image)
    except (ImagingError, FileNotFoundError) as error:
        return _unreadable(error)
    return _cacheable(request, HttpResponse(path.read_bytes(), content_type="image/png"), etag)


@require_safe
@project_page()
def difference_frame(request: HttpRequest, project: Project, image_id: int) -> HttpResponseBase:
    """A synthetic image minus its host as HTJ2K; 404 for an image without host."""
    image, host = _read_with_host(request, project, image_id)
    etag = f'"{image.sha256}-{host.sha256}-frame"'
    if unchanged := _not_modified(request, etag):
        return unchanged
    try:
        path = differences.encoded(image, host)
    except (ImagingError, FileNotFoundError) as error:
        return _unreadable(error)
    return _cacheable(request, _partial(request, path, etag), etag)


@require_safe
@project_page()
def difference_rendered(request: HttpRequest, project: Project, image_id: int) -> HttpResponseBase:
    """A synthetic image minus its host as an 8-bit PNG."""
    image, host = _read_with_host(request, project, image_id)
    etag = f'"{image.sha256}-{host.sha256}-rendered"'
    if unchanged := _not_modified(request, etag):
        return unchanged
    try:
        path = differences.rendered(image, host)
    except (ImagingError, FileNotFoundError) as error:
        return _unreadable(error)
    return _cacheable(request, HttpResponse(path.read_bytes(), content_type="image/png"), etag)


def _read_with_host(request: HttpRequest, project: Project, image_id: int) -> tuple[Image, Image]:
    image = _read(request, project, image_id)
    host = selectors.host_image(image)
    if host is None:
        raise Http404("This image has no host.")
    return image, host


def _partial(request: HttpRequest, path: Path, etag: str) -> HttpResponse:
    """The file, or the range of it that was asked for (RFC 9110, section 14)."""
    size = path.stat().st_size
    header = request.headers.get("Range", "")
    if request.headers.get("If-Range", etag) != etag:
        header = ""
    try:
        asked = byte_range.parse(header, size)
    except byte_range.RangeNotSatisfiable:
        response = HttpResponse(status=416)
        response["Content-Range"] = f"bytes */{size}"
        return response
    start, stop = asked or (0, size)
    with path.open("rb") as handle:
        handle.seek(start)
        content = handle.read(stop - start)
    response = HttpResponse(content, content_type=FRAME_TYPE, status=206 if asked else 200)
    response["Accept-Ranges"] = "bytes"
    if asked:
        response["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    return response


def _not_modified(request: HttpRequest, etag: str) -> HttpResponseBase | None:
    """304 before any work is done, when the browser holds the image already."""
    unchanged = get_conditional_response(request, etag=etag)
    if unchanged is not None:
        unchanged["ETag"] = etag
        unchanged["Cache-Control"] = CACHE
    return unchanged


def _cacheable(request: HttpRequest, response: HttpResponse, etag: str) -> HttpResponseBase:
    if response.status_code == 416:
        return response
    response["ETag"] = etag
    response["Cache-Control"] = CACHE
    return get_conditional_response(request, etag=etag, response=response) or response


def _unreadable(error: Exception) -> HttpResponse:
    reason = str(error) if isinstance(error, ImagingError) else "Its file is not in the data folder any more."
    return HttpResponse(f"This image cannot be shown. {reason}", status=422, content_type="text/plain; charset=utf-8")
