"""The design form as a browser sends it."""

from __future__ import annotations

from webapp.datasets.models import DatasetVersion
from webapp.experiments.design_input import DesignInput, preset_texts

NEW = "/study/experiments/new/"


def filled(version: DatasetVersion, /, **changes: str) -> dict[str, str]:
    """What a browser sends for a complete design."""
    given = DesignInput.fresh(version=str(version.pk), device="cpu")
    settings = preset_texts("cpu-quick") | {"epochs": "1"}
    values = given.values | {"name": "Ratios", "hypothesis": "It helps.", "preset": "cpu-quick"}
    data = DesignInput(values, given.arms, settings).as_data() | {"preset_shown": "cpu-quick"}
    return data | changes


def with_arm_change(data: dict[str, str], row: int, **settings: str) -> dict[str, str]:
    named = {f"arms-{row}-set-{name}": text for name, text in settings.items()}
    return data | {f"arms-{row}-changes": ",".join(settings)} | named
