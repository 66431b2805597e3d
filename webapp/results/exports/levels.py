"""Numbers at every level, and calibration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from webapp.experiments.models import Experiment
from webapp.results import calibration, levels, selectors
from webapp.results.exports.columns import NUMBER, Table, evaluated, frame, number

ALONE = ("expected_error", "intercept", "slope")
"""Numbers of a calibration without an interval."""


def _levels(experiment: Experiment) -> Iterator[dict[str, Any]]:
    confidence = float(experiment.protocol["confidence"])
    for run, evaluation in evaluated(experiment):
        shared = frame(experiment, run, evaluation.test_set, evaluation)
        for group in selectors.GROUPS:
            for level, body in levels.numbers(evaluation, group).items():
                for measure in levels.COLUMNS:
                    yield {
                        **shared,
                        "level": level,
                        "group": group,
                        "measure": measure,
                        **number(body[measure], confidence=confidence),
                        "units": body["units"],
                        "units_malignant": body["malignant"],
                        "units_unscored": body["unscored"],
                        "rule": body["sentence"],
                    }


def _calibration(experiment: Experiment) -> Iterator[dict[str, Any]]:
    confidence = float(experiment.protocol["confidence"])
    for run, evaluation in evaluated(experiment):
        shared = frame(experiment, run, evaluation.test_set, evaluation)
        for what, words in calibration.WHAT.items():
            body = calibration.numbers(evaluation, what)
            about = {**shared, "of": words, "rule": calibration.SENTENCES[what]}
            for key, binning in (("equal_width", "equal width"), ("equal_mass", "equal mass")):
                made = body.get(key)
                if made is None:
                    nothing = selectors.undefined(body.get("reason", "undefined"))
                    yield {**about, "binning": binning, "measure": "brier", **number(nothing, confidence=confidence)}
                    continue
                yield {**about, "binning": binning, "measure": "brier", **number(made["brier"], confidence=confidence)}
                for name in ALONE:
                    yield {
                        **about,
                        "binning": binning,
                        "measure": name,
                        "unit": "logit" if name == "intercept" else "fraction of 1" if name != "slope" else "ratio",
                        "value": made[name],
                        "n": made["n"],
                        "reason": made["reason"] if made[name] is None else "no interval is computed",
                    }
                for one in made["bins"]:
                    yield {
                        **about,
                        "binning": binning,
                        "measure": "observed",
                        "bin_low": one["low"],
                        "bin_high": one["high"],
                        "mean_score": one["mean_score"],
                        **number(one["observed"], confidence=confidence),
                    }


LEVELS = Table(
    "levels",
    "Numbers per image, breast, patient and lesion",
    ("group", "measure", *NUMBER, "units", "units_malignant", "units_unscored", "rule"),
    _levels,
)
CALIBRATION = Table(
    "calibration",
    "Calibration",
    ("of", "binning", "measure", "bin_low", "bin_high", "mean_score", *NUMBER, "rule"),
    _calibration,
)
