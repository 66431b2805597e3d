"""The outputs of the network: background, then four kinds of lesion or benign and malignant alone."""

from __future__ import annotations

from collections.abc import Mapping

from detection.configuration import MaskRCNNConfiguration
from detection.finding import LesionType
from detection.sample_set import LesionTarget

_FOUR: tuple[tuple[LesionType, str], ...] = (
    ("mass", "benign"),
    ("mass", "malignant"),
    ("cluster", "benign"),
    ("cluster", "malignant"),
)
_TWO: tuple[tuple[LesionType, str], ...] = (("other", "benign"), ("other", "malignant"))
_SCHEMES: Mapping[str, tuple[tuple[LesionType, str], ...]] = {"four": _FOUR, "two": _TWO}


def classes_of(configuration: MaskRCNNConfiguration) -> tuple[tuple[LesionType, str], ...]:
    """(lesion type, malignancy) of output 1, 2, …; with two classes the type is always ``"other"``: not said."""
    return _SCHEMES[configuration.classes]


def malignant_outputs(outputs: int) -> list[int]:
    """Outputs that stand for malignant lesions in a network with `outputs` outputs, background included."""
    scheme = next(classes for classes in _SCHEMES.values() if len(classes) + 1 == outputs)
    return [index + 1 for index, (_, malignancy) in enumerate(scheme) if malignancy == "malignant"]


def label_of(lesion: LesionTarget, configuration: MaskRCNNConfiguration) -> int | None:
    """Output that stands for a lesion, or None when it is left out of training.

    Lesions of unknown malignancy are left out; `both_as` and `other_as` say where the other types go, which with two
    classes matters only where they are left out.
    """
    if lesion.malignancy == "unknown":
        return None
    mapped = {"both": configuration.both_as, "other": configuration.other_as}.get(
        lesion.lesion_type, lesion.lesion_type
    )
    if mapped == "leave-out":
        return None
    wanted = ("other" if configuration.classes == "two" else mapped, lesion.malignancy)
    return classes_of(configuration).index(wanted) + 1
