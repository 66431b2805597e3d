"""One cluster in three dimensions and its projections."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulation.calcification import Calcification, reach_px, render
from simulation.cluster_form import ClusterForm, draw_form, form_from_view, view_axes
from simulation.cluster_parameters import PARAMETERS
from simulation.cluster_plan import ClusterPlan, draw_plan
from simulation.errors import InvalidSettings
from simulation.placement import Placement

SPACING = 0.1
FINE = 0.03
CENTRE = (600.3, 599.6)
VIEWS = st.sampled_from(["CC", "MLO"])
PATTERNS = st.sampled_from(["grouped", "regional", "linear", "segmental"])


def made(seed: int, malignancy: str = "malignant") -> ClusterForm:
    rng = np.random.default_rng(seed)
    return draw_form(rng, draw_plan(rng, malignancy), PARAMETERS[malignancy])


def volume_mm3(particle: Calcification) -> float:
    """Of the thickness map on fine pixels: thin rods are three samples wide on those of the detector."""
    half = int(reach_px(particle, FINE)) + 3
    origin = (int(particle.y) - half, int(particle.x) - half)
    layer = render([particle], (2 * half + 1, 2 * half + 1), spacing_mm=FINE, attenuation_per_mm=1.0, origin=origin)
    return float(layer.thickness_um.sum(dtype=np.float64)) / 1000 * FINE**2


@given(seed=st.integers(0, 10_000), malignancy=st.sampled_from(["benign", "malignant"]), angle=st.floats(30, 60))
@settings(max_examples=25, deadline=None)
def test_both_views_show_the_same_calcifications(seed: int, malignancy: str, angle: float) -> None:
    form = made(seed, malignancy)
    above, oblique = (form.project(view, centre=CENTRE, spacing_mm=SPACING, angle_deg=angle) for view in ("CC", "MLO"))
    assert len(above) == len(oblique) == len(form.particles)
    # the axis from the chest wall to the nipple is common to both
    assert [one.x for one in above] == pytest.approx([one.x for one in oblique], abs=1e-9)
    for one, other in zip(above, oblique, strict=True):
        assert one.morphology == other.morphology
        assert one.density == other.density
        assert volume_mm3(one) == pytest.approx(volume_mm3(other), rel=0.02)
    for shown in (above, oblique):
        assert np.mean([(one.x, one.y) for one in shown], axis=0) == pytest.approx(CENTRE)


@given(seed=st.integers(0, 10_000), first=VIEWS, pattern=PATTERNS)
@settings(max_examples=40, deadline=None)
def test_the_view_that_a_form_was_made_from_shows_it_as_it_was(seed: int, first: str, pattern: str) -> None:
    rng = np.random.default_rng(seed)
    places = rng.uniform(-6, 6, (12, 2))
    form = form_from_view(
        rng,
        ClusterPlan(12, 17, pattern, "punctate", False),
        PARAMETERS["benign"],
        in_plane_mm=places,
        directions=np.zeros(12),
        view_position=first,
    )
    shown = form.project(first, centre=(0, 0), spacing_mm=1.0)
    assert np.array([(one.x, one.y) for one in shown]) == pytest.approx(places - places.mean(0))
    # whichever view came first, the other one has the same coordinate along the common axis
    other = form.project("CC" if first == "MLO" else "MLO", centre=(0, 0), spacing_mm=1.0)
    assert [one.x for one in other] == pytest.approx([one.x for one in shown])


@given(angle=st.floats(0, 90), view=VIEWS)
def test_view_axes_are_a_rotation_that_keeps_the_common_axis(angle: float, view: str) -> None:
    axes = view_axes(view, angle)
    assert axes @ axes.T == pytest.approx(np.eye(3))
    assert np.linalg.det(axes) == pytest.approx(1)
    assert axes[0].tolist() == [1, 0, 0]


def test_what_lies_laterally_is_up_in_cc_and_what_lies_above_is_up_in_mlo() -> None:
    lateral, cranial = np.array([0, 1.0, 0]), np.array([0, 0, 1.0])
    assert (view_axes("CC") @ lateral)[1] == pytest.approx(-1)
    assert (view_axes("CC") @ cranial)[1] == pytest.approx(0)
    assert (view_axes("MLO") @ cranial)[1] == pytest.approx(-np.sqrt(0.5))
    assert (view_axes("MLO", 90) @ lateral)[1] == pytest.approx(0)


@given(seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_a_form_survives_json(seed: int) -> None:
    form = made(seed)
    assert ClusterForm.from_json(json.loads(json.dumps(form.to_json()))) == form


def test_a_form_with_a_broken_calcification_is_refused() -> None:
    body = made(1).to_json()
    body[0]["morphology"] = "popcorn"
    with pytest.raises(InvalidSettings, match="popcorn"):
        ClusterForm.from_json(body)
    del body[0]["position"]
    with pytest.raises(InvalidSettings, match="malformed"):
        ClusterForm.from_json(body)


def test_a_mirrored_calcification_is_drawn_mirrored() -> None:
    for one in made(4).project("CC", centre=(60.3, 60.6), spacing_mm=0.4):
        shape = (120, 120)
        plain = render([one], shape, spacing_mm=0.4, attenuation_per_mm=1.0)
        turned = render([one.mirrored(120)], shape, spacing_mm=0.4, attenuation_per_mm=1.0)
        assert np.allclose(turned.tau[:, ::-1], plain.tau, atol=2e-3)


@pytest.mark.parametrize("pattern", ["grouped", "linear", "segmental"])
def test_a_form_is_as_deep_as_its_pattern_says(pattern: str) -> None:
    rng = np.random.default_rng(2)
    depth = []
    for _ in range(30):
        form = draw_form(rng, ClusterPlan(20, 16, pattern, "punctate", False), PARAMETERS["malignant"])
        depth.append(np.ptp([particle.position[2] for particle in form.particles]))
    assert max(depth) <= 17.5
    assert np.median(depth) > {"grouped": 8, "linear": 2, "segmental": 5}[pattern]


def test_placements_of_before_are_refused_with_the_way_out() -> None:
    with pytest.raises(InvalidSettings, match="first view of the lesion again"):
        Placement.from_json({"schema": "cemlab.placement/1", "nipple_distance_mm": 30.0})
