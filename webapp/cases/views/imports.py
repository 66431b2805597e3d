"""Handing in files, and the report of what became of them. For curators."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from webapp.accounts import permissions
from webapp.accounts.models import Project, User
from webapp.accounts.project_pages import project_page
from webapp.cases import services
from webapp.cases.forms import ImportForm, PieceForm
from webapp.cases.import_report import report_context
from webapp.cases.importing import manifest, uploads
from webapp.cases.models import ImportBatch, ImportFile
from webapp.cases.selectors import imports_of
from webapp.core.errors import UserError

RECENT = 10


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def _batch(request: HttpRequest, project: Project, number: int) -> ImportBatch:
    return get_object_or_404(
        imports_of(request.user, project).select_related("job", "created_by", "project"), number=number
    )


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(permissions.CURATE)
def import_page(request: HttpRequest, project: Project) -> HttpResponse:
    """Drop zone; without a script the same form takes files in one post."""
    form = ImportForm(request.POST or None, project=project)
    if request.method == "POST" and form.is_valid():
        try:
            batch = _take_whole_files(request, project, form)
            return redirect("cases:import-report", project.slug, batch.number)
        except UserError as error:
            form.add_error(error.field if error.field in form.fields else None, str(error))
    context = {
        "form": form,
        "recent": imports_of(request.user, project)[:RECENT],
        "required": manifest.REQUIRED,
        "optional": manifest.OPTIONAL,
        "piece_bytes": uploads.LARGEST_PIECE,
        "largest_file": uploads.LARGEST_FILE,
        "most_files": uploads.MOST_FILES,
    }
    return render(request, "cases/import.html", context, status=422 if form.errors else 200)


def _take_whole_files(request: HttpRequest, project: Project, form: ImportForm) -> ImportBatch:
    given = request.FILES.getlist("files")
    if not given:
        raise UserError("Choose a folder, a zip archive or files.", field="files")
    batch = services.begin_upload(
        actor=_user(request),
        project=project,
        site=form.cleaned_data["site"],
        spacing_mm=form.cleaned_data["spacing_mm"],
    )
    for index, upload in enumerate(given, start=1):
        size, offset = upload.size or 0, 0
        for content in upload.chunks(uploads.LARGEST_PIECE):
            piece = uploads.Piece(index, upload.name or f"file {index}", size, offset, content)
            offset = services.add_piece(actor=_user(request), batch=batch, piece=piece)
    services.finish_upload(actor=_user(request), batch=batch)
    return batch


@require_POST
@project_page(permissions.CURATE)
def begin(request: HttpRequest, project: Project) -> JsonResponse:
    """Start an upload in pieces; answers where they go."""
    form = ImportForm(request.POST, project=project)
    if not form.is_valid():
        return _refusal(" ".join(str(message) for errors in form.errors.values() for message in errors))
    try:
        batch = services.begin_upload(
            actor=_user(request),
            project=project,
            site=form.cleaned_data["site"],
            spacing_mm=form.cleaned_data["spacing_mm"],
        )
    except UserError as error:
        return _refusal(str(error))
    arguments = [project.slug, batch.number]
    return JsonResponse(
        {
            "number": batch.number,
            "pieces": reverse("cases:import-piece", args=arguments),
            "finish": reverse("cases:import-finish", args=arguments),
            "report": reverse("cases:import-report", args=arguments),
        },
        status=201,
    )


@require_POST
@project_page(permissions.CURATE)
def piece(request: HttpRequest, project: Project, number: int) -> JsonResponse:
    """One piece of one file; answers how much of the file has arrived."""
    batch = _batch(request, project, number)
    form = PieceForm(request.GET)
    if not form.is_valid():
        return _refusal("The piece does not say which file it is of, or where it begins.")
    try:
        received = services.add_piece(
            actor=_user(request), batch=batch, piece=uploads.Piece(**form.cleaned_data, content=request.body)
        )
    except uploads.OutOfStep as error:
        return JsonResponse({"received": error.received}, status=409)
    except UserError as error:
        return _refusal(str(error))
    return JsonResponse({"received": received})


@require_POST
@project_page(permissions.CURATE)
def finish(request: HttpRequest, project: Project, number: int) -> JsonResponse:
    """Everything has arrived: check and import."""
    batch = _batch(request, project, number)
    try:
        services.finish_upload(actor=_user(request), batch=batch)
    except UserError as error:
        return _refusal(str(error))
    return JsonResponse({"report": reverse("cases:import-report", args=[project.slug, batch.number])})


@require_GET
@project_page(permissions.CURATE)
def report(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """What became of every file."""
    batch = _batch(request, project, number)
    return render(request, "cases/import_report.html", report_context(request, batch))


@require_GET
@project_page(permissions.CURATE)
def status(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """The report's body while it grows; asked for every two seconds until the import ends."""
    batch = _batch(request, project, number)
    return render(request, "cases/import_report_body.html", report_context(request, batch))


def _file(batch: ImportBatch, file_id: int) -> ImportFile:
    return get_object_or_404(
        ImportFile.objects.select_related("batch__project", "batch__site"), batch=batch, pk=file_id
    )


@require_GET
@project_page(permissions.CURATE)
def picture(request: HttpRequest, project: Project, number: int, file_id: int) -> HttpResponse:
    """The picture of a file that waits for a person's word."""
    batch = _batch(request, project, number)
    found = _file(batch, file_id)
    path = uploads.waiting_file(batch.folder, f"{found.waiting}.png") if found.waiting else None
    if path is None or not path.is_file():
        raise Http404("No picture waits here.")
    return HttpResponse(path.read_bytes(), content_type="image/png", headers={"Cache-Control": "private, no-store"})


@require_POST
@project_page(permissions.CURATE)
def answer(request: HttpRequest, project: Project, number: int, file_id: int) -> HttpResponse:
    """Say which kind a file is."""
    batch = _batch(request, project, number)
    try:
        outcome = services.answer_kind(
            actor=_user(request), file=_file(batch, file_id), kind=request.POST.get("kind", "")
        )
    except UserError as error:
        messages.error(request, str(error))
        return redirect("cases:import-report", project.slug, number)
    failed = outcome.as_dict()["failed"]
    messages.add_message(
        request,
        messages.ERROR if failed else messages.SUCCESS,
        failed[0]["reason"] if failed else "Imported as you said.",
    )
    return redirect("cases:import-report", project.slug, number)


def _refusal(words: str) -> JsonResponse:
    return JsonResponse({"error": words}, status=400)
