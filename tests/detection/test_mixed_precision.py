"""Mixed precision, on the processor: coordinates stay exact, activations stay small, trainings go on as without it.

The processor's autocast casts the same layers to bfloat16 as that of CUDA.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import RPNHead
from torchvision.ops.misc import FrozenBatchNorm2d

from detection.mask_rcnn.model import build
from detection.mask_rcnn.precision import ExactAnchors, ExactBoxPredictor, ExactRPNHead, FrozenNormalisation
from tests.detection.conftest import tiny

SIZES, RATIOS = ((24.0,), (48.0,)), ((0.5, 1.0, 2.0),) * 2
BOX = [61.3, 71.7, 83.9, 99.2]
"""Coordinates that bfloat16 does not have."""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    with torch.autocast("cpu", enabled=False):
        yield


def features(kind: torch.dtype = torch.float32) -> list[Tensor]:
    return [torch.rand(1, 16, 32, 24).to(kind), torch.rand(1, 16, 16, 12).to(kind)]


def random_statistics(layer: nn.Module) -> nn.Module:
    for buffer in layer.buffers():
        buffer.uniform_(0.5, 1.5)
    return layer


@pytest.mark.parametrize(
    ("ours", "theirs", "given"),
    [
        (ExactRPNHead(16, 3), RPNHead(16, 3), features),
        (ExactBoxPredictor(16, 5), FastRCNNPredictor(16, 5), lambda: torch.rand(7, 16)),
        (FrozenNormalisation(16), FrozenBatchNorm2d(16), lambda: torch.rand(2, 16, 9, 5)),
    ],
)
def test_without_autocast_a_part_is_torchvisions_own_bit_for_bit(
    ours: nn.Module, theirs: nn.Module, given: Callable[[], Any]
) -> None:
    ours.load_state_dict(random_statistics(theirs).state_dict())
    x = given()
    torch.testing.assert_close(ours(x), theirs(x), rtol=0, atol=0)


def test_anchors_do_not_follow_the_type_of_the_features() -> None:
    images = ImageList(torch.zeros(1, 3, 1024, 768), [(1024, 768)])
    (expected,) = AnchorGenerator(SIZES, RATIOS)(images, features())
    (rounded,) = AnchorGenerator(SIZES, RATIOS)(images, features(torch.bfloat16))
    assert not torch.equal(rounded.float(), expected)
    for kind in (torch.float32, torch.bfloat16):
        (found,) = ExactAnchors(SIZES, RATIOS)(images, features(kind))
        assert found.dtype == torch.float32
        assert torch.equal(found, expected)


def test_proposals_and_true_boxes_stay_exact_under_autocast(monkeypatch: pytest.MonkeyPatch) -> None:
    model = build(tiny(backbone="resnet18", normalisation="frozen")).train()
    mask = torch.zeros(1, 128, 96, dtype=torch.uint8)
    mask[0, 72:99, 62:84] = 1
    target = {"boxes": torch.tensor([BOX]), "labels": torch.tensor([3]), "masks": mask}
    seen: dict[str, Tensor] = {}
    choose = model.roi_heads.add_gt_proposals

    def watch(proposals: list[Tensor], boxes: list[Tensor]) -> list[Tensor]:
        seen.update(proposals=proposals[0], boxes=boxes[0])
        chosen: list[Tensor] = choose(proposals, boxes)
        return chosen

    monkeypatch.setattr(model.roi_heads, "add_gt_proposals", watch)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = model([torch.rand(3, 128, 96)], [target])
    assert seen["proposals"].dtype == torch.float32
    assert seen["boxes"].tolist() == [pytest.approx(BOX)]
    assert all(loss.dtype == torch.float32 for loss in losses.values())


def saved_for_the_gradient(model: nn.Module, image: Tensor, *, mixed: bool) -> int:
    """Bytes of the activations that the backbone keeps for its gradient."""
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        kept[tensor.data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=mixed):
            found = model.backbone(image)
        assert found
    weights = sum(weight.numel() * weight.element_size() for weight in model.backbone.parameters())
    return sum(kept.values()) - weights


def test_the_backbone_keeps_half_as_much_for_its_gradient_under_autocast() -> None:
    model = build(tiny(backbone="resnet18", normalisation="frozen")).train()
    image = torch.rand(1, 3, 128, 96)
    exact = saved_for_the_gradient(model, image, mixed=False)
    assert saved_for_the_gradient(model, image, mixed=True) < 0.6 * exact
