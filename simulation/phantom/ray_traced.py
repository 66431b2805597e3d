"""The oracle of the insertion: calcifications exposed together with the breast, through the phantom's whole chain.

Direct insertion changes a finished For-Presentation image. Here the same calcifications attenuate the beam before
scatter, detector and processing, with the same noise realisation, so that the two can be compared pixel by pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from imaging.pair import ViewPosition
from simulation.calcification import Calcification, render
from simulation.filters import Image
from simulation.phantom.acquisition import expose
from simulation.phantom.anatomy import Outline, draw_breast, outline
from simulation.phantom.patient import VENDOR, Site, Size, image_geometry
from simulation.phantom.presentation import low_energy_image
from simulation.phantom.tissue import Tissue, tissue
from simulation.randomness import generator
from simulation.vendor import PROFILES, VendorProfile


@dataclass(frozen=True, eq=False)
class Scene:
    """A lesion-free view before its exposure, chest wall at the left edge.

    Attributes
    ----------
    form : Outline
    tissue : Tissue
    profile : VendorProfile
    spacing_mm : float
    exposure_seed : int
        Of the quantum noise: the same in every exposure of the scene.
    """

    form: Outline
    tissue: Tissue
    profile: VendorProfile
    spacing_mm: float
    exposure_seed: int

    def low_energy(self, calcification_low: Image | None = None) -> NDArray[np.uint16]:
        """For-Presentation low-energy image, with this log attenuation of calcifications."""
        if calcification_low is None:
            calcification_low = np.zeros(self.form.mask.shape, np.float32)
        exposure = expose(
            self.tissue,
            self.form.thickness_cm,
            calcification_low,
            self.profile,
            self.spacing_mm,
            seed=self.exposure_seed,
        )
        return low_energy_image(exposure, self.form, self.profile, self.spacing_mm)


def phantom_scene(*, seed: int, site: Site, view: ViewPosition = "CC", size: Size = "full") -> Scene:
    """The scene that a phantom view is exposed from.

    Parameters
    ----------
    seed : int
    site : {"A", "B"}
    view : {"CC", "MLO"}
    size : {"full", "small", "test"}
    """
    shape, spacing = image_geometry(site, size)
    breast = draw_breast(seed)
    form = outline(breast, view, shape, spacing)
    filling = tissue(breast, form, view, spacing, seed=seed, side="L")
    noise = int(generator(seed, "exposure", "oracle", view).integers(2**62))
    return Scene(form, filling, PROFILES[VENDOR[site]], spacing, noise)


def ray_traced(scene: Scene, calcifications: Sequence[Calcification], *, packing: float) -> NDArray[np.uint16]:
    """The low-energy image of a scene that contains these calcifications.

    Parameters
    ----------
    scene : Scene
    calcifications : sequence of Calcification
        Completely inside the image.
    packing : float
        Attenuation as a share of solid hydroxyapatite.
    """
    layer = render(
        calcifications,
        (scene.form.mask.shape[0], scene.form.mask.shape[1]),
        spacing_mm=scene.spacing_mm,
        attenuation_per_mm=packing * scene.profile.hydroxyapatite_low,
    )
    return scene.low_energy(layer.tau)


def isolated_places(scene: Scene, count: int, rng: np.random.Generator, *, apart_mm: float = 4.4) -> NDArray[np.int64]:
    """Random (row, column) in the fully compressed breast, away from skin, edges and each other.

    Fewer than `count` where the breast is too small for them.
    """
    apart = round(apart_mm / scene.spacing_mm)
    thick = scene.form.thickness_cm >= 0.9 * scene.form.thickness_cm.max()
    inner = np.zeros(thick.shape, bool)
    inner[apart:-apart, apart:-apart] = True
    inner &= ndimage.uniform_filter(thick.astype(np.float32), 2 * apart + 1) > 0.999
    candidates = rng.permutation(np.argwhere(inner))[: 60 * count]
    chosen: list[NDArray[np.int64]] = []
    for place in candidates:
        if all(np.abs(place - other).max() >= apart for other in chosen):
            chosen.append(place)
            if len(chosen) == count:
                break
    return np.array(chosen).reshape(-1, 2)
