"""Calibration, before and after recalibration, and decision curves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from webapp.experiments.models import Experiment
from webapp.results import calibration, selectors
from webapp.results.exports.columns import NUMBER, Table, evaluated, number

BINNINGS = {
    "equal_width": "equal width",
    "equal_mass": "equal mass",
    "recalibrated": "equal width, recalibrated on validation views",
}
"""Part of `calibration.numbers` → what the column says."""
ALONE = {"expected_error": "fraction of 1", "intercept": "logit", "slope": "ratio"}
"""Numbers of a calibration without an interval, with their units."""


def _calibration(experiment: Experiment) -> Iterator[dict[str, Any]]:
    for shared, evaluation in evaluated(experiment):
        confidence = evaluation.protocol["confidence"]
        for what, words in calibration.WHAT.items():
            body = calibration.numbers(evaluation, what)
            for part, binning in BINNINGS.items():
                about = {**shared, "of": words, "rule": calibration.SENTENCES[what], "binning": binning}
                made = body.get(part)
                if made is None:
                    nothing = selectors.undefined(body.get("reason") or f"undefined: {body['not_recalibrated']}")
                    yield {**about, "measure": "brier", **number(nothing, confidence=confidence)}
                    continue
                yield from ({**about, **row} for row in _numbers(made, confidence))


def _numbers(made: dict[str, Any], confidence: float) -> Iterator[dict[str, Any]]:
    yield {"measure": "brier", **number(made["brier"], confidence=confidence)}
    for name, unit in ALONE.items():
        yield {
            "measure": name,
            "unit": unit,
            "value": made[name],
            "n": made["n"],
            "reason": made["reason"] if made[name] is None else "no interval is computed",
        }
    for one in made["bins"]:
        yield {
            "measure": "observed",
            "bin_low": one["low"],
            "bin_high": one["high"],
            "mean_score": one["mean_score"],
            **number(one["observed"], confidence=confidence),
        }


def _decision(experiment: Experiment) -> Iterator[dict[str, Any]]:
    for shared, evaluation in evaluated(experiment):
        for what, words in calibration.WHAT.items():
            body = calibration.numbers(evaluation, what)
            about = {**shared, "of": words, "rule": calibration.SENTENCES[what]}
            curve = body.get("decision")
            if curve is None:
                yield {**about, "n": 0, "reason": body.get("reason") or "undefined: one class"}
                continue
            about |= {"n": body["equal_width"]["n"], "share_malignant": curve["prevalence"]}
            steps = zip(curve["thresholds"], curve["model"], curve["treat_all"], strict=True)
            for threshold, benefit, everyone in steps:
                yield {
                    **about,
                    "probability": threshold,
                    "net_benefit": benefit,
                    "net_benefit_of_acting_on_all": everyone,
                }


CALIBRATION = Table(
    "calibration",
    "Calibration",
    ("of", "binning", "measure", "bin_low", "bin_high", "mean_score", *NUMBER, "rule"),
    _calibration,
)
DECISION = Table(
    "decision_curves",
    "Decision curves",
    (
        "of",
        "probability",
        "net_benefit",
        "net_benefit_of_acting_on_all",
        "share_malignant",
        "n",
        "reason",
        "rule",
    ),
    _decision,
)
