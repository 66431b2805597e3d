"""What the files of a host say about it, kept for the record and for writing the synthetic view."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydicom.dataset import Dataset

from imaging.attributes import text, texts
from imaging.dicom_header import is_dicom, read_header
from imaging.dicom_writing import ImageRole, is_synthetic
from imaging.errors import UnreadableFile
from simulation.errors import AlreadySynthetic

Photometric = Literal["MONOCHROME1", "MONOCHROME2"]

# Technique and form of the image; nothing about the person, the place or the time.
_KEPT = (
    "Manufacturer",
    "ManufacturerModelName",
    "SoftwareVersions",
    "ImageType",
    "PresentationIntentType",
    "PhotometricInterpretation",
    "BitsStored",
    "Rows",
    "Columns",
    "ImagerPixelSpacing",
    "EstimatedRadiographicMagnificationFactor",
    "ImageLaterality",
    "ViewPosition",
    "PixelIntensityRelationship",
    "VOILUTFunction",
    "LossyImageCompression",
    "KVP",
    "Exposure",
    "ExposureInuAs",
    "AnodeTargetMaterial",
    "FilterMaterial",
    "BodyPartThickness",
    "CompressionForce",
    "BreastImplantPresent",
)
_HASHED = {"SOPInstanceUID": "sop_instance_uid_sha256", "StudyInstanceUID": "study_instance_uid_sha256"}


@dataclass(frozen=True)
class HostSource:
    """Facts of the two files of a host.

    Attributes
    ----------
    facts : dict of role to dict
        JSON-ready subset of each header, UIDs only as hashes; ``{"format": "8-bit"}`` for files without a header.
    references : dict of role to (SOP Class UID, SOP Instance UID)
        Of DICOM files; named as the source in the files of a case, not in its record.
    photometric : {"MONOCHROME1", "MONOCHROME2"}
        In which the case is written: MONOCHROME1 when both files are.
    windows : dict of role to (low, high)
        Display window of each file that states one: a case is shown as its host is.
    """

    facts: dict[ImageRole, dict[str, Any]]
    references: dict[ImageRole, tuple[str, str]] = field(default_factory=dict)
    photometric: Photometric = "MONOCHROME2"
    windows: dict[ImageRole, tuple[float, float]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """What the record keeps."""
        return {role: dict(facts) for role, facts in self.facts.items()}


def read_source(low_energy: Path, recombined: Path) -> HostSource:
    """Read the headers of a host.

    Raises
    ------
    AlreadySynthetic
        If one of the files is marked synthetic.
    imaging.errors.ImagingError
        If a header cannot be read.
    """
    facts: dict[ImageRole, dict[str, Any]] = {}
    references: dict[ImageRole, tuple[str, str]] = {}
    roles: tuple[tuple[ImageRole, Path], ...] = (("low_energy", low_energy), ("recombined", recombined))
    for role, path in roles:
        try:
            dicom = is_dicom(path)
        except OSError as error:
            raise UnreadableFile("The file is not there or may not be read. Choose it again.") from error
        if not dicom:
            facts[role] = {"format": "8-bit"}
            continue
        header = read_header(path)
        dataset = header.dataset
        if is_synthetic(dataset):
            raise AlreadySynthetic(
                f"the {role.replace('_', '-')} file is a synthetic image; choose the view it was made from, with "
                "another variant"
            )
        facts[role] = {"format": "DICOM", "transfer_syntax": str(header.transfer_syntax), **_facts(dataset)}
        references[role] = (text(dataset, "SOPClassUID"), text(dataset, "SOPInstanceUID"))
    both = {str(entry.get("PhotometricInterpretation", "")).upper() for entry in facts.values()}
    return HostSource(facts, references, "MONOCHROME1" if both == {"MONOCHROME1"} else "MONOCHROME2")


def _facts(dataset: Dataset) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name in _KEPT:
        found = texts(dataset, name)
        if found:
            kept[name] = found[0] if len(found) == 1 else found
    for name, key in _HASHED.items():
        if uid := text(dataset, name):
            kept[key] = hashlib.sha256(uid.encode()).hexdigest()
    return kept
