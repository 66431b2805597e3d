"""Configuration of the Mask R-CNN detector: every choice a run makes, documented and checked.

Imports no torch, so the web process can build its forms from `MaskRCNNConfiguration.schema`.

Sources: Van Camp et al., IWBI 2024 (doi 10.1117/12.3026879), section 2.3, where it states a value; the
Mask R-CNN defaults of torchvision elsewhere. Presets say field by field which is which.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from importlib import resources
from typing import Any

from detection.fields import boolean, choice, declared, integer, number, numbers, specification, text

VERSION = 1
SCHEMA = "cemlab.mask-rcnn-configuration/1"
PRESET_SCHEMA = "cemlab.detector-preset/1"
FAMILY = "mask_rcnn"

IMAGES = "Images and tiles"
TARGETS = "Targets"
MODEL = "Model"
OPTIMISER = "Optimisation"
AUGMENTATION = "Augmentation"
INFERENCE = "Inference"
EXECUTION = "Execution"

_LESION_MAPPING = (("cluster", "as a cluster"), ("mass", "as a mass"), ("leave-out", "left out of training"))


class ConfigurationError(ValueError):
    """A configuration does not follow its schema.

    Attributes
    ----------
    problems : dict of str to str
        Field name to what is wrong and what was expected; the empty name holds a problem of the whole.
    """

    def __init__(self, problems: Mapping[str, str]) -> None:
        self.problems = dict(problems)
        super().__init__("; ".join(f"{name}: {text}" if name else text for name, text in self.problems.items()))


@dataclass(frozen=True)
class MaskRCNNConfiguration:
    """All choices of one Mask R-CNN training and of the inference that follows it.

    Values are checked on construction; the meaning, unit and limits of each field are in `schema`.

    Raises
    ------
    ConfigurationError
        With one entry per field that is wrong.
    """

    preprocessing: str = choice(
        "s000-cluster",
        "Preprocessing",
        IMAGES,
        "How the low-energy and the recombined image become the three input channels.",
        choices=(
            ("s000-cluster", "filtered low-energy, original low-energy, filtered recombined (IWBI 2024)"),
            ("s000-mass", "filtered low-energy, original recombined, filtered recombined"),
            ("s004", "original recombined, filtered recombined, filtered low-energy (Radiology 2023)"),
        ),
    )
    tiles: str = choice(
        "half-2x2",
        "Sub-images",
        IMAGES,
        "Sub-images of half the height and width keep calcifications visible; overlap keeps lesions whole.",
        choices=(
            ("whole", "the whole breast as one image"),
            ("half-2x2", "half-size sub-images, 2 × 2, edge to edge"),
            ("half-3x3", "half-size sub-images, 3 × 3, each overlapping its neighbour by half"),
        ),
    )
    input_min_size: int = integer(
        800,
        "Shorter side at the network",
        IMAGES,
        "Each sub-image is rescaled so that its shorter side has this length.",
        limits=(64, 2400),
        unit="px",
    )
    input_max_size: int = integer(
        1333,
        "Longest side at the network",
        IMAGES,
        "The rescaling is reduced where the longer side would exceed this length.",
        limits=(64, 4000),
        unit="px",
    )
    cut_lesion_share: float = number(
        0.25,
        "Cut lesions: share of area inside",
        TARGETS,
        "A lesion cut by the edge of a sub-image is a target there when at least this share of its area lies inside.",
        limits=(0.01, 1.0),
    )
    both_as: str = choice(
        "cluster",
        "Mass with calcifications",
        TARGETS,
        "How lesions annotated as both mass and cluster are trained.",
        choices=_LESION_MAPPING,
    )
    other_as: str = choice(
        "mass",
        "Other lesions",
        TARGETS,
        "How lesions annotated as neither mass nor cluster are trained.",
        choices=_LESION_MAPPING,
    )
    lesion_free_share: float = number(
        0.0,
        "Lesion-free sub-images used",
        TARGETS,
        "Share of the sub-images without a lesion that is seen in each epoch; 0 trains on lesions only.",
        limits=(0.0, 1.0),
    )
    backbone: str = choice(
        "resnet50",
        "Backbone",
        MODEL,
        "Feature extractor under the feature pyramid.",
        choices=(
            ("resnet50", "ResNet-50, the published model"),
            ("resnet18", "ResNet-18, small"),
            ("mobilenet_v3_large", "MobileNetV3 large, light"),
            ("compact", "eight small residual blocks, for processors without a GPU"),
        ),
    )
    normalisation: str = choice(
        "frozen",
        "Normalisation",
        MODEL,
        "Frozen batch normalisation needs pre-trained weights; from a random start choose one that trains.",
        choices=(
            ("frozen", "frozen batch normalisation"),
            ("batch", "batch normalisation"),
            ("group", "group normalisation"),
        ),
    )
    initial_weights: str | None = text(
        None,
        "Initial weights file",
        MODEL,
        "Local file with COCO weights of maskrcnn_resnet50_fpn (.pth or .safetensors). Empty: random start. "
        "Nothing is ever downloaded.",
    )
    trainable_layers: int = integer(
        3,
        "Trainable backbone stages",
        MODEL,
        "Stages counted from the top that train when initial weights are given; a random start trains all.",
        limits=(0, 5),
    )
    pyramid_channels: int = integer(
        256,
        "Feature pyramid width",
        MODEL,
        "Channels of each pyramid level.",
        limits=(16, 512),
        unit="channels",
    )
    box_head_width: int = integer(
        1024, "Box head width", MODEL, "Units of the two hidden layers.", limits=(32, 4096), unit="units"
    )
    mask_head_layers: int = integer(
        4,
        "Mask head depth",
        MODEL,
        "Convolutions before the mask is upsampled.",
        limits=(1, 8),
        unit="layers",
    )
    anchor_sizes: tuple[float, ...] = numbers(
        (32, 64, 128, 256, 512),
        "Anchor sizes",
        MODEL,
        "Side of the anchors at network scale, one per pyramid level from fine to coarse.",
        limits=(4, 1024),
        unit="px",
    )
    anchor_ratios: tuple[float, ...] = numbers(
        (0.5, 1.0, 2.0), "Anchor height to width", MODEL, "Shapes of the anchors.", limits=(0.1, 10.0)
    )
    proposals_training: int = integer(
        2000, "Proposals in training", MODEL, "Regions kept by the first stage.", limits=(10, 4000)
    )
    proposals_inference: int = integer(
        1000, "Proposals at inference", MODEL, "Regions kept by the first stage.", limits=(10, 4000)
    )
    regions_per_image: int = integer(
        512,
        "Regions sampled for the box head",
        MODEL,
        "Per image, a quarter of them on lesions.",
        limits=(8, 1024),
    )
    optimiser: str = choice(
        "sgd",
        "Optimiser",
        OPTIMISER,
        "Momentum applies to stochastic gradient descent only.",
        choices=(("sgd", "stochastic gradient descent"), ("adam", "Adam"), ("adamw", "AdamW")),
    )
    learning_rate: float = number(5e-4, "Learning rate", OPTIMISER, "After warm-up.", limits=(1e-8, 1.0))
    momentum: float = number(0.9, "Momentum", OPTIMISER, "Stochastic gradient descent only.", limits=(0.0, 0.999))
    weight_decay: float = number(
        5e-4, "Weight decay", OPTIMISER, "L2 penalty (decoupled with AdamW).", limits=(0.0, 1.0)
    )
    schedule: str = choice(
        "constant",
        "Schedule",
        OPTIMISER,
        "Course of the learning rate after warm-up.",
        choices=(("constant", "constant"), ("cosine", "cosine down to one hundredth at the last step")),
    )
    warm_up_steps: int = integer(
        0,
        "Warm-up",
        OPTIMISER,
        "Steps over which the learning rate rises linearly from one thousandth.",
        limits=(0, 100_000),
        unit="steps",
    )
    gradient_limit: float = number(
        0.0,
        "Gradient norm limit",
        OPTIMISER,
        "Gradients are scaled down to this norm; 0 = off.",
        limits=(0.0, 1e4),
    )
    batch_size: int = integer(2, "Batch size", OPTIMISER, "Sub-images per step.", limits=(1, 64), unit="sub-images")
    epochs: int = integer(30, "Epochs", OPTIMISER, "Passes over the training set.", limits=(1, 1000), unit="epochs")
    best_epoch: str = choice(
        "validation_loss",
        "Epoch kept",
        OPTIMISER,
        "Which epoch's weights become the model.",
        choices=(("validation_loss", "lowest validation loss"), ("last", "the last")),
    )
    flip_probability: float = number(
        0.5, "Horizontal flip", AUGMENTATION, "Probability per sub-image and epoch.", limits=(0.0, 1.0)
    )
    affine_probability: float = number(
        1.0, "Scale and shear", AUGMENTATION, "Probability per sub-image and epoch.", limits=(0.0, 1.0)
    )
    scale_range: float = number(
        0.1, "Scale range", AUGMENTATION, "Each axis is scaled by 1 ± this value.", limits=(0.0, 0.5)
    )
    shear_range: float = number(
        0.1, "Shear range", AUGMENTATION, "Each axis is sheared by ± this value.", limits=(0.0, 0.5)
    )
    score_above: float = number(
        0.05,
        "Lowest score kept",
        INFERENCE,
        "Detections below are dropped by the network.",
        limits=(0.0, 1.0),
    )
    class_overlap: float = number(
        0.5,
        "Overlap within a class (IoU)",
        INFERENCE,
        "Of two detections of the same class overlapping more, the better stays.",
        limits=(0.01, 1.0),
    )
    merge_overlap: float = number(
        0.2,
        "Overlap across classes and sub-images (IoU)",
        INFERENCE,
        "Of two detections of any class overlapping more on the whole view, the better stays.",
        limits=(0.01, 1.0),
    )
    findings_per_view: int = integer(
        5, "Findings per view", INFERENCE, "The best by score are kept.", limits=(1, 100), unit="findings"
    )
    malignancy_from: str = choice(
        "class_scores",
        "Probability of malignancy",
        INFERENCE,
        "From the class scores of the region, or from label and score of the detection alone.",
        choices=(
            ("class_scores", "malignant classes over all lesion classes (softmax)"),
            ("label_and_score", "0.5 + score / 2 for a malignant label, 0.5 − score / 2 for a benign one"),
        ),
    )
    contours: bool = boolean(True, "Outlines", INFERENCE, "Trace the predicted mask of each finding.")
    mixed_precision: bool = boolean(
        False, "Mixed precision", EXECUTION, "bfloat16 arithmetic on CUDA; ignored on the processor."
    )
    seed: int = integer(0, "Seed", EXECUTION, "Start of every random choice of the run.", limits=(0, 2**31 - 1))

    def __post_init__(self) -> None:
        problems = {}
        for name, declaration in declared(type(self)).items():
            problem = declaration.problem(getattr(self, name))
            if problem is not None:
                problems[name] = problem
            elif declaration.kind == "numbers":
                object.__setattr__(self, name, tuple(float(entry) for entry in getattr(self, name)))
            elif declaration.kind == "number":
                object.__setattr__(self, name, float(getattr(self, name)))
        if not problems and self.input_max_size < self.input_min_size:
            problems["input_max_size"] = (
                f"expected at least input_min_size ({self.input_min_size} px), got {self.input_max_size}"
            )
        if not problems and len(self.anchor_sizes) != 5:
            problems["anchor_sizes"] = f"expected 5 sizes, one per pyramid level, got {len(self.anchor_sizes)}"
        if problems:
            raise ConfigurationError(problems)

    @classmethod
    def schema(cls) -> list[dict[str, Any]]:
        """Describe every field for a form (`detection.fields.specification`)."""
        return specification(cls)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form: ``schema``, ``version``, ``family`` and ``values``."""
        values = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        return {"schema": SCHEMA, "version": VERSION, "family": FAMILY, "values": values}

    @classmethod
    def from_dict(cls, body: Mapping[str, Any]) -> MaskRCNNConfiguration:
        """Inverse of `to_dict`; fields that are absent take their default.

        Raises
        ------
        ConfigurationError
            On another schema, an unknown field or a value outside its limits.
        """
        if body.get("schema") != SCHEMA:
            raise ConfigurationError({"": f"expected schema {SCHEMA}, found {body.get('schema')!r}"})
        values = body.get("values")
        if not isinstance(values, Mapping):
            raise ConfigurationError({"": "expected an object under the key 'values'"})
        return cls.from_values(values)

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> MaskRCNNConfiguration:
        """Build from field values alone, as a form or a preset gives them.

        Raises
        ------
        ConfigurationError
            On an unknown field or a value outside its limits.
        """
        known = {entry.name for entry in fields(cls)}
        unknown = {name: "no such field in this version of the configuration" for name in values if name not in known}
        if unknown:
            raise ConfigurationError(unknown)
        return cls(**values)

    def to_json(self) -> str:
        """`to_dict` as text."""
        return json.dumps(self.to_dict(), indent=1)

    @classmethod
    def from_json(cls, body: str) -> MaskRCNNConfiguration:
        """Inverse of `to_json`.

        Raises
        ------
        ConfigurationError
            If the text is not JSON or does not follow the schema.
        """
        try:
            parsed = json.loads(body)
        except json.JSONDecodeError as error:
            raise ConfigurationError({"": f"not JSON: {error}"}) from error
        if not isinstance(parsed, dict):
            raise ConfigurationError({"": "expected a JSON object"})
        return cls.from_dict(parsed)

    def digest(self) -> str:
        """SHA-256 of the canonical JSON form, to tell runs apart."""
        canonical = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


@dataclass(frozen=True)
class Preset:
    """A named configuration kept as data.

    Attributes
    ----------
    sources : dict of str to str
        Where a field's value comes from: the words of the paper, the released code, or a decision of this
        project.
    """

    name: str
    title: str
    description: str
    configuration: MaskRCNNConfiguration
    sources: dict[str, str]


@dataclass(frozen=True)
class Difference:
    """One field in which a configuration departs from a preset."""

    field: str
    label: str
    unit: str
    preset_value: Any
    value: Any


def presets() -> dict[str, Preset]:
    """All presets shipped with the package, by name, in the order forms should offer them."""
    found = []
    for entry in resources.files("detection").joinpath("presets").iterdir():
        if entry.name.endswith(".json"):
            body = json.loads(entry.read_text(encoding="utf-8"))
            if body.get("schema") != PRESET_SCHEMA:
                raise ConfigurationError({"": f"{entry.name}: expected schema {PRESET_SCHEMA}"})
            preset = Preset(
                name=body["name"],
                title=body["title"],
                description=body["description"],
                configuration=MaskRCNNConfiguration.from_values(body["values"]),
                sources=body["sources"],
            )
            found.append((body["order"], preset))
    return {preset.name: preset for _, preset in sorted(found, key=lambda pair: pair[0])}


def differences(preset: Preset, configuration: MaskRCNNConfiguration) -> list[Difference]:
    """Fields in which `configuration` departs from `preset`, in declaration order."""
    return [
        Difference(name, entry.label, entry.unit, getattr(preset.configuration, name), getattr(configuration, name))
        for name, entry in declared(MaskRCNNConfiguration).items()
        if getattr(preset.configuration, name) != getattr(configuration, name)
    ]
