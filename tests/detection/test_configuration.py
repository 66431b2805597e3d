"""The configuration: what it refuses, what a form sees, and presets against the words of the paper."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detection.configuration import ConfigurationError, MaskRCNNConfiguration
from detection.fields import declared
from detection.preset import differences, presets


def test_importing_the_configuration_and_the_registry_leaves_torch_out() -> None:
    code = (
        "import sys, detection.configuration, detection.registry, detection.sample_set, detection.errors\n"
        "import detection.detector, detection.preset, detection.tiles\n"
        "sys.exit(any(name.split('.')[0] in ('torch', 'torchvision') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@given(
    learning_rate=st.floats(1e-8, 1.0),
    epochs=st.integers(1, 1000),
    anchors=st.lists(st.floats(4, 1024), min_size=5, max_size=5),
    tiles=st.sampled_from(["whole", "half-2x2", "half-3x3"]),
    contours=st.booleans(),
)
def test_a_configuration_survives_json(
    learning_rate: float, epochs: int, anchors: list[float], tiles: str, contours: bool
) -> None:
    configuration = MaskRCNNConfiguration(
        learning_rate=learning_rate, epochs=epochs, anchor_sizes=tuple(anchors), tiles=tiles, contours=contours
    )
    again = MaskRCNNConfiguration.from_json(configuration.to_json())
    assert again == configuration
    assert again.digest() == configuration.digest()


@pytest.mark.parametrize(
    ("values", "field", "says"),
    [
        ({"epochs": 0}, "epochs", "at least 1"),
        ({"epochs": 2.5}, "epochs", "whole number"),
        ({"epochs": True}, "epochs", "expected a number"),
        ({"learning_rate": float("nan")}, "learning_rate", "expected a number"),
        ({"learning_rate": 2.0}, "learning_rate", "at most 1"),
        ({"tiles": "thirds"}, "tiles", "half-2x2"),
        ({"anchor_sizes": []}, "anchor_sizes", "at least one"),
        ({"anchor_sizes": [32, -1]}, "anchor_sizes", "at least 4 px"),
        ({"anchor_sizes": [8, 16, 32]}, "anchor_sizes", "expected 5 sizes"),
        ({"contours": "yes"}, "contours", "true or false"),
        ({"initial_weights": 5}, "initial_weights", "text"),
        ({"input_min_size": 900, "input_max_size": 800}, "input_max_size", "input_min_size"),
        ({"learnig_rate": 0.1}, "learnig_rate", "no such field"),
    ],
)
def test_a_wrong_value_is_refused_and_the_field_is_named(values: dict[str, object], field: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        MaskRCNNConfiguration.from_values(values)
    assert list(caught.value.problems) == [field]
    assert says in caught.value.problems[field]


def test_all_wrong_fields_are_reported_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        MaskRCNNConfiguration(epochs=0, batch_size=0)
    assert set(caught.value.problems) == {"epochs", "batch_size"}


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"schema": "cemlab.mask-rcnn-configuration/1", "values": 3}'])
def test_text_that_is_no_configuration_is_refused(body: str) -> None:
    with pytest.raises(ConfigurationError):
        MaskRCNNConfiguration.from_json(body)


def test_the_form_description_covers_every_field_with_help_and_limits() -> None:
    described = {entry["name"]: entry for entry in MaskRCNNConfiguration.schema()}
    assert list(described) == [entry.name for entry in dataclasses.fields(MaskRCNNConfiguration)]
    for entry in described.values():
        assert entry["label"]
        assert entry["help"].endswith(".")
        if entry["kind"] in ("integer", "number", "numbers"):
            assert entry["minimum"] < entry["maximum"]
        if entry["kind"] == "choice":
            assert entry["default"] in {choice["value"] for choice in entry["choices"]}


def test_paper_2024_follows_section_2_3_of_the_paper() -> None:
    preset = presets()["paper-2024"]
    values = preset.configuration
    # "a stochastic gradient descent optimizer, a learning rate of 5x10^-4 and a batch size of 2", "30 epochs"
    assert (values.optimiser, values.learning_rate, values.batch_size, values.epochs) == ("sgd", 5e-4, 2, 30)
    # "the optimal epoch was chosen at the lowest validation loss"
    assert values.best_epoch == "validation_loss"
    # "images were cropped to sub-images half the width and height of the original image"
    assert values.tiles == "half-2x2"
    # "the five highest scoring regions were considered"
    assert values.findings_per_view == 5
    # "the filtered low-energy image, the original low-energy image and the filtered recombined image"
    assert values.preprocessing == "s000-cluster"
    # not in the paper: torchvision conventions and the released code, and the preset says so
    assert (values.momentum, values.weight_decay) == (0.9, 5e-4)
    assert values.merge_overlap == 0.2
    for field in ("momentum", "weight_decay", "merge_overlap", "cut_lesion_share"):
        assert not preset.sources[field].startswith("paper")
    for field in ("optimiser", "learning_rate", "batch_size", "epochs", "best_epoch", "tiles"):
        assert preset.sources[field].startswith("paper")


def test_beuque_2023_follows_the_paper_and_says_where_it_cannot() -> None:
    preset = presets()["beuque-2023"]
    values = preset.configuration
    assert (values.backbone, values.classes, values.preprocessing, values.tiles) == (
        "resnet101",
        "two",
        "s004",
        "whole",
    )
    assert (values.input_min_size, values.input_max_size) == (471, 2630)
    assert (values.optimiser, values.learning_rate, values.batch_size, values.epochs) == ("adam", 1e-5, 1, 30)
    assert (values.schedule, values.findings_per_view) == ("plateau", 5)
    assert (values.flip_probability, values.vertical_flip_probability) == (0.0, 0.5)
    assert "not a reproduction" in preset.description
    assert "test set" in preset.sources["best_epoch"]


def test_modern_never_reduces_an_image_and_declares_its_values_as_decisions() -> None:
    preset = presets()["modern"]
    values = preset.configuration
    assert values.tiles == "native"
    assert values.input_min_size >= values.tile_size
    assert (values.sampling, values.schedule, values.mixed_precision) == ("balanced", "cosine", True)
    assert values.lesion_free_share > 0
    assert values.weight_averaging > 0


def test_every_source_of_a_preset_names_an_existing_field() -> None:
    known = set(declared(MaskRCNNConfiguration))
    for preset in presets().values():
        assert set(preset.sources) <= known
        assert preset.description.endswith(".")


def test_the_quick_preset_says_it_is_for_demonstration_and_trains_its_normalisation() -> None:
    preset = presets()["cpu-quick"]
    assert "demonstration" in preset.description
    assert preset.configuration.initial_weights is None
    assert preset.configuration.normalisation != "frozen"


def test_differences_name_exactly_the_changed_fields() -> None:
    preset = presets()["paper-2024"]
    assert differences(preset, preset.configuration) == []
    changed = dataclasses.replace(preset.configuration, epochs=10, seed=3)
    found = {entry.field: (entry.preset_value, entry.value) for entry in differences(preset, changed)}
    assert found == {"epochs": (30, 10), "seed": (0, 3)}
