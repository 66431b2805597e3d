"""First questions to a host's pixels: which side, where is the breast, do the two images fit, are they saturated."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from imaging import errors as imaging_errors
from imaging.breast import breast_mask, chest_wall_contact
from imaging.pair import CEMPair, Side
from simulation.errors import (
    BreastNotFound,
    ConflictingLaterality,
    InvertedImage,
    MisregisteredPair,
    SaturatedImage,
)
from simulation.registration import measure_shift
from simulation.settings import SimulationSettings

Mask = NDArray[np.bool_]

# One edge must carry this many times the other's tissue before the pixels may contradict the header.
_CLEAR_SIDE = 2.5
_COARSE_SIDE = 300
_WINDOWED = 0.85
_OUTLINES_AGREE = 0.8
_MUCH_WHITE, _LITTLE_BLACK = 0.4, 0.1
_SOLID = 0.85
_AREA_SHARE = (0.15, 0.75)


def find_side(pair: CEMPair) -> Side:
    """Side of the chest wall, from the pixels where they are clear.

    Raises
    ------
    InvertedImage, BreastNotFound
    ConflictingLaterality
        If pixels and Patient Orientation (else laterality) contradict each other.
    """
    step = max(1, min(pair.shape) // _COARSE_SIDE)
    coarse = pair.low_energy[::step, ::step]
    _refuse_inverted(coarse)
    left, right = chest_wall_contact(_breast(coarse))
    stated: Side = pair.facts.chest_wall or ("left" if pair.laterality == "L" else "right")
    seen: Side = "left" if left >= right else "right"
    if max(left, right) < _CLEAR_SIDE * min(left, right):
        return stated
    if seen != stated:
        source = "Patient Orientation" if pair.facts.chest_wall else f"laterality {pair.laterality}"
        raise ConflictingLaterality(
            f"the chest wall lies on the {seen} of the picture, {source} puts it on the {stated}; correct the "
            "laterality of the view, or mirror the images"
        )
    return seen


def find_breast(low_energy: NDArray[Any], recombined: NDArray[Any], spacing_mm: float) -> tuple[Mask, list[str]]:
    """Mask of the breast at the working scale, and what to note.

    Where a narrow display window has blackened the fat of the low-energy image, what is left is a ragged part of the
    breast; then the outline of the recombined image is taken.
    """
    notes = []
    mask = _breast(low_energy)
    solidity = _solidity(mask)
    if solidity < _SOLID:
        try:
            other = breast_mask(recombined)
        except imaging_errors.BreastNotFound:
            other = mask
        within = (mask & other).sum() > 0.95 * mask.sum()
        if within and mask.sum() < _WINDOWED * other.sum() and _solidity(other) >= _SOLID:
            mask = mask | other
            solidity = _solidity(mask)
            notes.append("breast outlined on the recombined image: the low-energy image is windowed")
    share = float(mask.mean())
    if not _AREA_SHARE[0] <= share <= _AREA_SHARE[1]:
        notes.append(
            f"the breast covers {share:.0%} of the picture; {_AREA_SHARE[0]:.0%} to {_AREA_SHARE[1]:.0%} is usual"
        )
    if solidity < _SOLID:
        notes.append(f"outline of the breast is notched (solidity {solidity:.2f}, usual from {_SOLID})")
    return mask, notes


def require_registered(
    pair: CEMPair,
    low_energy: NDArray[Any],
    recombined: NDArray[Any],
    breast: Mask,
    spacing_mm: float,
    step: int,
    settings: SimulationSettings,
) -> list[str]:
    """Refuse a shifted pair; returns what to note.

    Parameters
    ----------
    pair : CEMPair
    low_energy, recombined : ndarray of float32
        At the working scale.
    breast : ndarray of bool
    spacing_mm : float
        Of the working scale.
    step : int
        Full pixels along one of the working scale.
    settings : SimulationSettings

    Raises
    ------
    MisregisteredPair
        If the shift is certain and too large, or if neither structures nor outlines agree.
    """
    shift = measure_shift(low_energy, recombined, breast, spacing_mm)
    if not shift.certain:
        try:
            other = breast_mask(recombined)
        except imaging_errors.BreastNotFound:
            return ["registration of the pair could not be measured"]
        agreement = 2 * float((breast & other).sum()) / float(breast.sum() + other.sum())
        if agreement < _OUTLINES_AGREE:
            raise MisregisteredPair(
                f"the two images show no common structure and their breast outlines agree to {agreement:.0%} only "
                f"(at least {_OUTLINES_AGREE:.0%}); check that they are of one exposure"
            )
        return ["registration of the pair could not be measured; the outlines agree"]
    distance = shift.distance * step
    limit = settings.maximum_shift_px
    picture = pair.bits_stored <= 8
    if picture:
        limit = max(limit, settings.maximum_picture_shift_mm / spacing_mm * step)
    if distance > limit:
        raise MisregisteredPair(
            f"the recombined image is shifted by {distance:.1f} pixels ({shift.x * step:+.1f} right, "
            f"{shift.y * step:+.1f} down) against the low-energy image; at most {limit:.1f} are accepted. Give the "
            "images of one exposure, as the system exported them"
        )
    if picture and distance > settings.maximum_shift_px:
        return [f"the pictures are shifted by {distance:.1f} pixels against each other"]
    return []


def refuse_saturated(low_energy: NDArray[Any], breast: Mask, maximum: int, most: float) -> Mask:
    """Areas at the ends of the value range; single pixels do no harm and are left out.

    Raises
    ------
    SaturatedImage
        If more than `most` of the breast is.
    """
    saturated = breast & ((low_energy >= maximum - 1) | (low_energy <= 1))
    share = float(np.count_nonzero(saturated) / np.count_nonzero(breast))
    if share > most:
        raise SaturatedImage(
            f"{share:.0%} of the breast is at the ends of the value range; at most {most:.0%} is accepted. Give the "
            "image with its full range of grey values"
        )
    opened = cv2.morphologyEx(saturated.view(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    return np.asarray(opened > 0)


def _breast(image: NDArray[Any]) -> Mask:
    try:
        return breast_mask(image)
    except imaging_errors.BreastNotFound as error:
        raise BreastNotFound(str(error)) from error


def _refuse_inverted(image: NDArray[Any]) -> None:
    """Air surrounds a breast on three sides; where much of the border is white and none of it black, it is swapped."""
    frame = np.concatenate([image[:3].ravel(), image[-3:].ravel(), image[:, :3].ravel(), image[:, -3:].ravel()])
    low, high = float(image.min()), float(image.max())
    white, black = (
        float((part < 0.05 * max(high - low, 1)).mean()) for part in (high - frame.astype(float), frame - low)
    )
    if white > _MUCH_WHITE and black < _LITTLE_BLACK:
        raise InvertedImage(
            "air is brighter than the breast: black and white are swapped, or the header is wrong about them "
            "(MONOCHROME1 or 2, 0028,0004). Export the image again"
        )


def _solidity(mask: Mask) -> float:
    """Area by the area of the convex hull."""
    contours, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    hull = cv2.convexHull(np.concatenate(contours))
    return float(mask.sum()) / max(float(cv2.contourArea(hull)), 1.0)
