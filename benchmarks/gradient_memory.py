"""What a training step of `modern` keeps for the gradient in backbone and first stage: full and mixed precision.

Sizes of the tensors that autograd saves for four sub-images of 1024 × 1024, counted with torch's fake tensors: nothing
is computed, so no GPU is needed. Autocast of the processor casts these layers as that of CUDA does. Beside our frozen
normalisation stands torchvision's, which turns bfloat16 back into float32. Exit status 1 if mixed precision keeps more
than 0.6 of full precision.

Run: ``python -m benchmarks.gradient_memory``
"""

from __future__ import annotations

import json
import sys

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torchvision.ops.misc import FrozenBatchNorm2d

from detection.configuration import MaskRCNNConfiguration
from detection.mask_rcnn.model import build, freeze
from detection.mask_rcnn.precision import FrozenNormalisation
from detection.preset import presets

AIM = 0.6


def kept(model: nn.Module, configuration: MaskRCNNConfiguration, *, mixed: bool) -> int:
    """Bytes that backbone and first stage keep for the gradient of one step, weights apart."""
    own = {_storage(tensor) for tensor in (*model.parameters(), *model.buffers())}
    saved: dict[int, Tensor] = {}

    def note(tensor: Tensor) -> Tensor:
        saved[_storage(tensor)] = tensor
        return tensor

    images = torch.empty(configuration.batch_size, 3, configuration.tile_size, configuration.tile_size)
    with (
        torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor),
        torch.autocast("cpu", dtype=torch.bfloat16, enabled=mixed),
    ):
        features = model.get_submodule("backbone")(images)
        model.get_submodule("rpn.head")(list(features.values()))
    return sum(tensor.untyped_storage().nbytes() for place, tensor in saved.items() if place not in own)


def _storage(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def main() -> int:
    """Print gigabytes and compare them with the aim."""
    configuration = presets()["modern"].configuration
    with FakeTensorMode():
        model = build(configuration).train()
        freeze(model, configuration)
        full, mixed = (kept(model, configuration, mixed=chosen) for chosen in (False, True))
        for module in model.modules():
            if isinstance(module, FrozenNormalisation):
                module.__class__ = FrozenBatchNorm2d
        theirs = kept(model, configuration, mixed=True)
    figures = {
        "full_precision_gb": round(full / 1e9, 2),
        "mixed_precision_gb": round(mixed / 1e9, 2),
        "mixed_precision_with_torchvisions_normalisation_gb": round(theirs / 1e9, 2),
        "share": round(mixed / full, 3),
        "aim": AIM,
    }
    print(json.dumps(figures, indent=1))
    return 0 if mixed <= AIM * full else 1


if __name__ == "__main__":
    sys.exit(main())
