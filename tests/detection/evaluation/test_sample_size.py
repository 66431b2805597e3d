"""Pairs needed for a comparison of two sensitivities."""

from __future__ import annotations

import numpy as np
import pytest

from detection.evaluation.errors import EvaluationError
from detection.evaluation.sample_size import paired_proportions


@pytest.mark.parametrize(
    ("difference", "discordance", "pairs"), [(0.18, 0.30, 71), (0.10, 0.20, 155), (0.05, 0.10, 312)]
)
def test_pairs_follow_connors_formula(difference: float, discordance: float, pairs: int) -> None:
    assert paired_proportions(difference, discordance).pairs == pytest.approx(pairs, abs=1)


def test_so_many_pairs_have_the_power_that_was_asked_for() -> None:
    pairs = paired_proportions(0.15, 0.30).pairs
    rng = np.random.default_rng(5)
    gained = rng.multinomial(pairs, [0.225, 0.075, 0.7], 20_000)
    z = (gained[:, 0] - gained[:, 1]) / np.sqrt(gained[:, 0] + gained[:, 1])
    assert np.mean(np.abs(z) > 1.959964) == pytest.approx(0.8, abs=0.03)


def test_clustered_lesions_need_more_pairs() -> None:
    needed = paired_proportions(0.1, 0.2, design_effect=1.6)
    assert needed.clustered == int(np.ceil(needed.pairs * 1.6))


def test_impossible_differences_are_refused() -> None:
    with pytest.raises(EvaluationError, match="difference <= discordance"):
        paired_proportions(0.3, 0.2)
    with pytest.raises(EvaluationError, match="design effect"):
        paired_proportions(0.1, 0.2, design_effect=0.5)
