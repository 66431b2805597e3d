"""Display windows and tables of a DICOM image, turned into units of the decoded pixels (PS3.3 C.11.2)."""

from __future__ import annotations

import math
from itertools import zip_longest
from typing import cast

import numpy as np
from pydicom.dataset import Dataset

from imaging.attributes import VALUE_ERRORS, items, numbers, text, texts, value
from imaging.stored_image import VoiFunction, VoiLut, VoiWindow

_LARGEST_TABLE = 65_536


def voi_windows(dataset: Dataset, bits_stored: int, *, inverted: bool, offset: int = 0) -> tuple[VoiWindow, ...]:
    """Windows of the VOI LUT module.

    Parameters
    ----------
    dataset : pydicom.Dataset
    bits_stored : int
    inverted : bool
        Whether the decoded pixels are ``2**bits_stored − 1 −`` stored value (MONOCHROME1).
    offset : int
        What decoding added to signed values.

    Returns
    -------
    tuple of VoiWindow
        In units of the decoded pixels; empty when the file gives none.
    """
    centres, widths = numbers(dataset, "WindowCenter"), numbers(dataset, "WindowWidth")
    names = [str(item) for item in texts(dataset, "WindowCenterWidthExplanation")]
    function = text(dataset, "VOILUTFunction").upper() or "LINEAR"
    if function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        function = "LINEAR"
    slope, intercept = _modality(dataset)
    result = []
    for centre, width, name in zip_longest(centres, widths, names[: len(centres)]):
        if centre is None or width is None or width <= 0:
            continue
        stored = (centre - intercept) / slope + offset
        if inverted:
            # LINEAR is not symmetric: its middle lies at centre − 0.5 (PS3.3 C.11.2.1.2.1).
            stored = 2**bits_stored - 1 - stored + (1 if function == "LINEAR" else 0)
        width = width / abs(slope)
        if not (math.isfinite(stored) and math.isfinite(width)):
            continue  # a slope of almost nothing
        result.append(VoiWindow(stored, width, cast(VoiFunction, function), name or ""))
    return tuple(result)


def voi_luts(dataset: Dataset, bits_stored: int, *, inverted: bool, offset: int = 0) -> tuple[VoiLut, ...]:
    """Tables of the VOI LUT Sequence (0028,3010), in units of the decoded pixels; unusable ones are left out."""
    slope, intercept = _modality(dataset)
    if slope != 1:
        return ()  # a table indexed by rescaled values has no whole-number steps in stored values
    result = []
    for item in items(dataset, "VOILUTSequence"):
        descriptor = numbers(item, "LUTDescriptor")
        if len(descriptor) != 3:
            continue
        length = int(descriptor[0]) or _LARGEST_TABLE
        table = _table(item, length)
        if table is None:
            continue
        bits = int(descriptor[2])
        # Some systems state 16 bits and use 12: the largest entry tells what white is.
        white = float(2**bits - 1) if table.max() > 2 ** (bits - 1) else float(max(1, table.max()))
        brightness = (table / white).clip(0, 1).astype(np.float32)
        first = (descriptor[1] - intercept) + offset
        if inverted:
            first = 2**bits_stored - 1 - (first + length - 1)
            brightness = 1 - brightness[::-1]
        result.append(VoiLut(first, np.ascontiguousarray(brightness), text(item, "LUTExplanation").upper()))
    return tuple(result)


def _modality(dataset: Dataset) -> tuple[float, float]:
    slope, intercept = numbers(dataset, "RescaleSlope"), numbers(dataset, "RescaleIntercept")
    if not slope or not intercept or slope[0] == 0:
        return 1.0, 0.0
    return slope[0], intercept[0]


def _table(item: Dataset, length: int) -> np.ndarray | None:
    data = value(item, "LUTData")
    if isinstance(data, bytes | bytearray):
        if len(data) < 2 * length:
            return None
        return np.frombuffer(data[: 2 * length], dtype="<u2").astype(np.float64)
    try:
        table = np.asarray(list(data), dtype=np.float64) if data is not None else np.empty(0)
    except VALUE_ERRORS:
        return None
    return table[:length] if 1 < length <= len(table) else None
