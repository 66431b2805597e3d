"""From a view to findings: tiles through the network, class scores kept, detections merged over the view."""

from __future__ import annotations

from collections.abc import Sequence
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
from detection.errors import OutOfMemory
from detection.finding import Finding, Polygon
from detection.mask_rcnn.classes import classes_of, malignant_outputs
from detection.tiles import Tile, layout, merge, touches_inner_edge
from detection.training.devices import memory_errors
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
class Seen:
    """One tile after both stages.

    Attributes
    ----------
    features : dict of str to Tensor, shape (1, channels, rows, columns)
        Pyramid levels, for the mask head; empty where no outline is wanted.
    network_shape : (rows, columns)
        Of the rescaled tile, without padding.
    """

    features: dict[str, Tensor]
    network_shape: tuple[int, int]
    detections: Detections


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
    seen = _look(model, channels, tiles, configuration, device)
    candidates: list[_Candidate] = []
    for index, (tile, one) in enumerate(zip(tiles, seen, strict=True)):
        detections = one.detections
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
            outline = _outline(model, seen[candidate.tile], candidate.row, tiles[candidate.tile].shape)
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


def tiles_at_once(configuration: MaskRCNNConfiguration, device: torch.device) -> int:
    """Tiles of a view that go through the network together: on a GPU as many as a step of training has, else one."""
    return configuration.batch_size if device.type == "cuda" else 1


def _look(
    model: MaskRCNN,
    channels: NDArray[np.uint8],
    tiles: Sequence[Tile],
    configuration: MaskRCNNConfiguration,
    device: torch.device,
) -> list[Seen]:
    """Every tile after both stages; one by one where the memory of the device is too small for several."""

    def look(together: int) -> list[Seen]:
        found: list[Seen] = []
        for first in range(0, len(tiles), together):
            cut = [channels[one.row0 : one.row1, one.column0 : one.column1] for one in tiles[first : first + together]]
            images = torch.from_numpy(np.ascontiguousarray(np.stack(cut).transpose(0, 3, 1, 2))).to(device)
            found += detect(model, images.float().div_(255), keep_features=configuration.contours)
        return found

    together = tiles_at_once(configuration, device)
    if together == 1:
        return look(1)
    try:
        with memory_errors(device):
            return look(together)
    except OutOfMemory:
        return look(1)


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


def detect(model: MaskRCNN, images: Tensor, *, keep_features: bool = False) -> list[Seen]:
    """Run the two stages on images of one shape and keep the whole softmax of every detection.

    Thresholds are the model's own; a box takes part once for every class whose score is high enough, and boxes
    suppress each other within a class, as torchvision does. What is seen in an image does not depend on the others:
    images of one shape are padded as each would be alone, while torchvision pads to the largest, and the anchors of the
    coarsest level follow from the padded size.

    Parameters
    ----------
    images : Tensor, float32, shape (n, 3, rows, columns), in [0, 1]
    keep_features : bool
        Whether outlines will be asked for.
    """
    heads = model.roi_heads
    prepared, _ = model.transform(list(images))
    network_shape = prepared.image_sizes[0]
    features = model.backbone(prepared.tensors)
    proposals, _ = model.rpn(prepared, features)
    pooled = heads.box_roi_pool(features, proposals, prepared.image_sizes)
    logits, regression = heads.box_predictor(heads.box_head(pooled))
    regions = [len(one) for one in proposals]
    probabilities = logits.softmax(-1).split(regions)
    boxes = heads.box_coder.decode(regression, proposals).split(regions)
    original = (int(images.shape[-2]), int(images.shape[-1]))
    return [
        Seen(
            {name: level[index : index + 1] for name, level in features.items()} if keep_features else {},
            network_shape,
            _chosen(model, boxes[index], probabilities[index], network_shape, original),
        )
        for index in range(len(regions))
    ]


def _chosen(
    model: MaskRCNN, boxes: Tensor, probabilities: Tensor, network_shape: tuple[int, int], original: tuple[int, int]
) -> Detections:
    """Boxes of one image, shape (regions, outputs, 4), after thresholds and suppression."""
    heads = model.roi_heads
    boxes = clip_boxes_to_image(boxes, network_shape)[:, 1:]
    regions, labels = (probabilities[:, 1:] > heads.score_thresh).nonzero(as_tuple=True)
    boxes, scores = boxes[regions, labels], probabilities[regions, labels + 1]
    large = remove_small_boxes(boxes, _SMALLEST_SIDE)
    kept = large[batched_nms(boxes[large], scores[large], labels[large], heads.nms_thresh)]
    kept = kept[: heads.detections_per_img]
    return Detections(
        network_boxes=boxes[kept],
        boxes=resize_boxes(boxes[kept], list(network_shape), list(original)),
        scores=scores[kept],
        labels=labels[kept] + 1,
        probabilities=probabilities[regions[kept]],
    )


def _outline(model: MaskRCNN, seen: Seen, row: int, shape: tuple[int, int]) -> NDArray[np.float64] | None:
    """Largest outline of a detection's mask in tile pixels; None when the mask is empty."""
    heads, detections = model.roi_heads, seen.detections
    pooled = heads.mask_roi_pool(seen.features, [detections.network_boxes[row : row + 1]], [seen.network_shape])
    logits = heads.mask_predictor(heads.mask_head(pooled))
    (soft,) = maskrcnn_inference(logits, [detections.labels[row : row + 1]])
    pasted = paste_masks_in_image(soft, detections.boxes[row : row + 1], shape)
    polygons = mask_to_polygons(pasted[0, 0].cpu().numpy() > _MASK_THRESHOLD)
    return max(polygons, key=polygon_area, default=None)
