"""Low-energy or recombined: told by coded attributes, never by file name or description.

First the rules of the standard (Image Type values 3 to 5, PS3.3 section C.8.7.1.1.1 and tables C.8-74), then a table
of what vendors wrote before the standard knew contrast-enhanced mammography, then UNKNOWN with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from pydicom.dataset import Dataset

from imaging.attributes import text, texts, whole
from imaging.vendor import vendor_profile
from imaging.view_facts import refused_modifier


class ImageKind(Enum):
    """What an image of a CEM view is."""

    LOW_ENERGY = "low_energy"
    RECOMBINED = "recombined"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Kind:
    """Outcome of `classify`.

    Attributes
    ----------
    kind : ImageKind
    rule : str
        Name of the rule that decided.
    reason : str
        Why, in plain words.
    refused : bool
        True when the image is known to be none of the two (tomosynthesis, high energy, …); False with UNKNOWN means
        that a person may say which it is.
    """

    kind: ImageKind
    rule: str
    reason: str
    refused: bool = False


@dataclass(frozen=True)
class VendorRule:
    """Words that a vendor's images carry in Image Type (values 3 and later)."""

    vendor: str
    words: frozenset[str]
    kind: ImageKind


# Vendor keys match by their start ("ge" covers "ge-essential" and "ge-pristina").
VENDOR_RULES: tuple[VendorRule, ...] = (
    VendorRule("ge", frozenset({"RECOMBINED", "CESM", "RECOMBINATION"}), ImageKind.RECOMBINED),
    VendorRule("ge", frozenset({"LOW_ENERGY", "LOW ENERGY", "LOWENERGY", "LOW"}), ImageKind.LOW_ENERGY),
    VendorRule("hologic", frozenset({"SUBTRACTION", "SUBTRACTED", "CEDM_SUB", "I2D_SUB"}), ImageKind.RECOMBINED),
    VendorRule("hologic", frozenset({"LOW_ENERGY", "CEDM_LOW", "I2D_LOW"}), ImageKind.LOW_ENERGY),
    VendorRule("siemens", frozenset({"RECOMBINED", "TICEM", "SUBTRACTION"}), ImageKind.RECOMBINED),
    VendorRule("siemens", frozenset({"LOW_ENERGY", "LE"}), ImageKind.LOW_ENERGY),
    VendorRule("fujifilm", frozenset({"RECOMBINED", "SUBTRACTION"}), ImageKind.RECOMBINED),
)
_HIGH_ENERGY = frozenset({"HIGH_ENERGY", "HIGH ENERGY", "HIGHENERGY"})
_MAMMOGRAPHY_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.1.2": "FOR PRESENTATION",
    "1.2.840.10008.5.1.4.1.1.1.2.1": "FOR PROCESSING",
}
_TOMOSYNTHESIS_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.13.1.3",
    "1.2.840.10008.5.1.4.1.1.13.1.4",
    "1.2.840.10008.5.1.4.1.1.13.1.5",
}
_TOMOSYNTHESIS_WORDS = frozenset({"TOMO", "TOMOSYNTHESIS", "TOMO_PROJ", "TOMO_2D", "GENERATED_2D", "TOMO_SLAB"})
_BIOPSY_WORDS = frozenset({"STEREO", "STEREO_SCOUT", "STEREO_SCOUTBIO", "BIOPSY", "STEREOTACTIC", "SCOUT"})
_SPECIMEN_WORDS = frozenset({"SPECIMEN", "BIOVISION"})


def classify(dataset: Dataset) -> Kind:
    """Tell what an image is from its header.

    Parameters
    ----------
    dataset : pydicom.Dataset

    Returns
    -------
    Kind
    """
    refused = _refused(dataset)
    if refused is not None:
        return Kind(ImageKind.UNKNOWN, *refused, refused=True)
    words = texts(dataset, "ImageType")
    by_standard = _by_standard(words)
    if by_standard is not None:
        return by_standard
    later = set(words[2:])
    vendor = vendor_profile(dataset).key
    for rule in VENDOR_RULES:
        if vendor.startswith(rule.vendor) and later & rule.words:
            word = sorted(later & rule.words)[0]
            name = "low-energy" if rule.kind is ImageKind.LOW_ENERGY else "recombined"
            return Kind(rule.kind, f"vendor table ({rule.vendor})", f"Image Type holds {word}: {name} on {vendor}")
    return Kind(
        ImageKind.UNKNOWN,
        "none",
        "The header does not tell whether this is the low-energy or the recombined image: Image Type (0008,0008) names "
        "neither an energy nor a subtraction. Say which it is.",
    )


def _by_standard(words: list[str]) -> Kind | None:
    third, fourth, fifth = [*words[2:5], "", "", ""][:3]
    if fourth == "SUBTRACTION":
        return Kind(ImageKind.RECOMBINED, "Image Type value 4", "Image Type value 4 is SUBTRACTION")
    if fifth == "LOW_ENERGY":
        return Kind(ImageKind.LOW_ENERGY, "Image Type value 5", "Image Type value 5 is LOW_ENERGY")
    if third in ("PRE_CONTRAST", "POST_CONTRAST") and "LOW_ENERGY" in words[3:]:
        return Kind(ImageKind.LOW_ENERGY, "Image Type values 3 and later", f"Image Type holds {third} and LOW_ENERGY")
    return None


def _refused(dataset: Dataset) -> tuple[str, str] | None:
    """Rule and reason for an image that is neither; None when nothing speaks against it."""
    sop_class = text(dataset, "SOPClassUID")
    words = set(texts(dataset, "ImageType"))
    frames = whole(dataset, "NumberOfFrames")
    if sop_class in _TOMOSYNTHESIS_CLASSES or words & _TOMOSYNTHESIS_WORDS or (frames or 1) > 1:
        return "tomosynthesis", "This is a tomosynthesis image or a picture made from one, not a CEM view."
    modality = text(dataset, "Modality").upper()
    if modality != "MG":
        found = f"“{modality[:16]}”" if modality else "missing"
        return "modality", f"Modality (0008,0060) is {found}; mammography (MG) is needed."
    if sop_class not in _MAMMOGRAPHY_CLASSES:
        return "SOP class", "The object is marked MG but is not a digital mammography image (SOP Class, 0008,0016)."
    if words & _HIGH_ENERGY:
        return "high energy", "This is the high-energy exposure, which is not read; give low-energy and recombined."
    if words & _BIOPSY_WORDS:
        return "biopsy", "This is a biopsy or stereotactic image, not a whole-breast view."
    if words & _SPECIMEN_WORDS or text(dataset, "BodyPartExamined").upper() == "SPECIMEN":
        return "specimen", "This is an image of a specimen, not of a breast."
    modifier = refused_modifier(dataset)
    if modifier is not None:
        return "partial view", f"This is {modifier}, not a whole-breast view."
    intent = text(dataset, "PresentationIntentType").upper() or _MAMMOGRAPHY_CLASSES[sop_class]
    if intent == "FOR PROCESSING":
        return "intent", "This is a raw image FOR PROCESSING; export the image FOR PRESENTATION."
    return None
