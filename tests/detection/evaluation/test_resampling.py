"""Resamples that are shared are those that are drawn anew, and nobody can change them."""

from __future__ import annotations

import numpy as np
import pytest

from detection.evaluation.resampling import Units, shared_resamples


def test_shared_resamples_are_those_drawn_anew() -> None:
    units = Units([f"patient-{number}" for number in range(37)])
    alone = np.concatenate(list(units.weight_blocks(300, 5)))

    with shared_resamples():
        first = np.concatenate(list(units.weight_blocks(300, 5)))
        again = list(units.weight_blocks(300, 5))
        other = np.concatenate(list(units.weight_blocks(300, 6)))
        with pytest.raises(ValueError, match="read-only"):
            again[0][0, 0] = 7
    after = np.concatenate(list(units.weight_blocks(300, 5)))

    assert (alone == first).all() and (np.concatenate(again) == alone).all() and (after == alone).all()
    assert (alone.sum(axis=1) == 37).all() and (other != alone).any()
