"""Importing a set of phantoms by its manifest (docs/formats/phantom.md): DICOM pairs with exactly known lesions."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from imaging.sandbox import Sandbox
from webapp.accounts.models import Project, User
from webapp.cases.importing import keys
from webapp.cases.importing.dicom import DicomImport, Progress
from webapp.cases.importing.drafts import LesionDraft
from webapp.cases.importing.errors import ImportStopped, Refused
from webapp.cases.importing.examined import Examined, examine
from webapp.cases.importing.report import Report
from webapp.cases.importing.run import never, no_progress, reporting
from webapp.cases.importing.sources import SourceFile
from webapp.cases.importing.store import store_view
from webapp.cases.importing.targets import site_for, start_batch
from webapp.cases.models import Origin

SCHEMA = "cemlab.phantom/1"


def import_phantom_set(
    *,
    project: Project,
    manifest: Path,
    site: str | None = None,
    actor: User | None = None,
    progress: Progress = no_progress,
) -> list[Report]:
    """Import phantoms with their lesions; running it again changes nothing.

    Parameters
    ----------
    project : Project
    manifest : Path
        ``manifest.json`` of the set.
    site : str, optional
        Only the patients of this site of the manifest; all sites otherwise. Sites are created when missing.
    actor : User, optional

    Returns
    -------
    list of Report
        One for each site.

    Raises
    ------
    ImportStopped
        If the manifest cannot be read.
    """
    patients = [patient for patient in _read(manifest) if site is None or patient["site"] == site]
    if not patients:
        raise ImportStopped(f"{manifest.name} lists no patient{f' of site {site}' if site else ''}.")
    reports = []
    done, total = 0, sum(len(patient["views"]) for patient in patients)
    for code in sorted({str(patient["site"]) for patient in patients}):
        found = site_for(project, code, actor=actor)
        batch = start_batch(project=project, site=found, source="phantom", actor=actor)
        with reporting(batch) as report, Sandbox() as sandbox:
            run = DicomImport(batch, report, no_progress, never, origin=Origin.PHANTOM.value)
            for patient in patients:
                if patient["site"] != code:
                    continue
                for view in patient["views"]:
                    _import_view(run, view, manifest.parent, sandbox)
                    done += 1
                    progress(done / total, f"phantom view {done} of {total}")
        reports.append(report)
    return reports


def _import_view(run: DicomImport, view: dict[str, Any], folder: Path, sandbox: Sandbox) -> None:
    name = PurePosixPath(str(view.get("low_energy", ""))).name
    try:
        low_energy = _examined(view, "low_energy", folder, sandbox)
        recombined = _examined(view, "recombined", folder, sandbox)
        prepared = [run.prepared(file) for file in (low_energy, recombined)]
        images = [image for image, _ in prepared]
        lesions = [_lesion(lesion) for lesion in view["lesions"]]
        draft = run.view_draft(
            [low_energy, recombined], images, lesions=lesions, attributes={"lesion_source": _fingerprint(lesions)}
        )
        result = store_view(project=run.batch.project, site=run.batch.site, author=run.batch.created_by, draft=draft)
        run.report.stored(result, {image.kind: image.name for image in images})
        for _, record in prepared if result.imported else ():
            run.report.count_deidentification(record.as_json())
    except Refused as reason:
        run.report.refused(name, reason)
    except (KeyError, TypeError, ValueError) as error:
        wrong = Refused("Line of the manifest wrong", f"The manifest's entry of this view is incomplete ({error}).")
        run.report.refused(name, wrong)


def _examined(view: dict[str, Any], kind: str, folder: Path, sandbox: Sandbox) -> Examined:
    root = folder.resolve()
    path = (root / str(view[kind])).resolve()
    if not path.is_relative_to(root):
        raise Refused("Path outside the folder", f"{kind} points outside the manifest's folder.")
    if not path.is_file():
        raise Refused("File missing", f"{kind}: the file is not there.")
    file = examine(SourceFile(path, path.name), keys.keyed_file(path), sandbox)
    if file.kind != kind or (file.laterality, file.position) != (view["laterality"], view["view"]):
        raise Refused(
            "Manifest and header differ",
            f"The manifest calls the file {view['laterality']} {view['view']} {kind.replace('_', ' ')}, its header "
            f"{file.laterality} {file.position} {file.kind.replace('_', ' ')}.",
        )
    # A phantom's outline is round: the chest wall test is for real breasts and its doubts would be noise here.
    return replace(file, attention=[])


def _lesion(entry: dict[str, Any]) -> LesionDraft:
    return LesionDraft(
        lesion_type=str(entry["lesion_type"]),
        malignancy=str(entry["malignancy"]),
        polygons=[[[float(x), float(y)] for x, y in polygon] for polygon in entry["polygons"]],
        source="phantom truth",
        key=str(entry["lesion_id"]),
        evidence="set by the phantom",
    )


def _fingerprint(lesions: list[LesionDraft]) -> str:
    content = [[lesion.key, lesion.lesion_type, lesion.malignancy, lesion.polygons] for lesion in lesions]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _read(manifest: Path) -> list[dict[str, Any]]:
    try:
        body = json.loads(manifest.read_text(encoding="utf-8"))
    except OSError as error:
        raise ImportStopped(f"{manifest.name} is not there or cannot be read.") from error
    except ValueError as error:
        raise ImportStopped(f"{manifest.name} is not JSON in UTF-8.") from error
    if not isinstance(body, dict) or body.get("schema") != SCHEMA:
        raise ImportStopped(f"{manifest.name} is no phantom manifest: its schema must be {SCHEMA}.")
    patients = body.get("patients")
    complete = isinstance(patients, list) and all(
        isinstance(patient, dict) and isinstance(patient.get("views"), list) and patient.get("site")
        for patient in patients
    )
    if not complete:
        raise ImportStopped(f"{manifest.name} is incomplete: each patient needs a site and views.")
    return list(patients)  # type: ignore[arg-type]
