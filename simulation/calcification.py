"""Single microcalcifications in an image: binary model, thickness and the attenuation they cast on the detector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulation.cluster_parameters import (
    PARAMETERS,
    PARTICLE_RANGE_MM,
    ClusterParameters,
    Malignancy,
    Morphology,
    SizePrior,
)
from simulation.particle import Body, Spheroid, column_lengths, draw_body, half_extent, hazy, turn_body
from simulation.randomness import log_normal

SUPERSAMPLING = 8


@dataclass(frozen=True)
class Calcification:
    """One calcification of a cluster as one view shows it.

    Attributes
    ----------
    x, y : float
        Centre in continuous image pixels.
    morphology : str
        BI-RADS term (punctate, amorphous, coarse heterogeneous, fine pleomorphic, fine linear, branching).
    diameter_mm : float
        Diameter of the circle of the area that it covers in the view it was drawn for, before enlargement for coarse
        pixels; of an amorphous one before its blur.
    aspect : float
        Length over width of its core.
    density : float
        Part of the full attenuation: porous, and much less for the haze of amorphous ones.
    body : tuple of Spheroid
        In mm about the centre: image x, image y, along the beam.
    """

    x: float
    y: float
    morphology: Morphology
    diameter_mm: float
    aspect: float
    density: float
    body: Body

    @property
    def soft(self) -> bool:
        """Whether it is a haze without a border."""
        return self.morphology == "amorphous"

    @property
    def angle(self) -> float:
        """Direction of the long axis in the image in radians, from +x towards +y, within [0, pi)."""
        return float(np.arctan2(self.body[0].axis[1], self.body[0].axis[0]) % np.pi)

    def turned(self, angle: float) -> Calcification:
        """Turned in the image by that angle in radians, from +x towards +y."""
        cosine, sine = float(np.cos(angle)), float(np.sin(angle))
        rotation = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
        return replace(self, body=turn_body(self.body, rotation))

    def mirrored(self, columns: int) -> Calcification:
        """As it lies in the mirrored image of that many columns."""
        return replace(self, x=columns - self.x, body=tuple(_mirrored(part) for part in self.body))

    def to_json(self) -> dict[str, Any]:
        """Plain values for the record; the body is part of the cluster's form in the placement."""
        return {
            "x": self.x,
            "y": self.y,
            "morphology": self.morphology,
            "diameter_mm": self.diameter_mm,
            "aspect": self.aspect,
            "angle": self.angle,
            "density": self.density,
        }


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
    parameters: ClusterParameters | None = None,
) -> Calcification:
    """Draw one calcification in three dimensions and see it along its third axis.

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
        "s000": malignant smaller; "comedo": malignant larger; "equal": one size for both classes. Without effect when
        `parameters` are given.
    direction : float, optional
        Long axis in radians; random when None.
    parameters : ClusterParameters, optional
        Sizes of the class; those of the prior when None.
    """
    sizes = parameters or PARAMETERS[malignancy].with_sizes(size_prior)
    diameter = log_normal(rng, sizes.particle_median_mm, sizes.particle_sigma, *PARTICLE_RANGE_MM)
    if comedo and rng.random() < 0.33:
        diameter = float(np.clip(rng.normal(0.6, 0.08), *PARTICLE_RANGE_MM))
    if morphology == "coarse":
        diameter = min(diameter * 1.6, PARTICLE_RANGE_MM[1])
    form: Morphology = "branching" if morphology == "linear" and rng.random() < 0.4 else morphology
    body, aspect = draw_body(rng, malignancy, form, diameter, direction)
    density = float(rng.uniform(0.6, 1.0))
    if form == "amorphous":
        # 40 to 60 % of the contrast that the solid core would have
        core, body = body[0], hazy(body)
        density = float(rng.uniform(0.4, 0.6)) * 1.5 * core.radius / body[0].radius
    return Calcification(float(x), float(y), form, diameter, aspect, density, body)


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
    for particle in calcifications:
        row, column = int(np.floor(particle.y)), int(np.floor(particle.x))
        blocks, down, right = _fine_thickness(
            particle.body, particle.soft, particle.x - column, particle.y - row, spacing_mm
        )
        top, left = row + down - origin[0], column + right - origin[1]
        rows, columns = blocks.shape[:2]
        if top < 0 or left < 0 or top + rows > shape[0] or left + columns > shape[1]:
            raise ValueError("a calcification reaches beyond the region it is drawn into")
        # the border of a haze is where it falls to a quarter of its peak
        coverage = (blocks > (0.25 * blocks.max() if particle.soft else 0)).mean(2)
        patch = (slice(top, top + rows), slice(left, left + columns))
        tau[patch] -= np.log(np.exp(np.float32(-attenuation_per_mm * particle.density) * blocks).mean(2))
        thickness[patch] += 1000 * blocks.mean(2)
        support[patch] |= (coverage >= 0.25) | (coverage == coverage.max())
    return CalcificationLayer(tau, thickness, support)


def reach_px(calcification: Calcification, spacing_mm: float) -> float:
    """Radius in pixels of a square around the centre that holds the whole drawn particle."""
    extent = half_extent(calcification.body)[:, :2]
    return float(np.abs(extent).max()) * lateral_scale(spacing_mm) / spacing_mm + 1


@lru_cache(maxsize=256)
def _fine_thickness(
    body: Body, soft: bool, x: float, y: float, spacing_mm: float
) -> tuple[NDArray[np.float32], int, int]:
    """Thickness in mm of a body at (x, y) in its pixel on the super-sampled grid.

    Kept, because an insertion that is repeated with less packing draws the same bodies again.

    Returns
    -------
    blocks : ndarray of float32, shape (rows, columns, samples of a pixel), read-only
    row, column : int
        Of the first pixel, from the pixel of the centre.
    """
    scale = lateral_scale(spacing_mm) / spacing_mm
    (x0, y0, _), (x1, y1, _) = half_extent(body) * scale
    left, right = int(np.floor(x + x0)), int(np.floor(x + x1)) + 1
    top, bottom = int(np.floor(y + y0)), int(np.floor(y + y1)) + 1
    rows, columns = bottom - top, right - left
    across = ((np.arange(columns * SUPERSAMPLING) + 0.5) / SUPERSAMPLING + left - x) / scale
    along = ((np.arange(rows * SUPERSAMPLING) + 0.5) / SUPERSAMPLING + top - y) / scale
    fine = column_lengths(body, across[None, :], along[:, None], soft=soft) * np.float32(thickness_scale(spacing_mm))
    pixels = fine.reshape(rows, SUPERSAMPLING, columns, SUPERSAMPLING).transpose(0, 2, 1, 3)
    blocks = np.ascontiguousarray(pixels).reshape(rows, columns, -1)
    blocks.setflags(write=False)
    return blocks, top, left


def _mirrored(part: Spheroid) -> Spheroid:
    (x, y, z), (a, b, c) = part.centre, part.axis
    return replace(part, centre=(-x, y, z), axis=(-a, b, c))
