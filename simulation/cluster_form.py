"""One cluster in three dimensions, which CC and MLO project.

The frame is that of the breast, in mm about the middle of the cluster: anterior (from the chest wall to the nipple),
lateral, cranial. With the chest wall on the left both views show the anterior axis along x; y runs downwards from
lateral (CC) or from cranial-lateral (MLO). Views are parallel projections of the same points: that the breast is
compressed in another direction for each view is not modelled, so that the spread across x of the second view is that
of the breast before it was compressed anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from imaging.pair import ViewPosition
from simulation.calcification import Calcification, draw_calcification
from simulation.cluster import WEDGE_HALF_ANGLE_DEG
from simulation.cluster_parameters import ClusterParameters, Morphology
from simulation.cluster_plan import ClusterPlan, particle_morphology
from simulation.errors import InvalidSettings
from simulation.particle import Body, Spheroid, Vector, turn_body

OBLIQUE_ANGLE_DEG = 45.0
# Compressed breast beyond which a cluster does not reach along the beam.
MAXIMUM_DEPTH_MM = 30.0


@dataclass(frozen=True)
class FormParticle:
    """One calcification in the frame of the breast.

    Attributes
    ----------
    position : tuple of float
        (anterior, lateral, cranial) in mm from the middle of the cluster.
    morphology, diameter_mm, aspect, density
        As `Calcification`.
    body : tuple of Spheroid
        In mm about `position`, in the same frame.
    """

    position: Vector
    morphology: Morphology
    diameter_mm: float
    aspect: float
    density: float
    body: Body


@dataclass(frozen=True)
class ClusterForm:
    """All calcifications of one cluster in the frame of the breast."""

    particles: tuple[FormParticle, ...]

    def project(
        self,
        view_position: ViewPosition,
        *,
        centre: tuple[float, float],
        spacing_mm: float,
        angle_deg: float = OBLIQUE_ANGLE_DEG,
    ) -> list[Calcification]:
        """The calcifications as one view shows them, in the order of the form.

        Parameters
        ----------
        view_position : {"CC", "MLO"}
        centre : tuple of float
            (x, y) of the middle of the cluster in continuous pixels, chest wall on the left.
        spacing_mm : float
        angle_deg : float
            Of the beam of MLO to that of CC.
        """
        axes = view_axes(view_position, angle_deg)
        shown = []
        for particle in self.particles:
            x, y, _ = axes @ particle.position / spacing_mm
            shown.append(
                Calcification(
                    float(centre[0] + x),
                    float(centre[1] + y),
                    particle.morphology,
                    particle.diameter_mm,
                    particle.aspect,
                    particle.density,
                    turn_body(particle.body, axes),
                )
            )
        return shown

    def to_json(self) -> list[dict[str, Any]]:
        """Plain values; each spheroid as [centre, axis, length, radius] in eight numbers."""
        return [
            {
                "position": list(particle.position),
                "morphology": particle.morphology,
                "diameter_mm": particle.diameter_mm,
                "aspect": particle.aspect,
                "density": particle.density,
                "body": [[*part.centre, *part.axis, part.length, part.radius] for part in particle.body],
            }
            for particle in self.particles
        ]

    @classmethod
    def from_json(cls, body: Sequence[Mapping[str, Any]]) -> ClusterForm:
        """Read what `to_json` wrote.

        Raises
        ------
        InvalidSettings
            If a particle is not complete.
        """
        try:
            return cls(tuple(_particle(one) for one in body))
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidSettings(f"form of a cluster: a calcification is incomplete or malformed ({error})") from error


def view_axes(view_position: ViewPosition, angle_deg: float = OBLIQUE_ANGLE_DEG) -> NDArray[np.float64]:
    """Image x, image y and beam in the frame (anterior, lateral, cranial); rows of a 3 x 3 rotation."""
    angle = np.deg2rad(angle_deg) if view_position == "MLO" else 0.0
    sine, cosine = float(np.sin(angle)), float(np.cos(angle))
    return np.array([[1.0, 0.0, 0.0], [0.0, -cosine, -sine], [0.0, sine, -cosine]])


def form_from_view(
    rng: np.random.Generator,
    plan: ClusterPlan,
    parameters: ClusterParameters,
    *,
    in_plane_mm: NDArray[np.float64],
    directions: NDArray[np.float64],
    view_position: ViewPosition,
    angle_deg: float = OBLIQUE_ANGLE_DEG,
) -> ClusterForm:
    """Give the places that one view fixes a depth, and each a body.

    Parameters
    ----------
    rng : numpy.random.Generator
    plan : ClusterPlan
        Its pattern shapes the cluster along the beam as well.
    parameters : ClusterParameters
        Class, sizes and morphologies.
    in_plane_mm : ndarray of float64, shape (n, 2)
        (x, y) in that view, in mm from any point; chest wall on the left.
    directions : ndarray of float64, shape (n,)
        Of linear forms in that view, in radians.
    view_position : {"CC", "MLO"}
    angle_deg : float
        Of MLO.
    """
    places = in_plane_mm - in_plane_mm.mean(0)
    depth = _depths(rng, places, plan)
    back = view_axes(view_position, angle_deg).T
    particles = []
    for (x, y), z, direction in zip(places, depth - depth.mean(), directions, strict=True):
        drawn = draw_calcification(
            rng,
            parameters.malignancy,
            x=0,
            y=0,
            morphology=particle_morphology(rng, plan, parameters.malignancy, parameters),
            comedo=plan.comedo,
            direction=float(direction),
            parameters=parameters,
        )
        position = back @ (x, y, z)
        particles.append(
            FormParticle(
                (float(position[0]), float(position[1]), float(position[2])),
                drawn.morphology,
                drawn.diameter_mm,
                drawn.aspect,
                drawn.density,
                turn_body(drawn.body, back),
            )
        )
    return ClusterForm(tuple(particles))


def draw_form(rng: np.random.Generator, plan: ClusterPlan, parameters: ClusterParameters) -> ClusterForm:
    """A cluster without a host: places are drawn inside the plan's pattern and laid out as a CC view shows them."""
    radius = plan.diameter_mm / 2
    share = (
        np.sqrt(rng.uniform(0, 1, plan.count)) if plan.pattern != "grouped" else rng.uniform(0, 1, plan.count) ** 0.7
    )
    turn = rng.uniform(0, 2 * np.pi, plan.count)
    places = radius * share[:, None] * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    directions = rng.uniform(0, np.pi, plan.count)
    if plan.pattern == "linear":
        axis = float(rng.uniform(0, np.pi))
        places[:, 0], places[:, 1] = rng.uniform(-radius, radius, plan.count), places[:, 1] / 5
        cosine, sine = np.cos(axis), np.sin(axis)
        places = places @ np.array([[cosine, sine], [-sine, cosine]])
        directions = np.full(plan.count, axis)
    elif plan.pattern == "segmental":  # a wedge whose tip points to the nipple, along x
        places[:, 0] = radius * (1 - 2 * np.sqrt(rng.uniform(0, 1, plan.count)))
        places[:, 1] = (
            (radius - places[:, 0]) * np.tan(np.deg2rad(WEDGE_HALF_ANGLE_DEG)) * rng.uniform(-1, 1, plan.count)
        )
        directions = np.arctan2(-places[:, 1], radius - places[:, 0])
    return form_from_view(rng, plan, parameters, in_plane_mm=places, directions=directions, view_position="CC")


def _depths(rng: np.random.Generator, places: NDArray[np.float64], plan: ClusterPlan) -> NDArray[np.float64]:
    """Places along the beam in mm: inside the ball around grouped and regional clusters, a tilted strand, a cone."""
    count = len(places)
    middle = (places.min(0) + places.max(0)) / 2
    apart = np.hypot(*(places - middle).T)
    radius = max(plan.diameter_mm / 2, float(apart.max()))
    if plan.pattern == "linear":
        axis = np.linalg.svd(places, full_matrices=False)[2][0]
        slope = float(np.tan(np.deg2rad(rng.uniform(-35, 35))))
        depth = slope * (places @ axis) + radius / 10 * rng.standard_normal(count)
    elif plan.pattern == "segmental":
        width = np.clip(places[:, 0].max() - places[:, 0], 0.1 * radius, None) * np.tan(
            np.deg2rad(WEDGE_HALF_ANGLE_DEG)
        )
        depth = width * rng.uniform(-1, 1, count)
    else:
        # the farthest place may lie outside the ball by a rounding error
        depth = np.sqrt(np.maximum(radius**2 - apart**2, 0)) * rng.uniform(-1, 1, count)
    return np.asarray(np.clip(depth, -MAXIMUM_DEPTH_MM / 2, MAXIMUM_DEPTH_MM / 2))


def _particle(body: Mapping[str, Any]) -> FormParticle:
    if body["morphology"] not in get_args(Morphology):
        raise ValueError(f"morphology {body['morphology']!r}")
    parts = []
    for part in body["body"]:
        a, b, c, u, v, w, length, radius = (float(value) for value in part)
        parts.append(Spheroid((a, b, c), (u, v, w), length, radius))
    x, y, z = (float(value) for value in body["position"])
    diameter, aspect, density = (float(body[name]) for name in ("diameter_mm", "aspect", "density"))
    return FormParticle((x, y, z), body["morphology"], diameter, aspect, density, tuple(parts))
