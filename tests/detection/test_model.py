"""The network: five outputs, torchvision's published shape, and initial weights from a local file only."""

from __future__ import annotations

import dataclasses
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import resnet18
from torchvision.models.detection import maskrcnn_resnet50_fpn

from detection.configuration import MaskRCNNConfiguration
from detection.errors import MissingWeights, UnsuitableWeights
from detection.mask_rcnn.inference import detect, find, probability_of_malignancy
from detection.mask_rcnn.model import build, freeze
from detection.mask_rcnn.weights import load_initial_weights
from detection.preset import presets
from detection.tiles import layout
from tests.detection.conftest import tiny


@pytest.fixture(scope="module")
def published() -> Any:
    return build(presets()["paper-2024"].configuration)


def shapes(model: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    return {
        name: tuple(tensor.shape)
        for name, tensor in model.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }


@pytest.mark.parametrize("backbone", ["resnet18", "mobilenet_v3_large", "compact"])
def test_every_backbone_has_five_outputs_for_boxes_and_masks(backbone: str) -> None:
    model = build(tiny(backbone=backbone))
    assert model.roi_heads.box_predictor.cls_score.out_features == 5
    assert model.roi_heads.mask_predictor.mask_fcn_logits.out_channels == 5


def test_the_paper_preset_builds_torchvisions_model_tensor_for_tensor(published: Any) -> None:
    reference = maskrcnn_resnet50_fpn(weights=None, weights_backbone=None, num_classes=5)
    assert shapes(published) == shapes(reference)
    for ours, theirs in (
        (published.transform.min_size, reference.transform.min_size),
        (published.transform.max_size, reference.transform.max_size),
        (published.roi_heads.score_thresh, reference.roi_heads.score_thresh),
        (published.roi_heads.nms_thresh, reference.roi_heads.nms_thresh),
        (published.roi_heads.detections_per_img, reference.roi_heads.detections_per_img),
    ):
        assert ours == theirs
    anchors, expected = published.rpn.anchor_generator, reference.rpn.anchor_generator
    assert [list(map(float, level)) for level in expected.sizes] == [list(level) for level in anchors.sizes]


def test_building_a_model_opens_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    for backbone in ("resnet50", "resnet18", "mobilenet_v3_large", "compact"):
        build(tiny(backbone=backbone))


def coco_like(folder: Path) -> Path:
    """A file with the tensors of a 91-class Mask R-CNN of the tiny widths, random values."""
    model = build(tiny(backbone="resnet18", normalisation="frozen"))
    weights = {name: torch.rand_like(tensor) for name, tensor in model.state_dict().items()}
    weights["roi_heads.box_predictor.cls_score.weight"] = torch.rand(91, 64)
    path = folder / "coco.safetensors"
    save_file(weights, path)
    return path


def test_local_weights_are_loaded_except_for_the_class_layers_and_the_record_says_so(tmp_path: Path) -> None:
    path = coco_like(tmp_path)
    model = build(tiny(backbone="resnet18", normalisation="frozen"))
    fresh = model.roi_heads.box_predictor.cls_score.weight.clone()
    record = load_initial_weights(model, path)
    assert record["origin"] == "file"
    assert record["file"] == "coco.safetensors"
    assert len(record["sha256"]) == 64
    assert torch.equal(model.roi_heads.box_predictor.cls_score.weight, fresh)
    assert float(model.backbone.body.conv1.weight.detach().min()) >= 0


def test_only_the_upper_stages_train_from_given_weights() -> None:
    model = build(tiny(backbone="resnet18", normalisation="frozen"))
    freeze(model, tiny(backbone="resnet18", trainable_layers=3))
    training = {name.split(".")[0] for name, value in model.backbone.body.named_parameters() if value.requires_grad}
    assert training == {"layer2", "layer3", "layer4"}


def test_a_missing_weights_file_is_named_and_nothing_is_downloaded(tmp_path: Path) -> None:
    with pytest.raises(MissingWeights, match=r"absent\.pth") as caught:
        load_initial_weights(build(tiny()), tmp_path / "absent.pth")
    assert "downloaded" in caught.value.advice


def test_weights_of_another_model_are_refused_before_anything_changes(tmp_path: Path) -> None:
    path = coco_like(tmp_path)
    model = build(tiny(backbone="resnet18", normalisation="group"))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(UnsuitableWeights, match="do not fit"):
        load_initial_weights(model, path)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize("name", ["damaged.pth", "damaged.safetensors"])
def test_a_file_that_holds_no_weights_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x80\x02}q\x00." * 30)
    with pytest.raises(UnsuitableWeights):
        load_initial_weights(build(tiny()), tmp_path / name)


def test_detections_agree_with_torchvisions_own_post_processing() -> None:
    torch.manual_seed(0)
    model = build(tiny(score_above=0.15)).eval()
    image = torch.rand(3, 110, 80)
    with torch.no_grad():
        (reference,) = model([image])
        (seen,) = detect(model, image[None])
    ours = seen.detections
    assert len(reference["scores"]) > 0
    torch.testing.assert_close(ours.scores, reference["scores"])
    torch.testing.assert_close(ours.boxes, reference["boxes"])
    assert torch.equal(ours.labels, reference["labels"])
    rows = torch.arange(len(ours.labels))
    torch.testing.assert_close(ours.probabilities[rows, ours.labels], ours.scores)


@pytest.mark.parametrize("tiles", ["whole", "half-2x2", "half-3x3"])
def test_findings_are_at_most_five_and_every_field_is_in_range(tiles: str) -> None:
    torch.manual_seed(1)
    configuration = tiny(score_above=0.05, tiles=tiles)
    channels = np.random.default_rng(0).integers(0, 255, (131, 90, 3)).astype(np.uint8)
    findings = find(build(configuration).eval(), channels, configuration, torch.device("cpu"))
    assert 1 <= len(findings) <= 5
    assert [found.score for found in findings] == sorted((found.score for found in findings), reverse=True)
    for found in findings:
        x1, y1, x2, y2 = found.box
        assert 0 <= x1 < x2 <= 90
        assert 0 <= y1 < y2 <= 131
        assert 0.05 < found.score <= 1
        assert 0 <= found.malignancy <= 1
        assert found.lesion_type in ("mass", "cluster")


def test_malignancy_is_the_share_of_the_malignant_classes_or_follows_label_and_score() -> None:
    scores = torch.tensor([0.5, 0.1, 0.2, 0.05, 0.15])
    assert probability_of_malignancy(scores, 2, 0.2, "class_scores") == pytest.approx(0.35 / 0.5)
    assert probability_of_malignancy(scores, 2, 0.2, "label_and_score") == pytest.approx(0.6)
    assert probability_of_malignancy(scores, 1, 0.1, "label_and_score") == pytest.approx(0.45)


def test_every_preset_describes_a_model_that_can_be_built() -> None:
    for preset in presets().values():
        smaller: MaskRCNNConfiguration = dataclasses.replace(preset.configuration, box_head_width=32)
        outputs = 3 if preset.configuration.classes == "two" else 5
        assert build(smaller).roi_heads.box_predictor.cls_score.out_features == outputs


def test_a_calcification_of_two_pixels_reaches_the_network_of_modern_unchanged() -> None:
    # 0.2 mm at 0.1 mm a pixel; a breast crop of 2294 x 1100 pixels.
    channels = torch.full((3, 2294, 1100), 0.4)
    channels[:, 1500:1502, 700:702] = 0.9
    seen = {}
    for name in ("modern", "released-code-2024"):
        configuration = presets()[name].configuration
        tiles = layout((2294, 1100), configuration.tiles, size=configuration.tile_size)
        tile = next(tile for tile in tiles if tile.row0 < 1490 and tile.row1 > 1512 and tile.column1 > 712)
        model = build(tiny(input_min_size=configuration.input_min_size, input_max_size=configuration.input_max_size))
        image = channels[:, tile.row0 : tile.row1, tile.column0 : tile.column1]
        prepared, _ = model.transform([image])
        plane = prepared.tensors[0, 0] * model.transform.image_std[0] + model.transform.image_mean[0]
        rows, columns = prepared.image_sizes[0]
        seen[name] = ((rows, columns) == tile.shape, float((plane[:rows, :columns] - 0.4).sum()))
    # Four pixels of contrast 0.5; reduced to 1333 rows less than half of that is left.
    assert seen["modern"] == (True, pytest.approx(2.0, abs=1e-2))
    assert not seen["released-code-2024"][0]
    assert seen["released-code-2024"][1] < 1.0


def test_imagenet_weights_of_the_backbone_alone_are_loaded_and_the_record_counts_the_rest_as_fresh(
    tmp_path: Path,
) -> None:
    path = tmp_path / "resnet18.safetensors"
    given = dict(resnet18(weights=None).state_dict())
    save_file(given, path)
    model = build(tiny(backbone="resnet18", normalisation="frozen"))
    record = load_initial_weights(model, path)
    assert torch.equal(model.backbone.body.layer4[1].conv2.weight, given["layer4.1.conv2.weight"])
    assert record["loaded"] == len([name for name in model.state_dict() if name.startswith("backbone.body.")])
    assert record["loaded"] + record["fresh"] == len(model.state_dict())
    with pytest.raises(UnsuitableWeights, match="do not fit"):
        load_initial_weights(build(tiny(backbone="resnet101", normalisation="frozen")), path)
