"""Parts of the network that keep mixed precision out of coordinates, and within the backbone.

Torchvision gives anchors, proposals and, in the second stage, the true boxes the type of what the network puts out.
Under autocast that is bfloat16 with eight significant bits: between 512 and 1024 it has only every fourth whole number,
0.4 mm apart at 0.1 mm a pixel. Without autocast these parts do bit for bit what torchvision's do; their weights have
the same names.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import RPNHead
from torchvision.ops.misc import FrozenBatchNorm2d


class ExactAnchors(AnchorGenerator):
    """Anchors in float32, whatever the type of the features."""

    def forward(self, image_list: ImageList, feature_maps: list[Tensor]) -> list[Tensor]:
        """Anchors of each image, float32, shape (n, 4), corners x1, y1, x2, y2 at network scale."""
        # Only size, type and device of a feature map count.
        sizes = [level.new_empty((0, *level.shape[-2:]), dtype=torch.float32) for level in feature_maps]
        anchors: list[Tensor] = super().forward(image_list, sizes)
        return anchors


class ExactRPNHead(RPNHead):
    """First stage whose outputs are float32, so that proposals are."""

    def forward(self, x: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Objectness and box offsets of each level, float32, shapes (images, anchors or 4 × anchors, rows, columns)."""
        objectness, offsets = super().forward(x)
        return [level.float() for level in objectness], [level.float() for level in offsets]


class ExactBoxPredictor(FastRCNNPredictor):
    """Second stage whose outputs are float32, so that probabilities and boxes are."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Class scores before softmax, shape (regions, outputs), and box offsets, (regions, 4 × outputs), float32."""
        scores, offsets = super().forward(x)
        return scores.float(), offsets.float()


class FrozenNormalisation(FrozenBatchNorm2d):
    """Frozen batch normalisation that gives the type it gets; torchvision's turns bfloat16 back into float32."""

    def forward(self, x: Tensor) -> Tensor:
        """Scale and shift each channel of `x`, shape (images, channels, rows, columns)."""
        scale = self.weight * (self.running_var + self.eps).rsqrt()
        shift = self.bias - self.running_mean * scale
        scaled = x * scale.to(x.dtype).reshape(1, -1, 1, 1)
        result: Tensor = scaled + shift.to(x.dtype).reshape(1, -1, 1, 1)
        return result
