"""Distributions measured on annotated lesions, which replace the priors of the simulation.

`fit_contrasts` measures the enhancement of outlined lesions in recombined images, `fit_clusters` the calcifications
inside outlined clusters of low-energy images. Both take plain arrays, so that files, the command line and the web
application go the same way; lesions that cannot be measured are refused with a reason, never guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from simulation.calcification import Malignancy
from simulation.cluster_measurement import MeasuredCluster, measure_cluster
from simulation.cluster_parameters import PARAMETERS, ClusterParameters
from simulation.contrast_to_noise import typical_contrast_to_noise
from simulation.enhancement import FORMS, Contrast, ContrastDistribution, ContrastForm, measure_enhancement
from simulation.errors import InvalidSettings
from simulation.realism.statistics import Estimate, Sample, estimate
from simulation.vendor import PROFILES

CONTRAST_SCHEMA = "cemlab.contrast-fit/1"
CLUSTER_SCHEMA = "cemlab.cluster-fit/1"
ENOUGH = 5
"""Measured lesions of a class; with fewer the prior stays."""
DETECTED_SHARE = 0.7
"""Measured over inserted number of calcifications in clusters inserted into full-size phantoms (benchmarks/realism.py).

The faintest are not found in any image, and a plan counts those too.
"""
FINE_MM = 0.15
"""On coarser pixels the width of a spot is that of the pixel and the blur: the prior keeps the particle diameter."""
CLASSES: tuple[Malignancy, ...] = get_args(Malignancy)


@dataclass(frozen=True, eq=False)
class AnnotatedLesion:
    """One outlined lesion on one image.

    Attributes
    ----------
    image : ndarray, shape (rows, columns)
        Recombined image for `fit_contrasts`, low-energy image for `fit_clusters`.
    mask : ndarray of bool, same shape
    patient : str
        Tells patients apart; never stored.
    malignancy : {"benign", "malignant"}
    name : str
        What a refusal calls the lesion.
    spacing_mm : float or None
        Needed by `fit_clusters`.
    vendor : str
        Profile key.
    """

    image: NDArray[Any]
    mask: NDArray[np.bool_]
    patient: str
    malignancy: Malignancy
    name: str
    spacing_mm: float | None = None
    vendor: str = "unknown"


@dataclass(frozen=True)
class Refused:
    """A lesion that could not be measured.

    Attributes
    ----------
    name, reason : str
    """

    name: str
    reason: str


@dataclass(frozen=True)
class ContrastFit:
    """Result of `fit_contrasts` for one class.

    Attributes
    ----------
    malignancy : {"benign", "malignant"}
    measured : tuple of Contrast
    patients : int
    median : Estimate or None
        Of the ratios, with its interval over patients; None without lesions.
    distributions : dict of str to ContrastDistribution
        For each form that could be fitted.
    reasons : dict of str to str
        Why a form was not fitted.
    """

    malignancy: Malignancy
    measured: tuple[Contrast, ...]
    patients: int
    median: Estimate | None
    distributions: dict[ContrastForm, ContrastDistribution]
    reasons: dict[ContrastForm, str]

    def distribution(self, form: ContrastForm = "ratio") -> ContrastDistribution:
        """Fitted distribution, or the prior where the ratio could not be fitted.

        Raises
        ------
        InvalidSettings
            If another form than the ratio was not fitted: there is no prior for it.
        """
        if form in self.distributions:
            return self.distributions[form]
        if form == "ratio":
            return ContrastDistribution.prior(self.malignancy)
        raise InvalidSettings(f"no {form} distribution of {self.malignancy} lesions: {self.reasons[form]}")

    def to_json(self, form: ContrastForm = "ratio") -> dict[str, Any]:
        """The distribution of one form with what it rests on; `ContrastDistribution.from_json` reads it."""
        return {
            **self.distribution(form).to_json(),
            "n": len(self.measured),
            "patients": self.patients,
            "median_ratio": None if self.median is None else asdict(self.median),
            "other_forms": {name: made.to_json() for name, made in self.distributions.items() if name != form},
            "not_fitted": dict(self.reasons),
        }


@dataclass(frozen=True)
class ClusterFit:
    """Result of `fit_clusters` for one class.

    Attributes
    ----------
    malignancy : {"benign", "malignant"}
    measured : tuple of MeasuredCluster
    patients : int
    parameters : ClusterParameters
        The prior where there are too few clusters.
    is_prior : bool
    medians : dict of str to Estimate
        Of what was measured, with intervals over patients.
    target_contrast_to_noise : float or None
        For the calibration `match`; None with fewer than ten calcifications.
    detected_share : float
        By which measured counts were divided.
    """

    malignancy: Malignancy
    measured: tuple[MeasuredCluster, ...]
    patients: int
    parameters: ClusterParameters
    is_prior: bool
    medians: dict[str, Estimate]
    target_contrast_to_noise: float | None
    detected_share: float

    def to_json(self) -> dict[str, Any]:
        """What the parameters rest on, plain values."""
        return {
            "prior": self.is_prior,
            "n": len(self.measured),
            "calcifications": sum(cluster.count for cluster in self.measured),
            "patients": self.patients,
            "medians": {name: asdict(value) for name, value in self.medians.items()},
            "target_contrast_to_noise": self.target_contrast_to_noise,
            "detected_share": self.detected_share,
        }


def fit_contrasts(lesions: Iterable[AnnotatedLesion]) -> tuple[dict[Malignancy, ContrastFit], list[Refused]]:
    """Measure the enhancement of outlined lesions and fit a distribution for each class.

    Parameters
    ----------
    lesions : iterable of AnnotatedLesion
        On recombined images; read one after the other, so that a generator keeps one image in memory.

    Returns
    -------
    fits : dict of ContrastFit
        For both classes.
    refused : list of Refused
    """
    measured: dict[Malignancy, list[tuple[Contrast, str]]] = {name: [] for name in CLASSES}
    refused = []
    for lesion in lesions:
        try:
            contrast = measure_enhancement(lesion.image, lesion.mask, PROFILES.get(lesion.vendor))
        except ValueError as error:
            # A lesion at the border of the breast has no ring to compare with.
            refused.append(Refused(lesion.name, str(error)))
            continue
        if contrast.ratio <= 0:
            refused.append(Refused(lesion.name, f"the contrast is {contrast.ratio:g}; a positive ratio is expected"))
            continue
        measured[lesion.malignancy].append((contrast, lesion.patient))
    return {name: _contrast_fit(name, values) for name, values in measured.items()}, refused


def fit_clusters(
    lesions: Iterable[AnnotatedLesion], *, detected_share: float = DETECTED_SHARE
) -> tuple[dict[Malignancy, ClusterFit], list[Refused]]:
    """Measure the calcifications inside outlined clusters and fit the cluster parameters of each class.

    Counts, diameters and particle diameters are taken as log-normal: median and standard deviation of the logarithms.

    Parameters
    ----------
    lesions : iterable of AnnotatedLesion
        On low-energy images, with pixel size.
    detected_share : float
        Share of the calcifications of a plan that the measurement finds; measured counts are divided by it.

    Returns
    -------
    fits : dict of ClusterFit
        For both classes.
    refused : list of Refused

    Raises
    ------
    InvalidSettings
        If `detected_share` is not within (0, 1].
    """
    if not 0 < detected_share <= 1:
        raise InvalidSettings(f"detected_share is {detected_share:g}; a share above 0 and at most 1 is expected")
    measured: dict[Malignancy, list[tuple[MeasuredCluster, str]]] = {name: [] for name in CLASSES}
    refused = []
    for lesion in lesions:
        if lesion.spacing_mm is None:
            refused.append(Refused(lesion.name, "no pixel size is stated"))
            continue
        profile = None if lesion.vendor == "unknown" else PROFILES.get(lesion.vendor)
        try:
            cluster = measure_cluster(lesion.image, lesion.mask, lesion.spacing_mm, profile)
        except ValueError as error:
            refused.append(Refused(lesion.name, str(error)))
            continue
        if cluster.count < 2:
            refused.append(Refused(lesion.name, f"{cluster.count} calcifications were found; a cluster has at least 2"))
            continue
        measured[lesion.malignancy].append((cluster, lesion.patient))
    return {name: _cluster_fit(name, values, detected_share) for name, values in measured.items()}, refused


def refined_target(target: float, real: float, synthetic: float) -> float:
    """Target of the calibration `match` for a second round.

    The detector finds the stronger calcifications, on real images and on synthetic ones; a target measured on found
    ones therefore makes inserted ones too strong. Contrast is proportional to the target.

    Parameters
    ----------
    target : float
        Of the first round.
    real, synthetic : float
        Median contrast-to-noise ratio of the calcifications that were found on real images, and on those of the round.

    Raises
    ------
    InvalidSettings
        If one of them is not a positive number.
    """
    if not all(np.isfinite(value) and value > 0 for value in (target, real, synthetic)):
        raise InvalidSettings("target and measured contrast-to-noise ratios must be positive numbers")
    return target * real / synthetic


def _contrast_fit(malignancy: Malignancy, measured: Sequence[tuple[Contrast, str]]) -> ContrastFit:
    distributions: dict[ContrastForm, ContrastDistribution] = {}
    reasons: dict[ContrastForm, str] = {}
    for form in FORMS:
        values = [value for contrast, _ in measured if (value := contrast.value(form)) is not None]
        if len(values) >= ENOUGH:
            distributions[form] = ContrastDistribution.fit(values, malignancy, form=form)
        elif form == "iodine" and len(measured) >= ENOUGH:
            reasons[form] = next(contrast.iodine_reason for contrast, _ in measured if contrast.iodine_reason)
        else:
            reasons[form] = f"{len(values)} {malignancy} lesions could be measured; at least {ENOUGH} are needed"
    names = [patient for _, patient in measured]
    return ContrastFit(
        malignancy,
        tuple(contrast for contrast, _ in measured),
        len(set(names)),
        _median([contrast.ratio for contrast, _ in measured], names),
        distributions,
        reasons,
    )


def _cluster_fit(
    malignancy: Malignancy, measured: Sequence[tuple[MeasuredCluster, str]], detected_share: float
) -> ClusterFit:
    clusters = [cluster for cluster, _ in measured]
    names = [patient for _, patient in measured]
    spots = [(spot, patient) for cluster, patient in measured for spot in cluster.spots]
    samples: dict[str, tuple[list[float], list[str]]] = {
        "count": ([float(cluster.count) for cluster in clusters], names),
        "diameter_mm": ([cluster.diameter_mm for cluster in clusters], names),
        "nearest_mm": (
            [distance for cluster in clusters for distance in cluster.nearest_mm],
            [patient for cluster, patient in measured for _ in cluster.nearest_mm],
        ),
        "particle_diameter_mm": ([spot.diameter_mm for spot, _ in spots], [patient for _, patient in spots]),
        "contrast_to_noise": ([spot.contrast_to_noise for spot, _ in spots], [patient for _, patient in spots]),
    }
    medians = {key: value for key, pair in samples.items() if (value := _median(*pair)) is not None}
    parameters = PARAMETERS[malignancy]
    enough = len(clusters) >= ENOUGH
    if enough:
        count, count_sigma = _log_normal(samples["count"][0])
        diameter, diameter_sigma = _log_normal(samples["diameter_mm"][0])
        parameters = replace(
            parameters,
            count_median=count / detected_share,
            count_sigma=count_sigma,
            diameter_median_mm=diameter,
            diameter_sigma=diameter_sigma,
            source=f"measured on {len(clusters)} clusters of {len(set(names))} patients",
        )
    if enough and max(cluster.spacing_mm for cluster in clusters) <= FINE_MM:
        particle, particle_sigma = _log_normal(samples["particle_diameter_mm"][0])
        parameters = replace(parameters, particle_median_mm=particle, particle_sigma=particle_sigma)
    ratios = samples["contrast_to_noise"][0]
    try:
        target = typical_contrast_to_noise(ratios)
    except InvalidSettings:
        target = None
    return ClusterFit(
        malignancy, tuple(clusters), len(set(names)), parameters, not enough, medians, target, detected_share
    )


def _median(values: Sequence[float], patients: Sequence[str]) -> Estimate | None:
    if not values:
        return None
    return estimate(lambda numbers: float(np.median(numbers)), Sample.of(values, patients))


def _log_normal(values: Sequence[float]) -> tuple[float, float]:
    """(median, standard deviation of the logarithm); at least 0.05, because a class is never one value."""
    logs = np.log(values)
    return float(np.exp(np.median(logs))), max(float(np.std(logs, ddof=1)), 0.05)
