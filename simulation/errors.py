"""Why a simulation could not be made: every refusal has its own type, a reason and a way out."""

from __future__ import annotations


class SimulationError(Exception):
    """Base of every refusal.

    Attributes
    ----------
    code : str
        Stable short name for records and interfaces, for example ``"no-suitable-cell"``.
    """

    code = "simulation-error"


class UnusableInput(SimulationError):
    """The pair cannot be a host: wrong kind of pixels, saturated, or not what it says it is."""

    code = "unusable-input"


class AlreadySynthetic(UnusableInput):
    """The host is itself a synthetic view."""

    code = "already-synthetic"


class SaturatedImage(UnusableInput):
    """Too much of the breast lies at the ends of the value range to carry an inserted contrast."""

    code = "saturated-image"


class UnsuitableView(UnusableInput):
    """The file is no whole-breast view: spot, magnification, specimen, biopsy, tomosynthesis, raw, another view."""

    code = "unsuitable-view"


class WrongImageKind(UnusableInput):
    """The file given as low-energy or recombined is, by its header, something else."""

    code = "wrong-image-kind"


class ViewNotStated(UnusableInput):
    """Neither the caller nor a file says which breast or which view it is, and the pixels do not tell."""

    code = "view-not-stated"


class ConflictingLaterality(UnusableInput):
    """The breast lies on the other side of the picture than header or laterality say."""

    code = "conflicting-laterality"


class InvertedImage(UnusableInput):
    """Air is brighter than the breast, or the header contradicts itself on black and white."""

    code = "inverted-image"


class MismatchedPair(UnusableInput):
    """The two images are not of one view: size, study, laterality or view differ."""

    code = "mismatched-pair"


class MisregisteredPair(UnusableInput):
    """The recombined image is shifted against the low-energy image."""

    code = "misregistered-pair"


class ImplantPresent(UnusableInput):
    """The breast has an implant."""

    code = "implant-present"


class AlreadyCalcified(SimulationError):
    """Bright spots like calcifications cover most of the permitted area."""

    code = "already-calcified"


class LesionFreeNotAsserted(SimulationError):
    """Nobody stated that the host is lesion-free and no exclusion mask was given."""

    code = "lesion-free-not-asserted"


class BreastNotFound(SimulationError):
    """No breast could be outlined on the low-energy image."""

    code = "breast-not-found"


class BreastTooSmall(SimulationError):
    """The permitted area holds too few cells to choose from."""

    code = "breast-too-small"


class NoSuitableCell(SimulationError):
    """Every ranked cell was tried and none accepted a cluster."""

    code = "no-suitable-cell"


class NoMatchingPlacement(SimulationError):
    """No cell of this view lies at the nipple distance of the partner view."""

    code = "no-matching-placement"


class InsertionRejected(SimulationError):
    """The inserted cluster failed its own checks (contrast, clipping) in every attempt."""

    code = "insertion-rejected"


class InvalidSettings(SimulationError):
    """A setting or a stored record does not have the form it must have."""

    code = "invalid-settings"


class UnusableCells(SimulationError, ValueError):
    """Texture cannot be measured: no plane of finite numbers, cells outside of it, or impossible bins."""

    code = "unusable-cells"


class TooFewRealClusters(SimulationError, ValueError):
    """Too few cells with real clusters, or too few patients, to learn where clusters lie."""

    code = "too-few-real-clusters"


class InvalidHostList(SimulationError):
    """A list or folder of hosts for a batch cannot be used as it is."""

    code = "invalid-host-list"


class BatchMismatch(SimulationError):
    """The folder holds another batch, or another process works on it."""

    code = "batch-mismatch"


class UnreadableLesions(SimulationError):
    """A list of annotated lesions, or one of its lesions, cannot be read."""

    code = "unreadable-lesions"


class TooFewLesions(SimulationError):
    """A side of a comparison, or a class of a fit, has too few lesions to say anything."""

    code = "too-few-lesions"
