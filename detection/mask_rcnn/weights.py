"""Initial weights from a local file, checked against the model before anything is loaded."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from detection.errors import MissingWeights, UnsuitableWeights

# The last layers depend on the number of classes, which differs from COCO's 91.
_CLASS_LAYERS = ("roi_heads.box_predictor.", "roi_heads.mask_predictor.mask_fcn_logits.")
_BACKBONE = "backbone.body."
_COUNTER = "num_batches_tracked"


def load_initial_weights(model: nn.Module, path: Path) -> dict[str, Any]:
    """Load every layer but the class-dependent last ones from a file of a Mask R-CNN, or a ResNet into its backbone.

    A file of a ResNet classifier (torchvision's ImageNet weights, known by their layer ``fc``) leaves pyramid and heads
    as they are.

    Returns
    -------
    dict
        Statement for the record: ``origin``, ``file`` (name only), ``sha256``, ``loaded`` and ``fresh``
        (numbers of tensors).

    Raises
    ------
    MissingWeights
        If there is no such file.
    UnsuitableWeights
        If it is not a weights file or does not fit the model.
    """
    digest = digest_of(path)
    given = _read(path)
    expected = model.state_dict()
    wanted = {name for name in expected if not name.startswith(_CLASS_LAYERS) and not name.endswith(_COUNTER)}
    if "fc.weight" in given:
        given = {_BACKBONE + name: value for name, value in given.items() if not name.startswith("fc.")}
        wanted = {name for name in wanted if name.startswith(_BACKBONE)}
    missing = sorted(wanted - set(given))
    misshapen = sorted(name for name in wanted & set(given) if given[name].shape != expected[name].shape)
    surplus = sorted(
        name
        for name in set(given) - set(expected)
        if not name.startswith(_CLASS_LAYERS) and not name.endswith(_COUNTER)
    )
    if missing or misshapen or surplus:
        first = (missing or misshapen or surplus)[0]
        raise UnsuitableWeights(
            f"The weights in {path.name} do not fit the model: {len(missing)} tensors missing, "
            f"{len(misshapen)} of another shape, {len(surplus)} unknown (first: {first}).",
            "Use the COCO weights of torchvision's maskrcnn_resnet50_fpn with the backbone ResNet-50, "
            "frozen or batch normalisation and the widths of the preset paper-2024, or the ImageNet weights of the "
            "chosen ResNet.",
        )
    model.load_state_dict({name: given[name] for name in wanted}, strict=False)
    return {
        "origin": "file",
        "file": path.name,
        "sha256": digest,
        "loaded": len(wanted),
        "fresh": len([name for name in expected if name not in wanted and not name.endswith(_COUNTER)]),
    }


def digest_of(path: Path) -> str:
    """SHA-256 of a file of initial weights.

    Raises
    ------
    MissingWeights
        If there is no such file.
    """
    if not path.is_file():
        raise MissingWeights(
            f"The initial weights file {path.name} was not found.",
            "Give the path of a local copy, or leave the field empty to start from random weights; "
            "nothing is downloaded.",
        )
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _read(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            given: Any = load_file(path)
        else:
            given = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise UnsuitableWeights(
            f"{path.name} could not be read as a weights file.",
            "Copy it again; expected .pth or .safetensors.",
        ) from error
    if not isinstance(given, dict) or not all(isinstance(value, Tensor) for value in given.values()):
        raise UnsuitableWeights(
            f"{path.name} holds something else than named tensors.",
            "Give a state dictionary (.pth or .safetensors).",
        )
    return given
