"""The choices of the Mask R-CNN detector: default, label, help, unit and limits of each field.

Sources: Van Camp et al., IWBI 2024 (doi 10.1117/12.3026879), section 2.3, where it states a value; the
Mask R-CNN defaults of torchvision elsewhere. Presets say field by field which is which.
"""

from __future__ import annotations

from dataclasses import dataclass

from detection.fields import boolean, choice, integer, number, numbers, text

IMAGES = "Images and tiles"
TARGETS = "Targets"
MODEL = "Model"
OPTIMISER = "Optimisation"
AUGMENTATION = "Augmentation"
INFERENCE = "Inference"
EXECUTION = "Execution"

_LESION_MAPPING = (("cluster", "as a cluster"), ("mass", "as a mass"), ("leave-out", "left out of training"))

ADDED_LATER = frozenset(
    {
        "classes",
        "cut_box_inside",
        "length",
        "measure_every",
        "sample_every",
        "sampling",
        "steps",
        "tile_overlap",
        "tile_size",
        "vertical_flip_probability",
        "warm_up_in_first_epoch",
        "weight_averaging",
    }
)
"""Fields that the first version lacked; at their default they do not count in the digest of a configuration."""


@dataclass(frozen=True)
class MaskRCNNFields:
    """Every field in the order forms show it; `detection.configuration` adds checks and JSON."""

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
            ("native", "sub-images of a fixed number of pixels, never reduced"),
        ),
    )
    tile_size: int = integer(
        1024,
        "Side of a native sub-image",
        IMAGES,
        "With native sub-images only. The two sides at the network must be at least this long, so that a "
        "calcification of two pixels keeps them.",
        limits=(64, 4000),
        unit="px",
    )
    tile_overlap: float = number(
        0.25,
        "Overlap of native sub-images",
        IMAGES,
        "With native sub-images only: neighbours share at least this part of their side.",
        limits=(0.0, 0.75),
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
    classes: str = choice(
        "four",
        "Classes",
        TARGETS,
        "What the network tells apart; with two classes a finding does not say whether it is a mass or a cluster.",
        choices=(
            ("four", "benign and malignant masses, benign and malignant clusters"),
            ("two", "benign and malignant lesions"),
        ),
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
    sampling: str = choice(
        "natural",
        "Sampling of classes",
        TARGETS,
        "How sub-images with lesions are drawn for an epoch; the size of the epoch is the same.",
        choices=(
            ("natural", "each once"),
            ("balanced", "each class equally often, rare ones repeated"),
        ),
    )
    backbone: str = choice(
        "resnet50",
        "Backbone",
        MODEL,
        "Feature extractor under the feature pyramid.",
        choices=(
            ("resnet50", "ResNet-50, the published model"),
            ("resnet101", "ResNet-101, as in Radiology 2023"),
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
        "Local file with COCO weights of maskrcnn_resnet50_fpn, or ImageNet weights of the ResNet chosen as backbone "
        "(.pth or .safetensors). Empty: random start. "
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
        choices=(
            ("constant", "constant"),
            ("cosine", "cosine down to one hundredth at the last step"),
            ("plateau", "halved where the training loss has not fallen for 2 epochs; no warm-up"),
        ),
    )
    warm_up_steps: int = integer(
        0,
        "Warm-up",
        OPTIMISER,
        "Steps over which the learning rate rises linearly from one thousandth.",
        limits=(0, 100_000),
        unit="steps",
    )
    warm_up_in_first_epoch: bool = boolean(
        False,
        "Warm-up within the first epoch",
        OPTIMISER,
        "The warm-up is shortened where one pass over the training set has fewer steps.",
    )
    gradient_limit: float = number(
        0.0,
        "Gradient norm limit",
        OPTIMISER,
        "Gradients are scaled down to this norm; 0 = off.",
        limits=(0.0, 1e4),
    )
    weight_averaging: float = number(
        0.0,
        "Weight averaging",
        OPTIMISER,
        "Decay per step of a moving average of the weights, which is then validated and kept; shorter while fewer "
        "steps are done than it spans. 0 = off.",
        limits=(0.0, 0.99999),
    )
    batch_size: int = integer(2, "Batch size", OPTIMISER, "Sub-images per step.", limits=(1, 64), unit="sub-images")
    length: str = choice(
        "epochs",
        "Length of the training",
        OPTIMISER,
        "With steps, training sets of different size are trained for equally many steps; what is then called an "
        "epoch is an equal part of them, after which validation runs.",
        choices=(("epochs", "passes over the training set"), ("steps", "a fixed number of steps")),
    )
    epochs: int = integer(30, "Epochs", OPTIMISER, "Passes over the training set.", limits=(1, 1000), unit="epochs")
    steps: int = integer(
        10_000,
        "Steps",
        OPTIMISER,
        "Steps of the whole training when its length is given in steps; at least one an epoch.",
        limits=(1, 10_000_000),
        unit="steps",
    )
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
    vertical_flip_probability: float = number(
        0.0, "Vertical flip", AUGMENTATION, "Probability per sub-image and epoch.", limits=(0.0, 1.0)
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
    cut_box_inside: float = number(
        0.7,
        "Cut detections: share of area inside",
        INFERENCE,
        "A detection that touches an inner edge of its sub-image gives way to an uncut one that holds at least this "
        "share of its area.",
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
    sample_every: int = integer(
        0,
        "Sample predictions",
        EXECUTION,
        "Epochs between predictions on a few validation views, kept with the run; 0 = none.",
        limits=(0, 1000),
        unit="epochs",
    )
    measure_every: int = integer(
        0,
        "Detection numbers on validation",
        EXECUTION,
        "Epochs between looks for lesions on every validation view, which give sensitivity, precision, false positives "
        "per image and average precision; the last epoch is then measured too. They change no weight. 0 = none.",
        limits=(0, 1000),
        unit="epochs",
    )
    seed: int = integer(0, "Seed", EXECUTION, "Start of every random choice of the run.", limits=(0, 2**31 - 1))
