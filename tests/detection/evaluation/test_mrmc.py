"""Reader studies: the published example, its jackknife, and designs without a test."""

from __future__ import annotations

import json

import numpy as np
import pytest

from detection.evaluation.errors import EvaluationError
from detection.evaluation.mrmc import obuchowski_rockette
from detection.evaluation.roc import auc
from tests.detection.evaluation.van_dyke import LABELS, RATINGS


def test_the_van_dyke_study_gives_the_published_analysis() -> None:
    """Obuchowski-Rockette-Hillis with DeLong covariance: F 4.484854, ddf 15.06611, p .05123303."""
    study = obuchowski_rockette(LABELS, RATINGS)
    assert study.f == pytest.approx(4.484854, abs=1e-6)
    assert study.degrees_denominator == pytest.approx(15.06611, abs=1e-5)
    assert study.p_value == pytest.approx(0.05123303, abs=1e-8)
    assert study.means == (pytest.approx(0.8970370, abs=1e-7), pytest.approx(0.9408374, abs=1e-7))
    assert study.difference == pytest.approx(-0.0438003, abs=1e-7)
    assert study.low < study.difference < 0 < study.high


def test_readers_have_their_own_auc() -> None:
    study = obuchowski_rockette(LABELS, RATINGS)
    for treatment in range(2):
        for reader in range(5):
            assert study.auc[treatment][reader] == pytest.approx(auc(LABELS, RATINGS[treatment, reader]), abs=1e-14)


def test_covariances_are_those_of_the_jackknife_to_its_accuracy() -> None:
    study = obuchowski_rockette(LABELS, RATINGS)
    flat = RATINGS.reshape(10, -1)
    cases = np.arange(LABELS.size)
    without = np.array([[auc(LABELS[cases != case], row[cases != case]) for row in flat] for case in cases])
    covariance = (LABELS.size - 1) / LABELS.size * (without - without.mean(0)).T @ (without - without.mean(0))
    assert study.error_variance == pytest.approx(np.diag(covariance).mean(), rel=0.05)
    first_reader = np.mean([covariance[reader, 5 + reader] for reader in range(5)])
    assert study.covariance_1 == pytest.approx(first_reader, rel=0.05)


def test_several_cases_of_one_patient_widen_the_interval() -> None:
    doubled = np.repeat(RATINGS, 2, axis=2)
    labels = np.repeat(LABELS, 2)
    naive = obuchowski_rockette(labels, doubled)
    grouped = obuchowski_rockette(labels, doubled, groups=[f"p{case:03d}" for case in np.repeat(np.arange(114), 2)])
    assert grouped.error_variance == pytest.approx(2 * naive.error_variance, rel=0.02)
    assert grouped.high - grouped.low > naive.high - naive.low


def test_designs_without_a_test_are_refused() -> None:
    with pytest.raises(EvaluationError, match=r"found \(1, 5, 114\)"):
        obuchowski_rockette(LABELS, RATINGS[:1])
    with pytest.raises(EvaluationError, match="both classes"):
        obuchowski_rockette(np.ones_like(LABELS), RATINGS)
    with pytest.raises(EvaluationError, match="no variance"):
        obuchowski_rockette(LABELS, np.broadcast_to(LABELS.astype(float), RATINGS.shape))


def test_a_study_is_plain_values() -> None:
    assert json.loads(json.dumps(obuchowski_rockette(LABELS, RATINGS).to_json()))["degrees_numerator"] == 1
