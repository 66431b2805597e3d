"""Whether a printed percentage can come from the printed counts (GRIM: Brown and Heathers 2017)."""

from __future__ import annotations

from dataclasses import dataclass

from detection.evaluation.errors import EvaluationError


@dataclass(frozen=True)
class ConsistencyCheck:
    """Outcome of `grim`.

    Attributes
    ----------
    consistent : bool
    candidates : tuple of int
        Numerators that round to the printed percentage.
    nearest : float
        The percentage nearest to the printed one that n allows.
    """

    consistent: bool
    candidates: tuple[int, ...]
    nearest: float


def grim(percentage: float, n: int, *, decimals: int = 0) -> ConsistencyCheck:
    """Check a percentage printed with so many decimals against its number of rows.

    Rounding half up and half to even are both accepted, since reports use either.

    Raises
    ------
    EvaluationError
        If n is below 1, the percentage not in [0, 100] or decimals negative.
    """
    if n < 1 or not 0 <= percentage <= 100 or decimals < 0:
        raise EvaluationError(
            f"Consistency: expected n from 1, a percentage from 0 to 100 and decimals from 0; found {n}, "
            f"{percentage:g} and {decimals}."
        )
    half = 0.5 * 10.0**-decimals
    slack = 1e-9
    found = tuple(k for k in range(n + 1) if abs(100 * k / n - percentage) <= half + slack)
    nearest = min((100 * k / n for k in range(n + 1)), key=lambda value: abs(value - percentage))
    return ConsistencyCheck(bool(found), found, nearest)
