"""What is found out about a host once and serves every further variant of it.

Gate, breast, permitted area, grid, texture of all cells and calibration depend on the host and on a part of the
settings only: not on seed, class or variant. They take most of the time of a case.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.pair import CEMPair
from simulation.calibration import Calibration, calibrate
from simulation.errors import BreastTooSmall, InvalidSettings
from simulation.host import Host, prepare_host
from simulation.provenance import json_sha256, pixels_sha256, source_sha256
from simulation.settings import SimulationSettings
from simulation.texture import CellFeatures, cell_features

# Settings that act after the analysis; every other one, also a future one, makes it another analysis.
_LATER = frozenset(
    {
        "site_selection",
        "best_fraction",
        "best_minimum",
        "temperature",
        "cells_tried",
        "attempts_per_cell",
        "size_prior",
        "packing_low",
        "packing_high",
        "noise_consistency",
        "mask_enlargement",
        "mask_dilation_mm",
        "blend",
        "smoothing_px",
        "enhancement_heterogeneity",
        "rim_probability",
        "rc_calc_residual",
        "two_view_tolerance_mm",
        "oblique_angle_deg",
        "insertion",
    }
)


@dataclass(frozen=True, eq=False)
class AnalysedHost:
    """A host with all that its variants share.

    Attributes
    ----------
    pair : CEMPair
        As given.
    exclusion : ndarray of bool or None
        As given.
    host : Host
    calibration : Calibration
    features : CellFeatures
    lesion_free : bool
        Whether it was asserted.
    host_sha256 : str
        Of the pixels of `pair`.
    features_sha256 : str
    key : str
        Hash of all that the analysis depends on: pixels, facts, exclusion, settings and source code.
    """

    pair: CEMPair
    exclusion: NDArray[np.bool_] | None
    host: Host
    calibration: Calibration
    features: CellFeatures
    lesion_free: bool
    host_sha256: str
    features_sha256: str
    key: str

    def serves(
        self,
        pair: CEMPair,
        *,
        lesion_free: bool,
        exclusion: NDArray[np.bool_] | None,
        settings: SimulationSettings,
    ) -> bool:
        """Whether this is the analysis of that host under those settings."""
        if pair is self.pair and exclusion is self.exclusion:  # the usual case, without reading every pixel
            sha256 = self.host_sha256
        else:
            sha256 = pixels_sha256(pair.low_energy, pair.recombined)
        return self.key == _key(pair, sha256, lesion_free, exclusion, settings)


def analyse_host(
    pair: CEMPair,
    *,
    lesion_free: bool,
    exclusion: NDArray[np.bool_] | None = None,
    settings: SimulationSettings | None = None,
) -> AnalysedHost:
    """Check a host and measure what its variants share.

    Parameters
    ----------
    pair : CEMPair
    lesion_free : bool
        Whether the caller asserts that the host has no lesion.
    exclusion : ndarray of bool, shape (rows, columns), optional
    settings : SimulationSettings, optional

    Raises
    ------
    SimulationError
        One of the refusals of the input gate, or of the calibration.
    """
    settings = settings or SimulationSettings()
    host = prepare_host(pair, lesion_free=lesion_free, exclusion=exclusion, settings=settings)
    try:
        calibration = calibrate(
            host.low_energy,
            host.breast,
            host.maximum,
            host.profile,
            host.spacing_mm,
            kind=settings.calibration,
            target=settings.target_contrast_to_noise or None,
        )
    except ValueError as error:
        raise (InvalidSettings if settings.calibration in ("lut", "match") else BreastTooSmall)(str(error)) from error
    features = cell_features(host.low_energy, [cell.box for cell in host.cells], bin_count=settings.bin_count)
    sha256 = pixels_sha256(pair.low_energy, pair.recombined) if host.flipped else host.sha256
    key = _key(pair, sha256, lesion_free, exclusion, settings)
    features_sha256 = pixels_sha256(features.values)
    return AnalysedHost(pair, exclusion, host, calibration, features, lesion_free, sha256, features_sha256, key)


class HostCache:
    """The last few analysed hosts of this process, by names that the caller gives.

    Parameters
    ----------
    size : int
        A full-size host takes about 80 MB.
    """

    def __init__(self, size: int = 4) -> None:
        self.size = size
        self._kept: OrderedDict[Hashable, AnalysedHost] = OrderedDict()

    def get(self, name: Hashable, analyse: Callable[[], AnalysedHost]) -> AnalysedHost:
        """The host of that name; `analyse` makes it when it is not kept. Refusals pass and are not kept.

        The name must tell everything apart that changes: the files, the exclusion and the settings.
        """
        found = self._kept.pop(name, None) or analyse()
        self._kept[name] = found
        while len(self._kept) > self.size:
            self._kept.popitem(last=False)
        return found


def _key(
    pair: CEMPair,
    sha256: str,
    lesion_free: bool,
    exclusion: NDArray[np.bool_] | None,
    settings: SimulationSettings,
) -> str:
    facts: dict[str, Any] = {
        "pixels": sha256,
        "laterality": pair.laterality,
        "view_position": pair.view_position,
        "spacing_mm": list(pair.spacing_mm) if pair.spacing_mm else None,
        "bits_stored": pair.bits_stored,
        "vendor": pair.vendor,
        "header": asdict(pair.facts),
        "lesion_free": lesion_free,
        "exclusion": None if exclusion is None else pixels_sha256(np.packbits(exclusion)),
        "settings": {name: value for name, value in settings.to_json().items() if name not in _LATER},
        "source": source_sha256(),
    }
    return json_sha256(facts)
