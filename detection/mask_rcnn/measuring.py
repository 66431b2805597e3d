"""Looking for lesions on every prepared view of the validation set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torchvision.models.detection import MaskRCNN

from detection.configuration import MaskRCNNConfiguration
from detection.detector import Measure
from detection.evaluation.images import EvaluatedImage
from detection.evaluation.protocol import Protocol
from detection.finding import Finding
from detection.mask_rcnn.inference import find_on_view
from detection.training.validation_numbers import counted, validation_numbers
from detection.view_cache import StoredView


class ValidationViews:
    """`detection.training.measuring.Measuring` of a Mask R-CNN: its findings, matched with the lesions by a protocol.

    Outlines are traced only where the protocol matches by them.
    """

    def __init__(
        self,
        views: Sequence[StoredView],
        configuration: MaskRCNNConfiguration,
        protocol: Protocol,
        device: torch.device,
    ) -> None:
        self._views = views
        outlined = configuration.contours and protocol.iou_of == "mask"
        self._configuration = replace(configuration, contours=outlined)
        self._protocol = protocol
        self._device = device

    def views(self) -> int:
        """Views of the validation set, those without lesions too."""
        return len(self._views)

    def find(self, model: nn.Module, view: int) -> list[Finding]:
        """Findings on a view, best first, in continuous pixels of the whole view."""
        assert isinstance(model, MaskRCNN)
        return find_on_view(model, self._views[view], self._configuration, self._device)

    def numbers(self, found: Sequence[list[Finding]]) -> dict[str, Measure]:
        """As `validation_numbers`."""
        return validation_numbers(self._images(found), self._protocol)

    def about(self) -> dict[str, Any]:
        """Views, patients, malignant lesions and the protocol."""
        return {**counted(self._images([[]] * len(self._views))), "protocol": self._protocol.to_json()}

    def _images(self, found: Sequence[list[Finding]]) -> list[EvaluatedImage]:
        return [
            EvaluatedImage(view.sample.sample_id, view.sample.patient_id, view.sample.lesions, findings)
            for view, findings in zip(self._views, found, strict=True)
        ]
