"""A small residual network for processors, shallow enough to learn from a random start in a few hundred images."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from torch import Tensor, nn

WIDTHS = (32, 64, 96, 128)
"""Channels of the stages at strides 4, 8, 16 and 32."""


class _Block(nn.Module):
    """Two 3 × 3 convolutions around a shortcut (He et al., CVPR 2016)."""

    def __init__(self, given: int, channels: int, stride: int, norm: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(given, channels, 3, stride, 1, bias=False)
        self.norm1 = norm(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm2 = norm(channels)
        self.relu = nn.ReLU()
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or given != channels:
            self.shortcut = nn.Sequential(nn.Conv2d(given, channels, 1, stride, bias=False), norm(channels))

    def forward(self, x: Tensor) -> Tensor:
        inner = self.norm2(self.conv2(self.relu(self.norm1(self.conv1(x)))))
        result: Tensor = self.relu(inner + self.shortcut(x))
        return result


def compact_backbone(norm: Callable[[int], nn.Module]) -> nn.Sequential:
    """Stem (stride 2) and stages ``layer1`` to ``layer4`` (strides 4 to 32) of two blocks each."""
    stem = WIDTHS[0] // 2
    layers: list[tuple[str, nn.Module]] = [
        ("conv1", nn.Conv2d(3, stem, 5, 2, 2, bias=False)),
        ("bn1", norm(stem)),
        ("relu", nn.ReLU()),
    ]
    given = stem
    for index, width in enumerate(WIDTHS):
        layers.append(
            (f"layer{index + 1}", nn.Sequential(_Block(given, width, 2, norm), _Block(width, width, 1, norm)))
        )
        given = width
    network = nn.Sequential(OrderedDict(layers))
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return network
