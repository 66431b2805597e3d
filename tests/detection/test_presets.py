"""Presets, value by value, against what was published; and the table in the documentation against the presets."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from detection.configuration import MaskRCNNConfiguration
from detection.fields import declared
from detection.preset import as_table, presets

TORCHVISION: dict[str, Any] = {
    "normalisation": "frozen",
    "pyramid_channels": 256,
    "box_head_width": 1024,
    "mask_head_layers": 4,
    "anchor_sizes": (32, 64, 128, 256, 512),
    "anchor_ratios": (0.5, 1.0, 2.0),
    "proposals_training": 2000,
    "proposals_inference": 1000,
    "regions_per_image": 512,
    "score_above": 0.05,
    "class_overlap": 0.5,
}
AS_PUBLISHED: dict[str, Any] = {
    "lesion_free_share": 0.0,
    "sampling": "natural",
    "initial_weights": None,
    "gradient_limit": 0.0,
    "weight_averaging": 0.0,
    "length": "epochs",
    "epochs": 30,
    "affine_probability": 1.0,
    "scale_range": 0.1,
    "shear_range": 0.1,
    "mixed_precision": False,
    "contours": True,
    "seed": 0,
}
OURS: dict[str, Any] = {
    "cut_lesion_share": 0.25,
    "cut_box_inside": 0.7,
    "both_as": "cluster",
    "other_as": "mass",
    "sample_every": 5,
    "measure_every": 1,
    "tile_size": 1024,
    "tile_overlap": 0.25,
    "steps": 10_000,
}

PUBLISHED: dict[str, dict[str, Any]] = {
    "paper-2024": TORCHVISION
    | AS_PUBLISHED
    | OURS
    | {
        "preprocessing": "s000-cluster",
        "tiles": "half-2x2",
        "input_min_size": 800,
        "input_max_size": 1333,
        "classes": "four",
        "backbone": "resnet50",
        "trainable_layers": 3,
        "optimiser": "sgd",
        "learning_rate": 5e-4,
        "momentum": 0.9,
        "weight_decay": 5e-4,
        "schedule": "constant",
        "warm_up_steps": 0,
        "warm_up_in_first_epoch": False,
        "batch_size": 2,
        "best_epoch": "validation_loss",
        "flip_probability": 0.5,
        "vertical_flip_probability": 0.0,
        "merge_overlap": 0.2,
        "findings_per_view": 5,
        "malignancy_from": "class_scores",
    },
    "released-code-2024": TORCHVISION
    | AS_PUBLISHED
    | OURS
    | {
        "preprocessing": "s000-cluster",
        "tiles": "whole",
        "input_min_size": 800,
        "input_max_size": 1333,
        "classes": "four",
        "backbone": "resnet50",
        "trainable_layers": 3,
        "optimiser": "adam",
        "learning_rate": 1e-5,
        "momentum": 0.9,
        "weight_decay": 0.0,
        "schedule": "constant",
        "warm_up_steps": 1000,
        "warm_up_in_first_epoch": True,
        "batch_size": 2,
        "best_epoch": "validation_loss",
        "flip_probability": 0.5,
        "vertical_flip_probability": 0.0,
        "merge_overlap": 0.2,
        "findings_per_view": 10,
        "malignancy_from": "label_and_score",
    },
    "beuque-2023": TORCHVISION
    | AS_PUBLISHED
    | OURS
    | {
        "preprocessing": "s004",
        "tiles": "whole",
        "input_min_size": 471,
        "input_max_size": 2630,
        "classes": "two",
        "backbone": "resnet101",
        "trainable_layers": 5,
        "optimiser": "adam",
        "learning_rate": 1e-5,
        "momentum": 0.9,
        "weight_decay": 0.0,
        "schedule": "plateau",
        "warm_up_steps": 0,
        "warm_up_in_first_epoch": False,
        "batch_size": 1,
        "best_epoch": "validation_loss",
        "flip_probability": 0.0,
        "vertical_flip_probability": 0.5,
        "merge_overlap": 0.01,
        "findings_per_view": 5,
        "malignancy_from": "label_and_score",
    },
}
"""Van Camp et al., IWBI 2024, section 2.3; the code released with it; Beuque et al., Radiology 2023, and its code."""

ORIGINS = ("paper", "released code", "torchvision", "decision of this project: ", "without effect")


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_preset_has_the_published_value_in_every_field(name: str) -> None:
    values = vars(presets()[name].configuration)
    assert values == PUBLISHED[name]


@pytest.mark.parametrize("name", sorted(presets()))
def test_a_preset_writes_out_every_value_and_names_the_source_of_each(name: str) -> None:
    fields = list(declared(MaskRCNNConfiguration))
    body = json.loads(resources.files("detection").joinpath("presets", f"{name}.json").read_text(encoding="utf-8"))
    assert list(body["values"]) == fields
    assert list(body["sources"]) == fields
    for field, source in body["sources"].items():
        assert source.startswith(ORIGINS), field


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        (
            "paper-2024",
            {
                *("preprocessing", "tiles", "classes", "initial_weights", "optimiser", "learning_rate", "batch_size"),
                *("length", "epochs", "best_epoch", "findings_per_view"),
            },
        ),
        ("beuque-2023", {"classes", "backbone", "initial_weights", "epochs"}),
        ("released-code-2024", set()),
    ],
)
def test_only_what_the_paper_says_is_called_its_word(name: str, fields: set[str]) -> None:
    sources = presets()[name].sources
    assert {field for field, source in sources.items() if source.startswith("paper")} == fields


def test_modern_says_of_every_value_that_it_is_a_decision_a_default_or_without_effect() -> None:
    allowed = ("decision of this project: ", "torchvision default", "without effect")
    for preset in ("modern", "cpu-quick"):
        assert all(source.startswith(allowed) for source in presets()[preset].sources.values())


def test_the_table_in_the_documentation_is_that_of_the_presets() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "presets.md"
    assert page.read_text() == as_table(), "write it anew: python -m detection presets > docs/presets.md"
