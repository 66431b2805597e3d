"""The five outputs of the network: background and four kinds of lesion."""

from __future__ import annotations

from detection.configuration import MaskRCNNConfiguration
from detection.finding import LesionType
from detection.sample_set import LesionTarget

BACKGROUND = 0
CLASSES: tuple[tuple[LesionType, str], ...] = (
    ("mass", "benign"),
    ("mass", "malignant"),
    ("cluster", "benign"),
    ("cluster", "malignant"),
)
"""Class of output 1, 2, 3, 4."""
OUTPUTS = len(CLASSES) + 1
MALIGNANT = tuple(index + 1 for index, (_, malignancy) in enumerate(CLASSES) if malignancy == "malignant")


def label_of(lesion: LesionTarget, configuration: MaskRCNNConfiguration) -> int | None:
    """Output that stands for a lesion, or None when it is left out of training.

    Lesions of unknown malignancy are left out; `both_as` and `other_as` say where the other types go.
    """
    if lesion.malignancy == "unknown":
        return None
    mapped = {"both": configuration.both_as, "other": configuration.other_as}.get(
        lesion.lesion_type, lesion.lesion_type
    )
    return next(
        (
            index + 1
            for index, (lesion_type, malignancy) in enumerate(CLASSES)
            if (lesion_type, malignancy) == (mapped, lesion.malignancy)
        ),
        None,
    )
