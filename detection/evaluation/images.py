"""One view as the evaluation sees it: what is there and what was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from detection.finding import Finding
from detection.sample_set import LesionTarget


@dataclass(frozen=True)
class EvaluatedImage:
    """Truth and findings of one view.

    Attributes
    ----------
    sample_id, patient_id : str
        Opaque keys; views of one patient are resampled together.
    targets : sequence of LesionTarget
    findings : sequence of Finding
        All findings of the detector, in any order; the protocol decides which are kept.
    breast_id : str or None
        Opaque key of one breast in one exam; None where it is not known, numbers per breast are then undefined.
    """

    sample_id: str
    patient_id: str
    targets: Sequence[LesionTarget]
    findings: Sequence[Finding]
    breast_id: str | None = None
