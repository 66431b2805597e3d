"""Experiments: arms, runs, their curves, artifacts and predictions."""

from webapp.experiments.models.arm import Arm, ArmSyntheticView
from webapp.experiments.models.experiment import Experiment
from webapp.experiments.models.prediction import Prediction
from webapp.experiments.models.run import MetricPoint, Run, RunArtifact, RunSample, RunState

__all__ = [
    "Arm",
    "ArmSyntheticView",
    "Experiment",
    "MetricPoint",
    "Prediction",
    "Run",
    "RunArtifact",
    "RunSample",
    "RunState",
]
