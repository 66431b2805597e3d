"""Predictions on a few fixed validation views while a network trains, kept as JSON to see it improve."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torchvision.models.detection import MaskRCNN

from detection.configuration import MaskRCNNConfiguration
from detection.detector import Progress
from detection.findings_file import write_findings
from detection.mask_rcnn.inference import find_on_view
from detection.training import checkpoints
from detection.view_cache import StoredView

VIEWS = 4


class SamplePredictions:
    """Writes ``samples/epoch-<n>.json`` (findings, `detection.findings_file`) every `sample_every` epochs.

    The views are the same all along: up to four with lesions, spread evenly over the validation set.
    """

    def __init__(
        self,
        views: Sequence[StoredView],
        configuration: MaskRCNNConfiguration,
        directory: Path,
        device: torch.device,
        progress: Progress,
    ) -> None:
        showing = [view for view in views if view.sample.lesions] if configuration.sample_every else []
        chosen = np.linspace(0, len(showing) - 1, min(VIEWS, len(showing))).round().astype(int)
        self._views = [showing[index] for index in chosen]
        self._configuration = configuration
        self._directory = directory
        self._device = device
        self._progress = progress

    def __call__(self, epoch: int, model: nn.Module) -> None:
        """Predict after `epoch` (from 1) if it is its turn, and tell where the findings lie (event ``"sample"``)."""
        every = self._configuration.sample_every
        if not self._views or not every or epoch % every:
            return
        assert isinstance(model, MaskRCNN)
        model.eval()
        findings = {
            view.sample.sample_id: find_on_view(model, view, self._configuration, self._device) for view in self._views
        }
        path = self._directory / "samples" / f"epoch-{epoch:03d}.json"
        checkpoints.write_whole(
            path,
            lambda temporary: write_findings(temporary, findings, sample_set="validation", model={"epoch": epoch}),
        )
        self._progress(
            {
                "event": "sample",
                "epoch": epoch,
                "epochs": self._configuration.epochs,
                "metrics": {"views": len(findings), "findings": sum(map(len, findings.values()))},
                "message": f"samples/{path.name}",
            }
        )
