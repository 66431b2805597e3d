"""Single microcalcifications: outline, thickness and the attenuation they cast on the detector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from simulation.randomness import log_normal

Malignancy = Literal["benign", "malignant"]
Morphology = Literal["punctate", "amorphous", "coarse", "pleomorphic", "linear", "branching"]
SizePrior = Literal["s000", "comedo", "equal"]

SUPERSAMPLING = 8
# Probability of a morphology given the class: engineering prior from the BI-RADS predictive values.
MORPHOLOGIES: dict[Malignancy, tuple[tuple[Morphology, float], ...]] = {
    "benign": (("punctate", 0.40), ("amorphous", 0.35), ("coarse", 0.15), ("pleomorphic", 0.10)),
    "malignant": (("pleomorphic", 0.45), ("linear", 0.20), ("amorphous", 0.25), ("coarse", 0.10)),
}
_ASPECT: dict[Morphology, tuple[float, float]] = {
    "punctate": (1.0, 1.3),
    "amorphous": (1.0, 1.6),
    "coarse": (1.0, 2.0),
    "pleomorphic": (1.3, 3.0),
    "linear": (3.0, 8.0),
    "branching": (3.0, 6.0),
}


@dataclass(frozen=True)
class Calcification:
    """One calcification of a cluster.

    Attributes
    ----------
    x, y : float
        Centre in continuous image pixels.
    morphology : str
        BI-RADS term (punctate, amorphous, coarse heterogeneous, fine pleomorphic, fine linear, branching).
    diameter_mm : float
        Diameter of the circle of equal area, before enlargement for coarse pixels.
    aspect : float
        Length over width.
    angle : float
        Direction of the long axis in radians, from +x towards +y.
    depth : float
        Thickness over width of the particle.
    density : float
        Part of the full attenuation (amorphous particles are faint).
    lobes : tuple of (amplitude, phase)
        Radial Fourier terms k = 2..6 of the outline.
    """

    x: float
    y: float
    morphology: Morphology
    diameter_mm: float
    aspect: float
    angle: float
    depth: float
    density: float
    lobes: tuple[tuple[float, float], ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values for the record."""
        body = asdict(self)
        body["lobes"] = [list(lobe) for lobe in self.lobes]
        return body


@dataclass(frozen=True, eq=False)
class CalcificationLayer:
    """A set of calcifications drawn on the pixel grid.

    Attributes
    ----------
    tau : ndarray of float32, shape (rows, columns)
        Log attenuation of the primary beam, averaged over each pixel as transmission.
    thickness_um : ndarray of float32, shape (rows, columns)
        Mean particle thickness in each pixel in micrometres.
    support : ndarray of bool, shape (rows, columns)
        The 2D binary model: pixels that belong to a particle.
    """

    tau: NDArray[np.float32]
    thickness_um: NDArray[np.float32]
    support: NDArray[np.bool_]


def draw_calcification(
    rng: np.random.Generator,
    malignancy: Malignancy,
    *,
    x: float,
    y: float,
    morphology: Morphology,
    comedo: bool = False,
    size_prior: SizePrior = "s000",
    direction: float | None = None,
) -> Calcification:
    """Draw the form of one calcification.

    Malignant particles have the smaller median, the wider spread and the rougher outline (S000, section 2.2);
    `comedo` adds the second mode of 0.5-0.7 mm of comedo calcifications.

    Parameters
    ----------
    rng : numpy.random.Generator
    malignancy : {"benign", "malignant"}
    x, y : float
        Centre in continuous pixels.
    morphology : str
    comedo : bool
        Whether a third of the particles come from the second size mode.
    size_prior : {"s000", "comedo", "equal"}
        "s000": malignant smaller; "comedo": malignant larger; "equal": one size for both classes.
    direction : float, optional
        Long axis in radians for linear forms; random when None.
    """
    medians = {"s000": (0.36, 0.26), "comedo": (0.30, 0.42), "equal": (0.31, 0.31)}[size_prior]
    malignant = malignancy == "malignant"
    diameter = log_normal(rng, medians[malignant], 0.45 if malignant else 0.25, 0.12, 1.2)
    if comedo and rng.random() < 0.33:
        diameter = float(np.clip(rng.normal(0.6, 0.08), 0.12, 1.2))
    if morphology == "coarse":
        diameter = min(diameter * 1.6, 1.2)
    form: Morphology = "branching" if morphology == "linear" and rng.random() < 0.4 else morphology
    amplitude = 0.22 if malignant else 0.06
    lobes = tuple((amplitude / k, float(rng.uniform(0, 2 * np.pi))) for k in range(2, 7))
    jitter = float(rng.normal(0, 0.25))
    angle = float(rng.uniform(0, np.pi)) if direction is None else direction + jitter
    return Calcification(
        x=float(x),
        y=float(y),
        morphology=form,
        diameter_mm=diameter,
        aspect=float(rng.uniform(*_ASPECT[form])),
        angle=angle,
        depth=float(rng.uniform(0.6, 1.0)),
        density=float(rng.uniform(0.4, 0.6)) if form == "amorphous" else 1.0,
        lobes=lobes,
    )


def lateral_scale(spacing_mm: float) -> float:
    """Factor that keeps particles at least about two pixels wide on coarse pixels.

    1 up to 0.18 mm; above that particles keep the size in pixels that they have at 0.18 mm.
    """
    return max(1.0, spacing_mm / 0.18)


def thickness_scale(spacing_mm: float) -> float:
    """Factor on particle thickness for coarse pixels: that of `lateral_scale`.

    A particle keeps its contrast up to 0.18 mm. On coarser pixels the noise falls and anatomy takes over as what
    hides it, so that an image of reduced size needs thicker particles for the same visibility.
    """
    return lateral_scale(spacing_mm)


def render(
    calcifications: Sequence[Calcification],
    shape: tuple[int, int],
    *,
    spacing_mm: float,
    attenuation_per_mm: float,
    origin: tuple[int, int] = (0, 0),
) -> CalcificationLayer:
    """Draw calcifications, super-sampled eight times, and average their transmission over each pixel.

    Parameters
    ----------
    calcifications : sequence of Calcification
    shape : tuple of int
        (rows, columns) of the result.
    spacing_mm : float
        Pixel size.
    attenuation_per_mm : float
        Effective linear attenuation difference to tissue.
    origin : tuple of int
        (row, column) of the first pixel of the result in the image of the calcifications' coordinates.

    Raises
    ------
    ValueError
        If a calcification does not lie completely inside the result.
    """
    tau = np.zeros(shape, np.float32)
    thickness = np.zeros(shape, np.float32)
    support = np.zeros(shape, bool)
    scale = lateral_scale(spacing_mm)
    for particle in calcifications:
        fine, row, column = _fine_thickness(particle, spacing_mm, scale)
        row, column = row - origin[0], column - origin[1]
        n = fine.shape[0] // SUPERSAMPLING
        if row < 0 or column < 0 or row + n > shape[0] or column + n > shape[1]:
            raise ValueError("a calcification reaches beyond the region it is drawn into")
        blocks = fine.reshape(n, SUPERSAMPLING, n, SUPERSAMPLING)
        transmission = np.exp(-attenuation_per_mm * particle.density * blocks).mean((1, 3))
        coverage = (blocks > 0).mean((1, 3))
        patch = (slice(row, row + n), slice(column, column + n))
        cast = -np.log(transmission)
        if particle.morphology == "amorphous":
            cast = ndimage.gaussian_filter(cast, min(0.3 * scale / spacing_mm / 2, n / 6))
        tau[patch] += cast
        thickness[patch] += 1000 * blocks.mean((1, 3))
        support[patch] |= (coverage >= 0.25) | (coverage == coverage.max())
    return CalcificationLayer(tau, thickness, support)


def reach_px(calcification: Calcification, spacing_mm: float) -> float:
    """Radius in pixels of a square around the centre that holds the whole drawn particle."""
    length = calcification.diameter_mm * lateral_scale(spacing_mm) * np.sqrt(calcification.aspect)
    lobes = 1 + sum(amplitude for amplitude, _ in calcification.lobes)
    factor = 1.5 if calcification.morphology == "branching" else 1.0
    blur = 0.3 * lateral_scale(spacing_mm) if calcification.morphology == "amorphous" else 0.0
    return float((factor * length * lobes / 2 + blur) / spacing_mm + 2)


def _fine_thickness(particle: Calcification, spacing_mm: float, scale: float) -> tuple[NDArray[np.float32], int, int]:
    """Thickness in mm on the super-sampled grid, and the (row, column) of its first pixel."""
    half = int(np.ceil(reach_px(particle, spacing_mm)))
    row, column = int(np.floor(particle.y)) - half, int(np.floor(particle.x)) - half
    n = 2 * half + 1
    step = spacing_mm / SUPERSAMPLING
    y = ((np.arange(n * SUPERSAMPLING) + 0.5) / SUPERSAMPLING + row - particle.y)[:, None] * spacing_mm
    x = ((np.arange(n * SUPERSAMPLING) + 0.5) / SUPERSAMPLING + column - particle.x)[None, :] * spacing_mm
    major = particle.diameter_mm * scale * np.sqrt(particle.aspect) / 2
    minor = max(particle.diameter_mm * scale / np.sqrt(particle.aspect) / 2, step)
    peak = thickness_scale(spacing_mm) * particle.depth * particle.diameter_mm / np.sqrt(particle.aspect)
    thickness = _ellipsoid(x, y, major, minor, particle.angle, particle.lobes)
    if particle.morphology == "branching":
        turn = particle.angle + (0.7 if particle.lobes[0][1] < np.pi else -0.7)
        tip_x, tip_y = 0.3 * major * np.cos(particle.angle), 0.3 * major * np.sin(particle.angle)
        shift_x, shift_y = tip_x + 0.55 * major * np.cos(turn), tip_y + 0.55 * major * np.sin(turn)
        branch = _ellipsoid(x - shift_x, y - shift_y, 0.6 * major, minor, turn, particle.lobes)
        thickness = np.maximum(thickness, branch)
    return (peak * thickness).astype(np.float32), row, column


def _ellipsoid(x: NDArray[Any], y: NDArray[Any], major: float, minor: float, angle: float, lobes: Any) -> NDArray[Any]:
    """Relative thickness sqrt(1 - r^2) of an ellipsoid with a lobed outline."""
    u = x * np.cos(angle) + y * np.sin(angle)
    v = -x * np.sin(angle) + y * np.cos(angle)
    azimuth = np.arctan2(v, u)
    edge = 1 + sum(amplitude * np.cos(k * azimuth + phase) for k, (amplitude, phase) in enumerate(lobes, 2))
    squared = ((u / major) ** 2 + (v / minor) ** 2) / edge**2
    return np.asarray(np.sqrt(np.clip(1 - squared, 0, None)))
