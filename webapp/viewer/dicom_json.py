"""DICOM JSON (PS3.18 annex F) that a viewer needs to show an image; carries no identity.

Made from the image's row alone, so that 8-bit pictures without any DICOM attribute are served the same way.
"""

from __future__ import annotations

import uuid
from typing import Any

from imaging.htj2k import TRANSFER_SYNTAX
from webapp.cases.models import Image

_MAMMOGRAPHY_FOR_PRESENTATION = "1.2.840.10008.5.1.4.1.1.1.2"
_NAMESPACE = uuid.UUID("6f1f6d1e-4c1d-4c0f-9b57-3a2d3a0c8f55")


def uid(*parts: object) -> str:
    """A UID under the UUID root (PS3.5 B.2): the same for the same parts."""
    return f"2.25.{uuid.uuid5(_NAMESPACE, '/'.join(map(str, parts))).int}"


def _element(representation: str, *values: Any) -> dict[str, Any]:
    return {"vr": representation, "Value": list(values)}


def describe(image: Image) -> dict[str, Any]:
    """Attributes of the frame that `frames.encoded` serves.

    The frame holds values that are brighter where the breast is denser, unsigned: MONOCHROME2 whatever the file said.
    Mammograms usually carry Imager Pixel Spacing only, which viewers ignore for measuring; it is copied to Pixel
    Spacing here, and the page says "detector plane" beside each length.
    """
    view = image.view
    allocated = 8 if image.bits_stored <= 8 else 16
    attributes: dict[str, Any] = {
        "00080008": _element("CS", "DERIVED", "PRIMARY", "", image.kind.upper()),
        "00080016": _element("UI", _MAMMOGRAPHY_FOR_PRESENTATION),
        "00080018": _element("UI", image.sop_uid or uid("image", image.pk)),
        "00080060": _element("CS", "MG"),
        "0020000D": _element("UI", uid("exam", view.exam_id)),
        "0020000E": _element("UI", uid("view", view.pk)),
        "00200013": _element("IS", image.pk),
        "00200032": _element("DS", 0, 0, 0),
        "00200037": _element("DS", 1, 0, 0, 0, 1, 0),
        "00200052": _element("UI", uid("frame of reference", view.pk)),
        "00200062": _element("CS", view.laterality),
        "00185101": _element("CS", view.position),
        "00280002": _element("US", 1),
        "00280004": _element("CS", "MONOCHROME2"),
        "00280010": _element("US", image.rows),
        "00280011": _element("US", image.columns),
        "00280100": _element("US", allocated),
        "00280101": _element("US", image.bits_stored),
        "00280102": _element("US", image.bits_stored - 1),
        "00280103": _element("US", 0),
        "00281050": _element("DS", (image.window_low + image.window_high) / 2),
        "00281051": _element("DS", image.window_high - image.window_low),
        "00281056": _element("CS", "LINEAR_EXACT"),
        "00083002": _element("UI", TRANSFER_SYNTAX),
    }
    if image.spacing_row is not None and image.spacing_column is not None:
        spacing = _element("DS", image.spacing_row, image.spacing_column)
        attributes["00181164"] = spacing
        attributes["00280030"] = spacing
    return dict(sorted(attributes.items()))
