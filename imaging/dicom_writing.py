"""Writing CEM pairs as DICOM Digital Mammography X-Ray Image objects (FOR PRESENTATION).

The objects carry the modules of PS3.3 A.26.2 and are modelled on the headers of GE mammography systems. Everything is
derived from the arguments: the same call writes the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, DigitalMammographyXRayImageStorageForPresentation, ExplicitVRLittleEndian

from imaging.attributes import items, text
from imaging.mammography_modules import add_equipment, add_geometry, add_pixels, code_item
from imaging.pair import CEMPair

ImageRole = Literal["low_energy", "recombined"]

# Values 3 to 5 as in PS3.3 tables C.8-74: contrast phase, combination, energy.
IMAGE_TYPES: dict[ImageRole, tuple[str, ...]] = {
    "low_energy": ("DERIVED", "PRIMARY", "POST_CONTRAST", "", "LOW_ENERGY"),
    "recombined": ("DERIVED", "PRIMARY", "POST_CONTRAST", "SUBTRACTION"),
}
IMPLEMENTATION_UID = UID("2.25.309485738291745620183746501928374650")
PRIVATE_GROUP = 0x0071
PRIVATE_CREATOR = "CEMLAB SIMULATION"
SIMULATION_MODEL = "CEMLab simulation"


@dataclass(frozen=True)
class ImageIdentity:
    """Who and when: names are given by the caller and never taken from a real patient.

    Attributes
    ----------
    patient_id, patient_name : str
    study_date : date
    seed : str
        Part of every UID: other seeds give other UIDs, the same seed the same ones.
    study : str
        Tells studies of one patient apart.
    patient_age : int or None
        Years.
    """

    patient_id: str
    patient_name: str
    study_date: date
    seed: str
    study: str = "1"
    study_time: str = "090000"
    study_description: str = "CONTRAST ENHANCED MAMMOGRAPHY"
    institution: str = ""
    patient_age: int | None = None
    accession_number: str = ""


@dataclass(frozen=True)
class Synthetic:
    """Marks an image as made by a computer.

    Attributes
    ----------
    derivation : str
        What was done, in a sentence (Derivation Description).
    software : str
        Name of the software for the Contributing Equipment Sequence.
    software_version : str
    sources : mapping of role to (SOP Class UID, SOP Instance UID), optional
        The image each one was made from.
    record_sha256 : str
        Hash of the simulation record, kept in a private block.
    """

    derivation: str
    software: str = "CEMLab"
    software_version: str = ""
    sources: dict[ImageRole, tuple[str, str]] | None = None
    record_sha256: str = ""


@dataclass(frozen=True)
class WrittenPair:
    """The two files of a view and their identifiers."""

    low_energy: Path
    recombined: Path
    study_uid: str
    sop_uids: dict[ImageRole, str]


def write_pair(
    pair: CEMPair,
    directory: Path,
    *,
    identity: ImageIdentity,
    image_types: dict[ImageRole, tuple[str, ...]] | None = None,
    photometric: Literal["MONOCHROME1", "MONOCHROME2"] = "MONOCHROME2",
    synthetic: Synthetic | None = None,
    stem: str | None = None,
    breast_implant: bool = False,
    windows: Mapping[ImageRole, tuple[float, float]] | None = None,
) -> WrittenPair:
    """Write the low-energy and the recombined image of a view.

    Parameters
    ----------
    pair : CEMPair
        In the usual hanging: chest wall on the left for the left breast, on the right for the right breast.
    directory : Path
        Made when absent.
    identity : ImageIdentity
    image_types : dict, optional
        Image Type per role instead of `IMAGE_TYPES`.
    photometric : {"MONOCHROME2", "MONOCHROME1"}
        With MONOCHROME1 the stored values are inverted.
    synthetic : Synthetic, optional
        Marks both images as synthetic (ImageType DERIVED, Series Description SYNTHETIC, derivation, equipment).
    stem : str, optional
        Start of the file names; laterality and view otherwise. Files are ``<stem>_low_energy.dcm`` and
        ``<stem>_recombined.dcm``.
    breast_implant : bool
    windows : mapping of role to (low, high), optional
        Values shown black and white, brighter = denser; from the pixels when left out.

    Returns
    -------
    WrittenPair

    Raises
    ------
    ValueError
        If the pair has no pixel spacing (Imager Pixel Spacing is mandatory) or values outside its bits.
    """
    if pair.spacing_mm is None:
        raise ValueError("a pair without pixel spacing cannot be written as DICOM: Imager Pixel Spacing is mandatory")
    directory.mkdir(parents=True, exist_ok=True)
    stem = stem or f"{pair.laterality}_{pair.view_position}"
    paths: dict[ImageRole, Path] = {}
    uids: dict[ImageRole, str] = {}
    roles: tuple[tuple[ImageRole, Any], ...] = (("low_energy", pair.low_energy), ("recombined", pair.recombined))
    for role, pixels in roles:
        dataset = image_dataset(
            pair,
            pixels,
            role,
            identity=identity,
            image_type=(image_types or IMAGE_TYPES)[role],
            photometric=photometric,
            synthetic=synthetic,
            breast_implant=breast_implant,
            window=(windows or {}).get(role),
        )
        paths[role] = directory / f"{stem}_{role}.dcm"
        dataset.save_as(paths[role], enforce_file_format=True)
        uids[role] = str(dataset.SOPInstanceUID)
    return WrittenPair(paths["low_energy"], paths["recombined"], study_uid(identity), uids)


def image_dataset(
    pair: CEMPair,
    pixels: np.ndarray,
    role: ImageRole,
    *,
    identity: ImageIdentity,
    image_type: tuple[str, ...] | None = None,
    photometric: Literal["MONOCHROME1", "MONOCHROME2"] = "MONOCHROME2",
    synthetic: Synthetic | None = None,
    breast_implant: bool = False,
    window: tuple[float, float] | None = None,
) -> FileDataset:
    """The data set of one image of a pair, ready to be saved; see `write_pair`."""
    dataset = FileDataset("", Dataset(), preamble=b"\x00" * 128)
    image_type = image_type or IMAGE_TYPES[role]
    content = ""
    if synthetic is not None:  # the record holds the hash of the pixels already
        content = synthetic.record_sha256 or hashlib.sha256(np.ascontiguousarray(pixels).data).hexdigest()
    sop_uid = deterministic_uid(
        identity.seed, identity.patient_id, identity.study, role, pair.laterality, pair.view_position, content
    )
    _identity(dataset, identity, role, synthetic)
    dataset.SOPClassUID = DigitalMammographyXRayImageStorageForPresentation
    dataset.SOPInstanceUID = sop_uid
    dataset.ImageType = ["DERIVED", *image_type[1:]] if synthetic else list(image_type)
    add_equipment(dataset, pair.vendor, recombined=role == "recombined")
    add_geometry(dataset, pair, breast_implant=breast_implant)
    add_pixels(dataset, pixels, pair.bits_stored, photometric, window)
    if synthetic is not None:
        _mark_synthetic(dataset, synthetic, role)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = sop_uid
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = IMPLEMENTATION_UID
    meta.ImplementationVersionName = "CEMLAB_1"
    dataset.file_meta = meta
    return dataset


def deterministic_uid(*parts: str) -> UID:
    """A UID under 2.25 made from a hash of the parts (PS3.5 B.2)."""
    digest = bytearray(hashlib.sha256(json.dumps(parts).encode()).digest()[:16])
    # Version and variant bits of a name-based UUID (RFC 9562, version 8).
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    return UID(f"2.25.{int.from_bytes(digest, 'big')}")


def study_uid(identity: ImageIdentity) -> str:
    """Study Instance UID of an identity."""
    return str(deterministic_uid(identity.seed, identity.patient_id, identity.study))


def is_synthetic(dataset: Dataset) -> bool:
    """Whether an image was marked synthetic by `write_pair`.

    Told by its private block, or, when private attributes were removed, by the contributing equipment.
    """
    for element in dataset.group_dataset(PRIVATE_GROUP):
        if element.tag.is_private_creator and element.value == PRIVATE_CREATOR:
            return True
    return any(
        text(item, "ManufacturerModelName") == SIMULATION_MODEL
        for item in items(dataset, "ContributingEquipmentSequence")
    )


def _identity(dataset: Dataset, identity: ImageIdentity, role: ImageRole, synthetic: Synthetic | None) -> None:
    day = identity.study_date.strftime("%Y%m%d")
    dataset.SpecificCharacterSet = "ISO_IR 192"
    for name in ("Study", "Series", "Acquisition", "Content"):
        setattr(dataset, f"{name}Date", day)
        setattr(dataset, f"{name}Time", identity.study_time)
    dataset.AccessionNumber = identity.accession_number
    dataset.Modality = "MG"
    dataset.PresentationIntentType = "FOR PRESENTATION"
    dataset.InstitutionName = identity.institution
    dataset.ReferringPhysicianName = ""
    dataset.StudyDescription = identity.study_description
    kind = "LOW ENERGY" if role == "low_energy" else "RECOMBINED"
    dataset.SeriesDescription = f"SYNTHETIC {kind}" if synthetic else f"CEM {kind}"
    dataset.PatientName = identity.patient_name
    dataset.PatientID = identity.patient_id
    dataset.PatientBirthDate = ""
    dataset.PatientSex = "F"
    if identity.patient_age is not None:
        dataset.PatientAge = f"{identity.patient_age:03d}Y"
    dataset.StudyInstanceUID = study_uid(identity)
    dataset.SeriesInstanceUID = deterministic_uid(
        identity.seed, identity.patient_id, identity.study, role, "synthetic" if synthetic else "series"
    )
    dataset.StudyID = re.sub(r"[^A-Za-z0-9 _-]", "", identity.study)[:16]
    dataset.SeriesNumber = (1 if role == "low_energy" else 2) + (100 if synthetic else 0)


def _mark_synthetic(dataset: Dataset, synthetic: Synthetic, role: ImageRole) -> None:
    dataset.DerivationDescription = synthetic.derivation[:1024]
    equipment = Dataset()
    equipment.Manufacturer = synthetic.software
    equipment.ManufacturerModelName = SIMULATION_MODEL
    equipment.SoftwareVersions = synthetic.software_version
    equipment.ContributionDescription = "Computer simulation: this image is synthetic"
    equipment.PurposeOfReferenceCodeSequence = Sequence([code_item("109102", "DCM", "Processing Equipment")])
    dataset.ContributingEquipmentSequence = Sequence([equipment])
    if synthetic.sources and role in synthetic.sources:
        source = Dataset()
        source.ReferencedSOPClassUID, source.ReferencedSOPInstanceUID = synthetic.sources[role]
        source.SpatialLocationsPreserved = "YES"
        source.PurposeOfReferenceCodeSequence = Sequence(
            [code_item("121322", "DCM", "Source image for image processing operation")]
        )
        dataset.SourceImageSequence = Sequence([source])
    block = dataset.private_block(PRIVATE_GROUP, PRIVATE_CREATOR, create=True)
    block.add_new(0x01, "CS", "YES")
    if synthetic.record_sha256:
        block.add_new(0x02, "LO", synthetic.record_sha256)
