"""One view as the evaluation sees it: what is there and what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from detection.evaluation.errors import EvaluationError
from detection.finding import Finding
from detection.sample_set import LesionTarget, Sample


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


def evaluated_images(samples: Sequence[Sample], findings: Mapping[str, Sequence[Finding]]) -> list[EvaluatedImage]:
    """Join the views of a test set with the findings of a detector, view by view.

    Parameters
    ----------
    samples : sequence of Sample
    findings : dict from sample id to its findings
        An empty list where nothing was found.

    Raises
    ------
    EvaluationError
        If there are findings for a view that is not in the test set, or a view without an entry: a detector that did
        not see it found nothing for another reason.
    """
    known = {sample.sample_id for sample in samples}
    if foreign := sorted(findings.keys() - known):
        raise EvaluationError(
            f"There are findings for image {foreign[0]}, which is not in the test set ({len(foreign)} such image(s)). "
            "Leave them out, or evaluate on the test set they belong to."
        )
    if without := sorted(known - findings.keys()):
        raise EvaluationError(
            f"There is no list of findings for image {without[0]} ({len(without)} such image(s)). Predict on it, or "
            "give an empty list where nothing was found."
        )
    return [
        EvaluatedImage(
            sample.sample_id, sample.patient_id, sample.lesions, findings[sample.sample_id], sample.breast_id
        )
        for sample in samples
    ]
