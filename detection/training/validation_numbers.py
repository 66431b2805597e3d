"""Detection numbers of a validation set after an epoch, without intervals; imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from detection.detector import Measure
from detection.evaluation.average_precision import average_precision
from detection.evaluation.images import EvaluatedImage
from detection.evaluation.lesion_groups import Group
from detection.evaluation.protocol import Protocol
from detection.evaluation.rows_of_group import findings_of, lesions_of
from detection.evaluation.test_set import outcomes

SENSITIVITY = "validation_sensitivity"
PRECISION = "validation_precision"
FALSE_POSITIVES = "validation_false_positives_per_image"
AVERAGE_PRECISION = "validation_average_precision"
_GROUP: Group = "malignant"
_NO_LESIONS = "undefined: no malignant lesions"


def validation_numbers(images: Sequence[EvaluatedImage], protocol: Protocol) -> dict[str, Measure]:
    """Numbers of malignant lesions on the views of a validation set, as docs/metrics.md defines them.

    Returns
    -------
    dict of str to Measure
        `SENSITIVITY`: found over all malignant lesions (n lesions on views). `PRECISION`: true over true and false
        positives among kept findings called malignant (n findings). `FALSE_POSITIVES`: false ones of these over all
        views (n views). `AVERAGE_PRECISION`: over every score, as `average_precision` (n lesions).

    Raises
    ------
    EvaluationError
        If a finding is not usable.
    """
    lesions, findings = outcomes(images, protocol)
    wanted = lesions_of(_GROUP, lesions)
    called = findings_of(_GROUP, findings)
    found = sum(row.outcome == "TP" for row in wanted)
    true = sum(row.outcome == "TP" for row in called)
    return {
        SENSITIVITY: _ratio(found, len(wanted), _NO_LESIONS),
        PRECISION: _ratio(true, len(called), "undefined: no findings above the threshold"),
        FALSE_POSITIVES: _ratio(len(called) - true, len(images), "undefined: no images"),
        AVERAGE_PRECISION: _average_precision(images, protocol, len(wanted)),
    }


def counted(images: Sequence[EvaluatedImage]) -> dict[str, Any]:
    """What the numbers rest on: views, patients, and malignant lesions on these views."""
    return {
        "views": len(images),
        "patients": len({image.patient_id for image in images}),
        "lesions": sum(target.malignancy == "malignant" for image in images for target in image.targets),
    }


def _ratio(above: int, below: int, otherwise: str) -> Measure:
    return Measure(above / below, below) if below else Measure(None, 0, otherwise)


def _average_precision(images: Sequence[EvaluatedImage], protocol: Protocol, lesions: int) -> Measure:
    if protocol.matching != "greedy":
        return Measure(None, lesions, f"undefined: matching '{protocol.matching}' changes with the threshold")
    value = average_precision(images, protocol, group=_GROUP, resamples=0).interval.value
    return Measure(value, lesions, None if lesions else _NO_LESIONS)
