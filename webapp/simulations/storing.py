"""Storing a simulated case."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from PIL import Image as PillowImage

from imaging.dicom_writing import ImageIdentity, Synthetic, write_pair
from imaging.pair import CEMPair
from imaging.reading import read_pixels
from imaging.rendering import display_window, thumbnail_of
from simulation.case import SimulatedCase
from webapp.annotations import services as annotation_services
from webapp.cases.importing.drafts import ImageDraft
from webapp.cases.importing.keys import keyed
from webapp.cases.importing.pairs import THUMBNAIL
from webapp.cases.models import ImageKind, View
from webapp.cases.variants import VariantDraft, add_synthetic_views
from webapp.core import files
from webapp.core.errors import UserError
from webapp.simulations.contrasts import MeasuredContrast
from webapp.simulations.distributions import spacing_mm
from webapp.simulations.hosts import HostBreast, HostView
from webapp.simulations.lesion_measures import measured_calcifications
from webapp.simulations.models import SimulationBatch, SyntheticView

Malignancy = Literal["benign", "malignant"]


@dataclass(frozen=True)
class MadeView:
    """A simulated view in memory."""

    host: HostView
    case: SimulatedCase


def store_case(
    batch: SimulationBatch,
    malignancy: Malignancy,
    number: int,
    seed: int,
    host: HostBreast,
    made: list[MadeView],
    contrast: MeasuredContrast,
) -> None:
    """Write the views of a case with their files, lesion, outlines and records: all or nothing.

    Raises
    ------
    StorageFull
    """
    folder = Path(tempfile.mkdtemp(prefix="synthetic-"))
    masks: list[str] = []
    try:
        drafts = [VariantDraft(entry.host.view, _images(batch, malignancy, number, entry, folder)) for entry in made]
        for entry in made:
            name = files.new_name("masks", ".png")
            encoded, content = cv2.imencode(".png", entry.case.mask.astype(np.uint8) * 255)
            if not encoded:
                raise UserError("The lesion mask could not be written as PNG.")
            files.write(name, content.tobytes())
            masks.append(name)

        def complete(views: list[View]) -> None:
            lesion = annotation_services.create_lesion(
                actor=None,
                exam=made[0].host.view.exam,
                laterality=host.laterality,
                lesion_type="cluster",
                malignancy=malignancy,
                origin="synthetic",
                evidence=f"{batch}, {malignancy} case {number}",
            )
            for entry, view, mask in zip(made, views, masks, strict=True):
                annotation_services.revise_annotation(
                    actor=None,
                    lesion=lesion,
                    view=view,
                    polygons=[[list(point) for point in polygon] for polygon in entry.case.polygons],
                    source="simulation",
                )
                SyntheticView.objects.create(
                    view=view,
                    host=entry.host.view,
                    batch=batch,
                    patient_id=host.patient_id,
                    malignancy=malignancy,
                    case_number=number,
                    seed=seed,
                    mask=mask,
                    record=entry.case.record
                    | {
                        "host_lesion_free": host.lesion_free,
                        "excluded_lesions": len(entry.host.polygons),
                        "contrast_source": contrast.source,
                        "outcome": _outcome(entry.case),
                    },
                )

        add_synthetic_views(drafts=drafts, complete=complete)
    except BaseException:
        # A mask without its row would never be found again.
        for name in masks:
            files.absolute(name).unlink(missing_ok=True)
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _outcome(case: SimulatedCase) -> dict[str, Any]:
    """What the plots compare: spacing as inserted, and everything as it is measured on real clusters."""
    pixel_mm = case.record["host"]["spacing_mm"]
    return {
        "spacing_mm": spacing_mm(case.record["cluster"]["calcifications"], pixel_mm),
        "measured": measured_calcifications(case.pair.low_energy, case.mask, pixel_mm),
    }


def _images(batch: SimulationBatch, malignancy: str, number: int, entry: MadeView, folder: Path) -> list[ImageDraft]:
    view, pair = entry.host.view, entry.case.pair
    hosts = {image.kind: image for image in view.images.all()}
    stem = f"{view.laterality}-{view.position}"
    if hosts[ImageKind.LOW_ENERGY].format == "dicom" and pair.spacing_mm is not None:
        paths = _as_dicom(batch, malignancy, number, view, pair, folder, stem)
    else:
        paths = _as_png(pair, folder, stem)
    drafts = []
    for kind, (path, uid) in paths.items():
        stored = read_pixels(path)
        voi = stored.windows[0] if stored.windows else None
        drafts.append(
            ImageDraft(
                kind=kind,
                name=path.name,
                write=_copier(path),
                suffix=path.suffix,
                format="dicom" if path.suffix == ".dcm" else "png",
                source_hash=keyed("synthetic", str(batch.pk), malignancy, str(number), str(view.pk), kind),
                rows=pair.shape[0],
                columns=pair.shape[1],
                bits_stored=stored.bits_stored,
                spacing_mm=pair.spacing_mm,
                window=(hosts[kind].window_low, hosts[kind].window_high)
                if stored.bits_stored == hosts[kind].bits_stored
                else display_window(stored.pixels, stored.bits_stored, voi=voi),
                thumbnail=thumbnail_of(stored, THUMBNAIL),
                vendor=hosts[kind].vendor,
                sop_uid=uid,
            )
        )
    return drafts


def _as_dicom(
    batch: SimulationBatch, malignancy: str, number: int, view: View, pair: CEMPair, folder: Path, stem: str
) -> dict[str, tuple[Path, str]]:
    exam = view.exam
    written = write_pair(
        pair,
        folder,
        identity=ImageIdentity(
            patient_id=exam.patient.pseudonym,
            patient_name=exam.patient.pseudonym,
            study_date=exam.date or exam.created.date(),
            seed=f"synthetic-{batch.project.slug}-{batch.number}-{malignancy}-{number}",
            patient_age=exam.patient.age,
        ),
        synthetic=Synthetic(derivation=f"{batch}: simulated {malignancy} microcalcification cluster, case {number}"),
        stem=stem,
    )
    return {
        ImageKind.LOW_ENERGY: (written.low_energy, written.sop_uids["low_energy"]),
        ImageKind.RECOMBINED: (written.recombined, written.sop_uids["recombined"]),
    }


def _as_png(pair: CEMPair, folder: Path, stem: str) -> dict[str, tuple[Path, str]]:
    paths: dict[str, tuple[Path, str]] = {}
    for kind, pixels in ((ImageKind.LOW_ENERGY, pair.low_energy), (ImageKind.RECOMBINED, pair.recombined)):
        path = folder / f"{stem}_{kind}.png"
        PillowImage.fromarray(pixels).save(path)
        paths[str(kind)] = (path, "")
    return paths


def _copier(source: Path) -> Any:
    return lambda path: shutil.copyfile(source, path)
