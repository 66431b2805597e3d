"""Vendor profiles: recognised by Manufacturer and model name, with the detector pitch each one is known for."""

from __future__ import annotations

from dataclasses import dataclass

from pydicom.dataset import Dataset

from imaging.attributes import text


@dataclass(frozen=True)
class VendorProfile:
    """One family of mammography systems.

    Attributes
    ----------
    key : str
    manufacturers, models : tuple of str
        Upper case: starts of words looked for in Manufacturer, fragments looked for in Manufacturer's Model Name.
    spacing_mm : float or None
        Detector pitch used when the file states none; from the published system descriptions.
    """

    key: str
    manufacturers: tuple[str, ...]
    models: tuple[str, ...]
    spacing_mm: float | None


# First match wins, so families with a model name stand before the catch-all of their maker.
PROFILES: tuple[VendorProfile, ...] = (
    VendorProfile("ge-pristina", ("GE ", "GE MEDICAL", "GE HEALTHCARE"), ("PRISTINA",), 0.1),
    VendorProfile("ge-essential", ("GE ", "GE MEDICAL", "GE HEALTHCARE"), ("ESSENTIAL",), 0.1),
    VendorProfile("ge", ("GE ", "GE MEDICAL", "GE HEALTHCARE", "GEMS"), (), None),
    VendorProfile("hologic", ("HOLOGIC", "LORAD"), ("SELENIA", "DIMENSIONS"), 0.07),
    VendorProfile("hologic", ("HOLOGIC", "LORAD"), (), None),
    VendorProfile("siemens", ("SIEMENS",), ("MAMMOMAT",), 0.085),
    VendorProfile("siemens", ("SIEMENS",), (), None),
    VendorProfile("fujifilm", ("FUJI",), (), None),
    VendorProfile("planmed", ("PLANMED",), (), None),
    VendorProfile("ims-giotto", ("IMS", "GIOTTO"), (), None),
    # digital phantoms (simulation.phantom): their pixel size depends on the chosen size and is always stated
    VendorProfile("phantom-a", ("CEMLAB",), ("PHANTOM A",), None),
    VendorProfile("phantom-b", ("CEMLAB",), ("PHANTOM B",), None),
)
UNKNOWN = VendorProfile("unknown", (), (), None)

# Models whose name alone tells the maker (some archives drop Manufacturer).
_MODELS_ALONE = {"SENOGRAPHE": "ge", "PRISTINA": "ge-pristina", "MAMMOMAT": "siemens", "SELENIA": "hologic"}


def vendor_profile(dataset: Dataset) -> VendorProfile:
    """The profile of the system that made the image; ``UNKNOWN`` when not recognised."""
    manufacturer = text(dataset, "Manufacturer").upper()
    model = text(dataset, "ManufacturerModelName").upper()
    for profile in PROFILES:
        if not any(f" {part}" in f" {manufacturer} " for part in profile.manufacturers):
            continue
        if profile.models and not any(part in model for part in profile.models):
            continue
        return profile
    for fragment, key in _MODELS_ALONE.items():
        if fragment in model:
            best = next(
                (p for p in PROFILES if p.key.startswith(key) and any(part in model for part in p.models)), None
            )
            return best or next(p for p in PROFILES if p.key == key)
    return UNKNOWN
