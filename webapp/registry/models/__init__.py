"""Registered models with their history, and what they found on cases they were applied to."""

from webapp.registry.models.application import AppliedFinding, AppliedView, ModelApplication
from webapp.registry.models.registered_model import HistoryEntry, RegisteredModel, Stage

__all__ = [
    "AppliedFinding",
    "AppliedView",
    "HistoryEntry",
    "ModelApplication",
    "RegisteredModel",
    "Stage",
]
