"""Which lesions a phantom patient carries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from imaging.pair import Laterality

LesionType = Literal["mass", "cluster"]
Malignancy = Literal["benign", "malignant"]


@dataclass(frozen=True)
class PlannedLesion:
    """One lesion of one breast; it shows in both views of that breast under one `lesion_id`."""

    lesion_type: LesionType
    malignancy: Malignancy
    laterality: Laterality = "L"


@dataclass(frozen=True)
class LesionPlan:
    """All lesions of a patient; an empty plan is a lesion-free patient."""

    lesions: tuple[PlannedLesion, ...] = ()
