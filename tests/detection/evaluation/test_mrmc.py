"""Reader studies: the published example with jackknife and DeLong covariance, and designs without a test."""

from __future__ import annotations

import json

import numpy as np
import pytest

from detection.evaluation import mrmc
from detection.evaluation.auc_covariance import AUCCovariance
from detection.evaluation.errors import EvaluationError
from detection.evaluation.mrmc import obuchowski_rockette
from detection.evaluation.roc import auc
from tests.detection.evaluation.van_dyke import LABELS, RATINGS


def jackknife(labels: np.ndarray, *scores: np.ndarray) -> AUCCovariance:
    cases = np.arange(labels.size)
    without = np.array([[auc(labels[cases != case], row[cases != case]) for row in scores] for case in cases])
    centred = without - without.mean(0)
    values = np.array([auc(labels, row) for row in scores])
    return AUCCovariance(values, (labels.size - 1) / labels.size * centred.T @ centred, labels.size, labels.size, "")


def test_with_jackknife_covariance_every_printed_number_is_met(monkeypatch: pytest.MonkeyPatch) -> None:
    """The listing of OR-DBM MRMC 2.51 (University of Iowa) for these ratings, random readers and random cases.

    It stands in github.com/dpc10ster/RJafroc, inst/IowaResults/VanDyke.txt.
    """
    monkeypatch.setattr(mrmc, "delong", jackknife)
    study = obuchowski_rockette(LABELS, RATINGS)
    printed = (
        (0.91964573, 0.85877617, 0.90386473, 0.97310789, 0.82979066),
        (0.94782609, 0.90531401, 0.92173913, 0.99935588, 0.92995169),
    )
    assert study.auc == tuple(pytest.approx(row, abs=5e-9) for row in printed)
    covariances = (study.error_variance, study.covariance_1, study.covariance_2, study.covariance_3)
    assert covariances == pytest.approx((0.00080229, 0.00034661, 0.00034407, 0.00023903), abs=5e-9)
    assert study.means == pytest.approx((0.89703704, 0.94083736), abs=5e-9)
    assert (study.f, study.p_value) == (pytest.approx(4.46, abs=5e-3), pytest.approx(0.0517, abs=5e-5))
    assert (study.degrees_numerator, study.degrees_denominator) == (1, pytest.approx(15.26, abs=5e-3))
    interval = (study.difference, study.low, study.high)
    assert interval == pytest.approx((-0.04380, -0.08796, 0.00036), abs=5e-6)


def test_with_delong_covariance_it_differs_little() -> None:
    """Values of an earlier analysis of these ratings, kept so that a change is seen."""
    study = obuchowski_rockette(LABELS, RATINGS)
    assert study.f == pytest.approx(4.484854, abs=1e-6)
    assert study.degrees_denominator == pytest.approx(15.06611, abs=1e-5)
    assert study.p_value == pytest.approx(0.05123303, abs=1e-8)
    both = jackknife(LABELS, *RATINGS.reshape(10, -1))
    assert study.error_variance == pytest.approx(np.diag(both.covariance).mean(), rel=0.05)


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
