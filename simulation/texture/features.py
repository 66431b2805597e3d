"""The 93 radiomics features of the cells of an image, equal to those of pyradiomics."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simulation.errors import UnusableCells
from simulation.texture import cooccurrence, dependence, first_order, neighbourhood, run_length, size_zone
from simulation.texture.compilation import HAS_NUMBA
from simulation.texture.correlation_coefficient import maximal_correlation, maximal_correlation_compiled
from simulation.texture.logarithms import count_logarithms
from simulation.texture.quantise import (
    MAXIMUM_LEVELS,
    Quantised,
    bin_edges,
    integer_ranges,
    quantise,
    quantise_integers,
    value_ranges,
)
from simulation.texture.size_matrix import size_features, size_features_compiled

Engine = Literal["numba", "numpy", "pyradiomics"]
ENGINE_VARIABLE = "CEMLAB_TEXTURE_ENGINE"

FAMILIES: dict[str, tuple[str, ...]] = {
    "firstorder": first_order.NAMES,
    "glcm": cooccurrence.NAMES,
    "glrlm": run_length.NAMES,
    "glszm": size_zone.NAMES,
    "gldm": dependence.NAMES,
    "ngtdm": neighbourhood.NAMES,
}
FEATURE_NAMES: tuple[str, ...] = tuple(
    f"original_{family}_{name}" for family, names in FAMILIES.items() for name in names
)
_ENDS = np.cumsum([len(names) for names in FAMILIES.values()]).tolist()
_FIRST, _PAIRS, _RUNS, _ZONES, _DEPENDENCE, _NEIGHBOURS = (
    slice(end - len(names), end) for end, names in zip(_ENDS, FAMILIES.values(), strict=True)
)


@dataclass(frozen=True, eq=False)
class CellFeatures:
    """Features of cells.

    Attributes
    ----------
    names : tuple of str
        As in a pyradiomics result: ``original_firstorder_Mean``.
    values : ndarray of float64, shape (cells, 93)
    grey_levels : ndarray of int64, shape (cells,)
        Bins that occur in each cell.
    bins : str
        How grey values were binned: "32 bins" or "bins of 25".
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]
    grey_levels: NDArray[np.int64]
    bins: str

    def column(self, name: str) -> NDArray[np.float64]:
        """Values of one feature, shape (cells,); the name may be given without ``original_``."""
        return self.values[:, self.names.index(name if name in self.names else f"original_{name}")]


def cell_features(
    image: NDArray[Any],
    cells: ArrayLike,
    *,
    bin_width: float = 25.0,
    bin_count: int | None = None,
    spacing: Sequence[float] = (1.0, 1.0),
    engine: Engine | None = None,
) -> CellFeatures:
    """All 93 features of each cell: 18 first-order, 24 GLCM, 16 GLRLM, 16 GLSZM, 14 GLDM and 5 NGTDM.

    Definitions and special values are those of pyradiomics 3 with its defaults (distance 1, symmetric matrices, mean
    over the four directions of a plane).

    Parameters
    ----------
    image : ndarray of numbers, shape (rows, columns)
        Stored grey values.
    cells : array-like of int, shape (cells, 4)
        (row, column, height, width) in pixels; at least 2 x 2, inside the image.
    bin_width : float
        Width of the grey-level bins, which start at a multiple of it (pyradiomics ``binWidth``).
    bin_count : int, optional
        Number of bins between the extremes of each cell instead (pyradiomics ``binCount``).
    spacing : (float, float)
        Pixel size (row, column); only the total energy depends on it, with a voxel 1 deep.
    engine : {"numba", "numpy", "pyradiomics"}, optional
        Compiled, or plain numpy with the same numbers, or the reference itself (slow). Left out: the environment
        variable ``CEMLAB_TEXTURE_ENGINE``, then numba where it is installed, then numpy.

    Returns
    -------
    CellFeatures

    Raises
    ------
    UnusableCells
        A ValueError: the image is not a plane of finite numbers, a cell does not lie in it or is smaller than 2 x 2, or
        the bins are not positive or more than 1024.
    """
    chosen = _engine(engine)
    plane = _plane(image)
    boxes = _boxes(cells, plane.shape)
    area = _pixel_area(spacing)
    if bin_count is not None:
        if isinstance(bin_count, bool) or int(bin_count) != bin_count or not 1 <= bin_count <= MAXIMUM_LEVELS:
            raise UnusableCells(f"bin_count is {bin_count!r}; give a whole number from 1 to {MAXIMUM_LEVELS}")
    elif not (np.isfinite(bin_width) and bin_width > 0):
        raise UnusableCells(f"bin_width is {bin_width!r}; give a positive number")
    compute = _compiled_features if chosen == "numba" else _plain_features
    values, levels = compute(plane, boxes, area, bin_width, bin_count)
    if chosen == "pyradiomics":
        from simulation.texture.reference import pyradiomics_features

        values = pyradiomics_features(plane, boxes, bin_width=bin_width, bin_count=bin_count, spacing=spacing)
    return CellFeatures(
        FEATURE_NAMES, values, levels, f"bins of {bin_width:g}" if bin_count is None else f"{bin_count} bins"
    )


def _plain_features(
    image: NDArray[Any], cells: NDArray[np.int64], area: float, bin_width: float, bin_count: int | None
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    values = np.empty((len(cells), len(FEATURE_NAMES)))
    grey_levels = np.empty(len(cells), np.int64)
    edges = bin_edges(*value_ranges(image, cells), bin_width=bin_width, bin_count=bin_count)
    for index, (row, column, height, width) in enumerate(cells.tolist()):
        patch = image[row : row + height, column : column + width].astype(np.float64)
        levels, grey, counts = quantise(patch, edges[index])
        present = len(grey)
        out = values[index]
        out[_FIRST] = first_order.first_order(patch, counts, area)
        pairs = cooccurrence.pair_counts(levels, present)
        out[_PAIRS] = cooccurrence.cooccurrence(pairs, grey)
        out[_PAIRS.start + cooccurrence.MCC] = maximal_correlation(pairs)
        runs = run_length.run_counts(levels, present)
        out[_RUNS] = size_features(runs, grey, np.arange(1, runs.shape[2] + 1))
        zones, sizes = size_zone.zone_counts(levels, present)
        out[_ZONES] = size_features(zones[None], grey, sizes)
        equal = dependence.dependence_counts(levels, present)
        out[_DEPENDENCE] = size_features(equal[None], grey, dependence.SIZES)[dependence.OF_SIZE_FEATURES]
        out[_NEIGHBOURS] = neighbourhood.neighbourhood(levels, grey, counts)
        grey_levels[index] = present
    return values, grey_levels


def _compiled_features(
    image: NDArray[Any], cells: NDArray[np.int64], area: float, bin_width: float, bin_count: int | None
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    values = np.empty((len(cells), len(FEATURE_NAMES)))
    grey_levels = np.empty(len(cells), np.int64)
    if not len(cells):
        return values, grey_levels
    prepare = _whole_numbers if _is_counted(image) else _any_numbers
    quantised_cells = prepare(image, cells, area, bin_width, bin_count, values)
    table = count_logarithms(2 * int((cells[:, 2] * cells[:, 3]).max()))
    lengths = np.arange(1, int(cells[:, 2:].max()) + 1)
    scratch = np.empty(16)
    for index in range(len(cells)):
        levels, grey, counts = quantised_cells(index)
        present = len(grey)
        out = values[index]
        pairs = cooccurrence.pair_counts_compiled(levels, present)
        cooccurrence.cooccurrence_compiled(pairs, grey, table, out[_PAIRS])
        out[_PAIRS.start + cooccurrence.MCC] = maximal_correlation_compiled(pairs)
        runs = run_length.run_counts_compiled(levels, present)
        size_features_compiled(runs, grey, lengths, table, out[_RUNS])
        zones, sizes = size_zone.zone_counts_compiled(levels, present)
        size_features_compiled(zones[None], grey, sizes, table, out[_ZONES])
        equal = dependence.dependence_counts_compiled(levels, present)
        size_features_compiled(equal[None], grey, dependence.SIZES, table, scratch)
        out[_DEPENDENCE] = scratch[dependence.OF_SIZE_FEATURES]
        neighbourhood.neighbourhood_compiled(levels, grey, counts, out[_NEIGHBOURS])
        grey_levels[index] = present
    return values, grey_levels


def _is_counted(image: NDArray[Any]) -> bool:
    """Whether the values are whole and so few (8 or 16 bit) that each can be counted."""
    return image.dtype.kind in "bui" and image.dtype.itemsize <= 2


def _whole_numbers(
    image: NDArray[Any],
    cells: NDArray[np.int64],
    area: float,
    bin_width: float,
    bin_count: int | None,
    values: NDArray[np.float64],
) -> Callable[[int], Quantised]:
    """Grey levels of a cell of whole numbers; its first-order features follow from the counts of its values."""
    whole = np.ascontiguousarray(image, dtype=np.int32)
    minima, maxima = integer_ranges(whole, cells)
    edges = bin_edges(minima.astype(np.float64), maxima.astype(np.float64), bin_width=bin_width, bin_count=bin_count)
    table = count_logarithms(int((cells[:, 2] * cells[:, 3]).max()))

    def quantised(index: int) -> Quantised:
        minimum = minima[index]
        levels, grey, counts, value_counts = quantise_integers(
            whole, cells[index], minimum, maxima[index], edges[index]
        )
        first_order.first_order_of_counts(value_counts, minimum, counts, area, table, values[index, _FIRST])
        return Quantised(levels, grey, counts)

    return quantised


def _any_numbers(
    image: NDArray[Any],
    cells: NDArray[np.int64],
    area: float,
    bin_width: float,
    bin_count: int | None,
    values: NDArray[np.float64],
) -> Callable[[int], Quantised]:
    """Grey levels and first-order features of a cell of any numbers, by numpy."""
    edges = bin_edges(*value_ranges(image, cells), bin_width=bin_width, bin_count=bin_count)

    def quantised(index: int) -> Quantised:
        row, column, height, width = cells[index].tolist()
        patch = image[row : row + height, column : column + width].astype(np.float64)
        found = quantise(patch, edges[index])
        values[index, _FIRST] = first_order.first_order(patch, found.counts, area)
        return found

    return quantised


def _engine(engine: Engine | None) -> Engine:
    chosen = engine or os.environ.get(ENGINE_VARIABLE) or ("numba" if HAS_NUMBA else "numpy")
    if chosen not in get_args(Engine):
        raise UnusableCells(f"texture engine is {chosen!r}; choose {', '.join(get_args(Engine))}")
    if chosen == "numba" and not HAS_NUMBA:
        raise UnusableCells("the numba texture engine was asked for and numba is not installed; choose numpy")
    return cast(Engine, chosen)


def _plane(image: NDArray[Any]) -> NDArray[Any]:
    plane = np.asarray(image)
    if plane.ndim != 2 or plane.dtype.kind not in "buif":
        raise UnusableCells(f"the image is {plane.ndim}-dimensional {plane.dtype}; a plane of real numbers is expected")
    if plane.dtype.kind == "f" and not np.isfinite(plane).all():
        raise UnusableCells("the image holds values that are not finite")
    return plane


def _boxes(cells: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.int64]:
    given = np.asarray(cells)
    if given.size == 0:
        return np.empty((0, 4), np.int64)
    if given.ndim != 2 or given.shape[1] != 4 or given.dtype.kind not in "uif":
        raise UnusableCells(f"cells have shape {given.shape}; (cells, 4) of row, column, height, width is expected")
    boxes = given.astype(np.int64)
    if not np.array_equal(boxes, given):
        raise UnusableCells("cells must be whole numbers of pixels")
    outside = (
        (boxes[:, :2] < 0).any(axis=1)
        | (boxes[:, 2:] < 2).any(axis=1)
        | (boxes[:, 0] + boxes[:, 2] > shape[0])
        | (boxes[:, 1] + boxes[:, 3] > shape[1])
    )
    if outside.any():
        first = boxes[np.flatnonzero(outside)[0]].tolist()
        raise UnusableCells(
            f"{int(outside.sum())} of {len(boxes)} cells are smaller than 2 x 2 or not inside the {shape[0]} x "
            f"{shape[1]} image; the first is row, column, height, width {first}"
        )
    return np.ascontiguousarray(boxes)


def _pixel_area(spacing: Sequence[float]) -> float:
    if len(spacing) != 2 or not all(np.isfinite(side) and side > 0 for side in spacing):
        raise UnusableCells(f"spacing is {spacing!r}; give two positive numbers (row, column)")
    return float(spacing[0]) * float(spacing[1])
