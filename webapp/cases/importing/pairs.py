"""Importing 8-bit or DICOM view pairs that a manifest lists."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from imaging.contours import mask_to_polygons, regions
from imaging.errors import ImagingError
from imaging.reading import StoredImage, read_pixels
from imaging.rendering import display_window, thumbnail_of
from webapp.cases.importing import keys
from webapp.cases.importing.drafts import ExamDraft, ImageDraft, LesionDraft, PatientDraft, ViewDraft
from webapp.cases.importing.errors import Refused
from webapp.cases.importing.manifest import ManifestLine, PairRow, check_line
from webapp.cases.importing.report import Report
from webapp.cases.importing.store import store_view
from webapp.cases.models import ImageKind, ImportBatch, Origin

THUMBNAIL = (144, 208)
"""Width and height of stored thumbnails: four times the 36 × 52 of the cases table, for the preview."""
SMALLEST_LESION = 0.0002
"""Regions of a mask under this fraction of the image are specks of the drawing, not lesions."""
PROFILE = "pixels-only/1"
"""De-identification of 8-bit images: pixels are written anew, nothing else of the source file is kept."""

Progress = Callable[[float, str], None]


def import_lines(
    *,
    batch: ImportBatch,
    report: Report,
    lines: list[ManifestLine],
    folder: Path,
    spacing_mm: float | None,
    progress: Progress,
    should_stop: Callable[[], bool],
) -> None:
    """Import every line; a line that cannot be taken is reported and the others go on.

    Raises
    ------
    StorageFull
    """
    seen: dict[tuple[str, str, str], int] = {}
    for count, line in enumerate(lines, start=1):
        if should_stop():
            break
        try:
            row = check_line(line, folder)
            view = (row.patient, row.laterality, row.position)
            if view in seen:
                raise Refused(
                    "View listed twice",
                    f"Line {row.line}: {row.laterality} {row.position} is on line {seen[view]} already.",
                    "Keep one of the two lines: an exam has each view once.",
                )
            seen[view] = row.line
            result = store_view(
                project=batch.project, site=batch.site, author=batch.created_by, draft=draft_of(row, batch, spacing_mm)
            )
            report.stored(
                result,
                {ImageKind.LOW_ENERGY.value: row.low_energy.name, ImageKind.RECOMBINED.value: row.recombined.name},
            )
        except Refused as reason:
            report.refused(reason.file or line.name, reason)
        progress(count / len(lines), f"line {count} of {len(lines)}")


def draft_of(row: PairRow, batch: ImportBatch, spacing_mm: float | None) -> ViewDraft:
    """Read a row's images and masks.

    Raises
    ------
    Refused
    """
    low_energy = _read(row, row.low_energy)
    recombined = _read(row, row.recombined)
    if low_energy.shape != recombined.shape:
        raise Refused(
            "Sizes differ",
            f"Line {row.line}: the low-energy image has {_size(low_energy)} pixels and the recombined image "
            f"{_size(recombined)}; the two images of a view must have the same size.",
            "Export both images of the view at full size.",
            file=row.recombined.name,
        )
    sources = {path: keys.keyed_file(path) for path in (row.low_energy, row.recombined)}
    if sources[row.low_energy] == sources[row.recombined]:
        raise Refused(
            "Same file under two names",
            f"Line {row.line}: low_energy and recombined are the same picture.",
            "Correct the manifest.",
            file=row.recombined.name,
        )
    mask = _mask(row, row.mask_low_energy, low_energy)
    _mask(row, row.mask_recombined, recombined)
    patient_key = keys.keyed("manifest-patient", row.patient)
    lesions = _lesions(row, mask)
    attributes: dict[str, object] = dict(row.attributes)
    attributes["lesion_source"] = _lesion_source(lesions)
    return ViewDraft(
        patient=PatientDraft(patient_key, keys.pseudonym(patient_key)),
        exam=ExamDraft(
            keys.keyed("manifest-exam", row.patient), device=_device(row), attributes={"source": "pairs manifest"}
        ),
        laterality=row.laterality,
        position=row.position,
        origin=Origin.REAL.value,
        images=[
            _image(ImageKind.LOW_ENERGY.value, row.low_energy, low_energy, sources, spacing_mm),
            _image(ImageKind.RECOMBINED.value, row.recombined, recombined, sources, spacing_mm),
        ],
        lesions=lesions,
        attributes=attributes,
    )


def _device(row: PairRow) -> str:
    machine = row.attributes.get("machine", "")
    return f"machine {machine}" if machine.isdigit() else machine


def _read(row: PairRow, path: Path) -> StoredImage:
    try:
        image = read_pixels(path)
    except ImagingError as error:
        raise Refused("Unreadable image", f"Line {row.line}: {error.message}", "", file=path.name) from error
    if image.source_format.startswith("DICOM"):
        raise Refused(
            "DICOM in a manifest",
            f"Line {row.line}: the file is DICOM.",
            "Import DICOM files as a folder: they say themselves what they show, and are de-identified on the way in.",
            file=path.name,
        )
    return image


def _mask(row: PairRow, path: Path | None, image: StoredImage) -> NDArray[np.bool_] | None:
    if path is None:
        return None
    drawn = _read(row, path)
    if drawn.shape != image.shape:
        raise Refused(
            "Mask of another size",
            f"Line {row.line}: the mask has {_size(drawn)} pixels, the image {_size(image)}.",
            "Export the mask at the size of the image.",
            file=path.name,
        )
    # Masks come as 0/1 and as 0/255, and after JPEG with grey rims: half of the brightest value parts both.
    mask: NDArray[np.bool_] = drawn.pixels > drawn.pixels.max() / 2
    return mask


def _lesions(row: PairRow, mask: NDArray[np.bool_] | None) -> list[LesionDraft]:
    if mask is None or not mask.any():
        return []
    found = []
    for region in regions(mask, minimum_area=SMALLEST_LESION * mask.size):
        corner = np.array(region.box[:2])
        outline = [(polygon + corner).tolist() for polygon in mask_to_polygons(region.mask)]
        found.append(
            LesionDraft(
                lesion_type=row.lesion_type,
                malignancy=row.malignancy,
                polygons=outline,
                source="import: low-energy mask",
                evidence="manifest of the import",
            )
        )
    return found


def _lesion_source(lesions: list[LesionDraft]) -> str:
    content = [[lesion.lesion_type, lesion.malignancy, lesion.polygons] for lesion in lesions]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _image(kind: str, path: Path, image: StoredImage, sources: dict[Path, str], spacing_mm: float | None) -> ImageDraft:
    spacing = image.spacing_mm or ((spacing_mm, spacing_mm) if spacing_mm else None)
    return ImageDraft(
        kind=kind,
        name=path.name,
        write=lambda target: _write_png(target, image.pixels),
        suffix=".png",
        format="png",
        source_hash=sources[path],
        rows=image.shape[0],
        columns=image.shape[1],
        bits_stored=image.bits_stored,
        spacing_mm=spacing,
        window=display_window(image.pixels, image.bits_stored),
        thumbnail=thumbnail_of(image, THUMBNAIL),
        deidentification={"profile": PROFILE, "kept": ["pixels"], "removed": "everything else of the file"},
        attributes={"source_format": image.source_format, "spacing_source": "given at import" if spacing else ""},
    )


def _write_png(target: Path, pixels: NDArray[np.uint8]) -> None:
    encoded, data = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 4])
    if not encoded:
        raise ValueError("the picture could not be encoded as PNG")
    target.write_bytes(data.tobytes())


def _size(image: StoredImage) -> str:
    return f"{image.shape[0]} × {image.shape[1]}"
