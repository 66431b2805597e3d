"""The network, built from torchvision's parts; nothing is ever downloaded."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import nn
from torchvision.models import mobilenet_v3_large, resnet18, resnet50, resnet101
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.faster_rcnn import TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor

from detection.configuration import MaskRCNNConfiguration
from detection.mask_rcnn.classes import classes_of
from detection.mask_rcnn.compact_backbone import WIDTHS, compact_backbone
from detection.mask_rcnn.precision import ExactAnchors, ExactBoxPredictor, ExactRPNHead, FrozenNormalisation

_ROI_SIZE = 7
_RESNETS = {"resnet18": resnet18, "resnet50": resnet50, "resnet101": resnet101}
_RESNET_STAGES = ("layer4", "layer3", "layer2", "layer1", "conv1")
# Last block of strides 4, 8, 16 and 32 in MobileNetV3 large, with its channels.
_MOBILENET_LEVELS = {"3": 24, "6": 40, "12": 112, "16": 960}
_MOBILENET_STAGES = (("13", "14", "15", "16"), ("7", "8", "9", "10", "11", "12"), ("4", "5", "6"), ("2", "3"))


def build(configuration: MaskRCNNConfiguration) -> MaskRCNN:
    """Mask R-CNN with one output for the background and each class, randomly initialised from torch's global generator.

    With the values of the preset ``paper-2024`` it is torchvision's ``maskrcnn_resnet50_fpn``, parameter for
    parameter.
    """
    channels = configuration.pyramid_channels
    outputs = len(classes_of(configuration)) + 1
    return MaskRCNN(
        _backbone(configuration),
        min_size=configuration.input_min_size,
        max_size=configuration.input_max_size,
        rpn_anchor_generator=ExactAnchors(
            tuple((size,) for size in configuration.anchor_sizes),
            (configuration.anchor_ratios,) * len(configuration.anchor_sizes),
        ),
        rpn_pre_nms_top_n_train=configuration.proposals_training,
        rpn_post_nms_top_n_train=configuration.proposals_training,
        rpn_pre_nms_top_n_test=configuration.proposals_inference,
        rpn_post_nms_top_n_test=configuration.proposals_inference,
        box_head=TwoMLPHead(channels * _ROI_SIZE**2, configuration.box_head_width),
        box_predictor=ExactBoxPredictor(configuration.box_head_width, outputs),
        box_score_thresh=configuration.score_above,
        box_nms_thresh=configuration.class_overlap,
        box_batch_size_per_image=configuration.regions_per_image,
        mask_head=MaskRCNNHeads(channels, [channels] * configuration.mask_head_layers, 1),
        mask_predictor=MaskRCNNPredictor(channels, channels, outputs),
        rpn_head=ExactRPNHead(channels, len(configuration.anchor_ratios)),
    )


def freeze(model: MaskRCNN, configuration: MaskRCNNConfiguration) -> None:
    """Stop the lower backbone stages from training, as suits a model that starts from given weights."""
    stages: tuple[tuple[str, ...], ...]
    if configuration.backbone == "mobilenet_v3_large":
        stages = (*_MOBILENET_STAGES, ("0", "1"))
    else:
        stages = tuple((stage,) for stage in _RESNET_STAGES)
    training = {name for stage in stages[: configuration.trainable_layers] for name in stage}
    if configuration.trainable_layers == len(stages):
        training.add("bn1")
    for name, parameter in model.backbone.body.named_parameters():
        if name.split(".")[0] not in training:
            parameter.requires_grad_(False)


def _backbone(configuration: MaskRCNNConfiguration) -> BackboneWithFPN:
    norm = _norm_layer(configuration.normalisation)
    channels = configuration.pyramid_channels
    if configuration.backbone == "compact":
        return BackboneWithFPN(compact_backbone(norm), _stages(), list(WIDTHS), channels)
    if configuration.backbone == "mobilenet_v3_large":
        body = mobilenet_v3_large(weights=None, norm_layer=norm).features
        levels = {name: str(index) for index, name in enumerate(_MOBILENET_LEVELS)}
        return BackboneWithFPN(body, levels, list(_MOBILENET_LEVELS.values()), channels)
    resnet = _RESNETS[configuration.backbone](weights=None, norm_layer=norm)
    narrowest = resnet.inplanes // 8
    return BackboneWithFPN(resnet, _stages(), [narrowest * 2**index for index in range(4)], channels)


def _stages() -> dict[str, str]:
    return {f"layer{index + 1}": str(index) for index in range(4)}


def _norm_layer(normalisation: str) -> Callable[..., nn.Module]:
    if normalisation == "frozen":
        return FrozenNormalisation
    if normalisation == "batch":
        return partial(nn.BatchNorm2d, eps=1e-3, momentum=0.03)
    return _group_norm


def _group_norm(channels: int) -> nn.GroupNorm:
    """Groups of at least eight channels, at most 32 groups, dividing the channels evenly."""
    groups = next(count for count in range(min(32, max(1, channels // 8)), 0, -1) if channels % count == 0)
    return nn.GroupNorm(groups, channels)
