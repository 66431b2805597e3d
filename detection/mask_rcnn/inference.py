"""From a view to findings: tiles through the network, class scores kept, detections merged over the view."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.roi_heads import maskrcnn_inference, paste_masks_in_image
from torchvision.models.detection.transform import resize_boxes
from torchvision.ops import batched_nms, clip_boxes_to_image, remove_small_boxes

from detection.configuration import MaskRCNNConfiguration
from detection.finding import Finding, Polygon
from detection.mask_rcnn.classes import classes_of, malignant_outputs
from detection.tiles import layout, merge, touches_inner_edge
from detection.view_cache import StoredView
from imaging.contours import mask_to_polygons, polygon_area

_MASK_THRESHOLD = 0.5
_SMALLEST_SIDE = 1e-2


@dataclass(frozen=True, eq=False)
class Detections:
    """What the network sees in one tile, best first.

    Attributes
    ----------
    network_boxes, boxes : Tensor, shape (n, 4)
        At network scale and in tile pixels.
    scores : Tensor, shape (n,)
    labels : Tensor of int64, shape (n,)
        Network outputs from 1.
    probabilities : Tensor, shape (n, outputs)
        Softmax of the box head, background first; torchvision's own post-processing drops it.
    """

    network_boxes: Tensor
    boxes: Tensor
    scores: Tensor
    labels: Tensor
    probabilities: Tensor


@dataclass(frozen=True, eq=False)
class _Candidate:
    tile: int
    row: int
    box: tuple[float, float, float, float]
    score: float
    label: int
    malignancy: float
    cut: bool


@torch.no_grad()
def find(
    model: MaskRCNN, channels: NDArray[np.uint8], configuration: MaskRCNNConfiguration, device: torch.device
) -> list[Finding]:
    """Findings on a prepared view, best first.

    Parameters
    ----------
    model : MaskRCNN
        In evaluation mode.
    channels : ndarray of uint8, shape (rows, columns, 3)

    Returns
    -------
    list of Finding
        In continuous pixels of `channels`; at most ``configuration.findings_per_view``.
    """
    shape = (int(channels.shape[0]), int(channels.shape[1]))
    tiles = layout(shape, configuration.tiles, size=configuration.tile_size, overlap=configuration.tile_overlap)
    seen = []
    candidates: list[_Candidate] = []
    for index, tile in enumerate(tiles):
        pixels = channels[tile.row0 : tile.row1, tile.column0 : tile.column1].transpose(2, 0, 1)
        image = torch.from_numpy(np.ascontiguousarray(pixels)).to(device).float().div_(255)
        features, network_shape, detections = detect(model, image)
        if configuration.contours:
            seen.append((features, network_shape, detections))
        # Fetched from the device in one go, not number by number.
        corners, scores, labels = (part.tolist() for part in (detections.boxes, detections.scores, detections.labels))
        for row, probabilities in enumerate(detections.probabilities.cpu()):
            box, score, label = tile.box_to_image(corners[row]), scores[row], labels[row]
            malignancy = probability_of_malignancy(probabilities, label, score, configuration.malignancy_from)
            cut = touches_inner_edge(box, tile, shape)
            candidates.append(_Candidate(index, row, box, score, label, malignancy, cut))
    kept = merge(
        [candidate.box for candidate in candidates],
        [candidate.score for candidate in candidates],
        overlap=configuration.merge_overlap,
        limit=configuration.findings_per_view,
        cut=[candidate.cut for candidate in candidates],
        inside=configuration.cut_box_inside,
    )
    findings = []
    for candidate in (candidates[index] for index in kept):
        contour: Polygon | None = None
        if configuration.contours:
            features, network_shape, detections = seen[candidate.tile]
            outline = _outline(model, features, network_shape, detections, candidate.row, tiles[candidate.tile].shape)
            if outline is not None:
                contour = tuple((float(x), float(y)) for x, y in tiles[candidate.tile].to_image(outline))
        lesion_type = classes_of(configuration)[candidate.label - 1][0]
        findings.append(Finding(candidate.box, candidate.score, candidate.malignancy, lesion_type, contour))
    return findings


def find_on_view(
    model: MaskRCNN, view: StoredView, configuration: MaskRCNNConfiguration, device: torch.device
) -> list[Finding]:
    """As `find`, in continuous pixels of the whole view."""
    x, y = view.offset
    return [finding.shifted(x, y) for finding in find(model, view.pixels(), configuration, device)]


def probability_of_malignancy(probabilities: Tensor, label: int, score: float, source: str) -> float:
    """Probability that a detected lesion is malignant.

    Parameters
    ----------
    probabilities : Tensor, shape (outputs,)
        Class scores of the region, background first.
    source : {"class_scores", "label_and_score"}
        Malignant classes over all lesion classes (given that there is a lesion, so background does not count);
        or 0.5 ± score / 2 by label, as in the code released with Van Camp et al.
    """
    malignant_labels = malignant_outputs(len(probabilities))
    if source == "label_and_score":
        return 0.5 + score / 2 if label in malignant_labels else 0.5 - score / 2
    lesion = float(probabilities[1:].sum())
    malignant = float(probabilities[malignant_labels].sum())
    return min(1.0, malignant / lesion) if lesion > 0 else 0.5


def detect(model: MaskRCNN, image: Tensor) -> tuple[dict[str, Tensor], tuple[int, int], Detections]:
    """Run the two stages on one image and keep the whole softmax of every detection.

    Thresholds are the model's own; a box takes part once for every class whose score is high enough, and boxes
    suppress each other within a class, as torchvision does.

    Returns
    -------
    features : dict of str to Tensor
        Pyramid levels, for the mask head.
    network_shape : (rows, columns) of the rescaled image
    detections : Detections
    """
    heads = model.roi_heads
    prepared, _ = model.transform([image])
    network_shape = prepared.image_sizes[0]
    features = model.backbone(prepared.tensors)
    proposals, _ = model.rpn(prepared, features)
    pooled = heads.box_roi_pool(features, proposals, [network_shape])
    logits, regression = heads.box_predictor(heads.box_head(pooled))
    probabilities = logits.softmax(-1)
    boxes = heads.box_coder.decode(regression, proposals)
    boxes = clip_boxes_to_image(boxes, network_shape)[:, 1:]
    regions, labels = (probabilities[:, 1:] > heads.score_thresh).nonzero(as_tuple=True)
    boxes, scores = boxes[regions, labels], probabilities[regions, labels + 1]
    large = remove_small_boxes(boxes, _SMALLEST_SIDE)
    kept = large[batched_nms(boxes[large], scores[large], labels[large], heads.nms_thresh)]
    kept = kept[: heads.detections_per_img]
    original = (int(image.shape[-2]), int(image.shape[-1]))
    return (
        features,
        network_shape,
        Detections(
            network_boxes=boxes[kept],
            boxes=resize_boxes(boxes[kept], list(network_shape), list(original)),
            scores=scores[kept],
            labels=labels[kept] + 1,
            probabilities=probabilities[regions[kept]],
        ),
    )


def _outline(
    model: MaskRCNN,
    features: dict[str, Tensor],
    network_shape: tuple[int, int],
    detections: Detections,
    row: int,
    shape: tuple[int, int],
) -> NDArray[np.float64] | None:
    """Largest outline of a detection's mask in tile pixels; None when the mask is empty."""
    heads = model.roi_heads
    pooled = heads.mask_roi_pool(features, [detections.network_boxes[row : row + 1]], [network_shape])
    logits = heads.mask_predictor(heads.mask_head(pooled))
    (soft,) = maskrcnn_inference(logits, [detections.labels[row : row + 1]])
    pasted = paste_masks_in_image(soft, detections.boxes[row : row + 1], shape)
    polygons = mask_to_polygons(pasted[0, 0].cpu().numpy() > _MASK_THRESHOLD)
    return max(polygons, key=polygon_area, default=None)
