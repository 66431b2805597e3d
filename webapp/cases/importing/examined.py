"""What is known of one DICOM file after it was read, without any identifier in the clear."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset

from imaging.attributes import text
from imaging.breast import breast_mask, chest_wall_side
from imaging.dicom import is_dicom, read_header
from imaging.errors import BreastNotFound, ImagingError
from imaging.rendering import display_window, thumbnail_of
from imaging.sandbox import Sandbox
from imaging.stored_image import StoredImage
from webapp.cases.importing import keys
from webapp.cases.importing.errors import Refused
from webapp.cases.importing.pairs import THUMBNAIL
from webapp.cases.importing.sources import SourceFile

OLDEST_AGE = 90
PICTURE = (360, 520)
_DAYS_A_YEAR = 365.2425


@dataclass(frozen=True)
class Examined:
    """One readable mammogram.

    `patient_key`, `study_key`, `identity` and `acquisition` are keyed hashes; `when` only orders repeats.
    """

    source: SourceFile
    source_hash: str
    kind: str
    kind_reason: str
    laterality: str
    position: str
    patient_key: str
    study_key: str
    identity: dict[str, str]
    acquisition: str
    when: str
    age: int | None
    facts: dict[str, Any]
    window: tuple[float, float]
    thumbnail: bytes
    attention: list[str] = field(default_factory=list)
    picture: bytes = b""
    """Larger than the thumbnail; made only where a person has to look."""

    @property
    def view_key(self) -> tuple[str, str, str, str]:
        """Files of one view of one exam share it."""
        return self.patient_key, self.study_key, self.laterality, self.position


def examine(source: SourceFile, source_hash: str, sandbox: Sandbox, *, stated_kind: str = "") -> Examined:
    """Read one file inside the sandbox, then its identifying attributes.

    Parameters
    ----------
    stated_kind : str
        "low_energy" or "recombined" where a person said so; only asked for when the header does not tell.

    Raises
    ------
    Refused
        With the reason in plain words.
    """
    verdict, image = sandbox.inspect(source.path)
    if not verdict.accepted or image is None:
        raise Refused(_group(verdict.facts.get("kind_rule", ""), source.path), verdict.reason)
    facts = verdict.facts
    if not str(facts["format"]).startswith("DICOM"):
        raise Refused(
            "Pictures without header",
            "This is a picture, not DICOM: nothing says whose breast, which side and which kind it is.",
            "Import pictures with a manifest (import_pairs, or a CSV in the same folder).",
        )
    if facts["synthetic"]:
        raise Refused(
            "Marked as synthetic",
            "The file is marked as made by a simulation.",
            "Synthetic views come from the Simulation page, which keeps their record.",
        )
    if facts["burned_in_annotation"]:
        raise Refused(
            "Text burned into the pixels",
            "Burned In Annotation (0028,0301) is YES: a name may stand in the picture itself.",
            "Export the image without burned-in text.",
        )
    if facts["laterality"] is None or facts["view_position"] is None:
        raise Refused("Side or view not stated", _unsaid(facts), "Correct the header at the source.")
    try:
        dataset = read_header(source.path).dataset
    except ImagingError as error:
        raise Refused("Unreadable file", error.message) from error
    patient_id = text(dataset, "PatientID")
    if not patient_id:
        raise Refused(
            "No patient identifier",
            "Patient ID (0010,0020) is empty, so it is unknown which images belong to one person.",
            "Export with patient identifiers, or with pseudonyms in their place; they are replaced on the way in.",
        )
    kind = str(facts["kind"])
    voi = image.windows[0] if image.windows else None
    return Examined(
        source=source,
        source_hash=source_hash,
        kind=stated_kind if kind == "unknown" and stated_kind else kind,
        kind_reason=str(facts["kind_reason"]),
        laterality=str(facts["laterality"]),
        position=str(facts["view_position"]),
        patient_key=keys.keyed("dicom-patient", patient_id),
        study_key=keys.keyed("dicom-study", text(dataset, "StudyInstanceUID")),
        identity=_identity(dataset),
        acquisition=_acquisition(dataset),
        when=_when(dataset),
        age=_age(dataset),
        facts=facts,
        window=display_window(image.pixels, image.bits_stored, voi=voi),
        thumbnail=thumbnail_of(image, THUMBNAIL),
        attention=_attention(image, str(facts["laterality"])),
        picture=thumbnail_of(image, PICTURE) if kind == "unknown" and not stated_kind else b"",
    )


def _group(rule: str, path: Path) -> str:
    if rule:
        return f"Not a view of a CEM exam: {rule}"
    try:
        return "Unreadable DICOM" if is_dicom(path) else "Not an image"
    except OSError:
        return "Unreadable file"


def _unsaid(facts: dict[str, Any]) -> str:
    if facts["laterality"] is None:
        return "The header does not tell left from right (Image Laterality, 0020,0062)."
    return "The view is neither CC nor MLO (View Code Sequence, 0054,0220, or View Position, 0018,5101)."


def _identity(dataset: Dataset) -> dict[str, str]:
    stated = {
        "birth date": text(dataset, "PatientBirthDate"),
        "sex": text(dataset, "PatientSex").upper(),
        "issuer of the identifier": text(dataset, "IssuerOfPatientID"),
    }
    return {fact: keys.keyed("identity", fact, value) for fact, value in stated.items() if value}


def _acquisition(dataset: Dataset) -> str:
    """What the two images of one exposure share: the event, else number and time of the acquisition."""
    event = text(dataset, "IrradiationEventUID")
    parts = [event] if event else [text(dataset, "AcquisitionNumber"), _when(dataset)]
    return keys.keyed("acquisition", *parts) if any(parts) else ""


def _when(dataset: Dataset) -> str:
    stated = text(dataset, "AcquisitionDateTime")
    return stated or text(dataset, "AcquisitionDate") + text(dataset, "AcquisitionTime")


def _age(dataset: Dataset) -> int | None:
    """Whole years, 90 for 90 and over."""
    stated = text(dataset, "PatientAge").upper()
    if len(stated) == 4 and stated[:3].isdigit() and stated[3] == "Y":
        return min(int(stated[:3]), OLDEST_AGE)
    try:
        born = date.fromisoformat(text(dataset, "PatientBirthDate"))
        taken = date.fromisoformat(text(dataset, "StudyDate"))
    except ValueError:
        return None
    years = int((taken - born).days / _DAYS_A_YEAR)
    return min(years, OLDEST_AGE) if years >= 0 else None


def _attention(image: StoredImage, laterality: str) -> list[str]:
    """In the usual hanging the chest wall of the left breast is on the left, of the right breast on the right."""
    try:
        side = chest_wall_side(breast_mask(image.pixels))
    except BreastNotFound:
        return ["no breast was found in the pixels"]
    expected = "left" if laterality == "L" else "right"
    if side != expected:
        return [
            f"the header says {'left' if laterality == 'L' else 'right'} breast, but the chest wall is on the {side}"
        ]
    return []
