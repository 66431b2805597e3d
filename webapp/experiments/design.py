"""What a person decides about an experiment, checked before anything is stored."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from detection.configuration import ConfigurationError, MaskRCNNConfiguration
from detection.evaluation.protocol import Protocol
from detection.preset import presets
from webapp.core.errors import UserError

MEASURES = {"sensitivity": "Sensitivity", "precision": "Precision", "auc": "AUC"}
GROUPS = {
    "malignant_cluster": "malignant clusters",
    "malignant_mass": "malignant masses",
    "malignant": "all malignant lesions",
}
TEST_SETS = {"internal_test": "internal test", "external_test": "external test"}
ENDPOINTS = {
    f"{measure}:{group}:{test_set}": f"{MEASURES[measure]}, {GROUPS[group]}, {TEST_SETS[test_set]}"
    for test_set in TEST_SETS
    for group in GROUPS
    for measure in MEASURES
}
"""Primary endpoints to choose from: address in the results → words."""
MAXIMUM_RATIO = 10.0
LARGEST_SEED = 2**31 - 1
"""Limit of the seed in the configuration of a detector."""
SOURCES = {"clusters": "Clusters", "control": "Insert-off control"}
CONTROL_SENTENCE = (
    "The insert-off control has the same hosts, places and outlines, labelled the same, with nothing inserted: "
    "if it gains too, the gain does not come from the clusters."
)
"""Where synthetic training views of an arm come from, and what the control says."""


@dataclass(frozen=True)
class ArmDesign:
    """One arm as designed.

    Attributes
    ----------
    name : str
    preset : str
        Name of a detector preset.
    ratio_benign, ratio_malignant : float
        Synthetic cases as a share of the training patients with a real cluster of the class (1.0 = 100 %).
    changes : dict
        Fields that differ from the preset.
    synthetic_source : {"clusters", "control"}
        Clusters, or the same hosts and outlines with nothing inserted.
    """

    name: str
    preset: str
    ratio_benign: float
    ratio_malignant: float
    changes: dict[str, Any] = field(default_factory=dict)
    synthetic_source: str = "clusters"

    def configuration(self) -> MaskRCNNConfiguration:
        """The preset with the changes.

        Raises
        ------
        UserError
            If the preset is unknown or a change is not valid; names the arm and the field.
        """
        known = presets()
        if self.preset not in known:
            raise UserError(
                f"{self.name}: unknown preset {self.preset!r}; choose {', '.join(sorted(known))}.", field="preset"
            )
        try:
            values = known[self.preset].configuration.to_dict()["values"]
            return MaskRCNNConfiguration.from_values(values | self.changes)
        except ConfigurationError as error:
            raise UserError(f"{self.name}: {error}", field="preset") from error

    def check(self) -> None:
        """Refuse an arm without name or with an impossible ratio."""
        if not self.name.strip():
            raise UserError("Every arm needs a name.", field="arms")
        for label, ratio in (("benign", self.ratio_benign), ("malignant", self.ratio_malignant)):
            if not 0 <= ratio <= MAXIMUM_RATIO:
                raise UserError(
                    f"{self.name}: the synthetic ratio of {label} clusters must lie between 0 and "
                    f"{MAXIMUM_RATIO:.0%}, not {ratio:.0%}.",
                    field="arms",
                )
        if self.synthetic_source not in SOURCES:
            raise UserError(f"{self.name}: choose clusters or the insert-off control as source.", field="arms")
        if self.synthetic_source == "control" and not (self.ratio_benign or self.ratio_malignant):
            raise UserError(
                f"{self.name}: a control repeats synthetic cases; give it the ratio of the arm it controls.",
                field="arms",
            )
        self.configuration()


@dataclass(frozen=True)
class ExperimentDesign:
    """An experiment as designed: question, comparison, arms, protocol, seeds, device.

    Attributes
    ----------
    comparison : tuple of int, optional
        Positions of the arm and of the reference whose difference the endpoint asks for. None: the last arm
        against the first.
    margin : float, optional
        Non-inferiority margin in the unit of the endpoint, above 0 and below 1; None asks for superiority.
    protocol : Protocol
        How the test sets are evaluated.
    """

    name: str
    hypothesis: str
    primary_endpoint: str
    arms: tuple[ArmDesign, ...]
    seeds: tuple[int, ...] = (0,)
    device: str = "cpu"
    comparison: tuple[int, int] | None = None
    margin: float | None = None
    protocol: Protocol = field(default_factory=Protocol)

    @property
    def compared(self) -> tuple[int, int] | None:
        """Positions of arm and reference; None with a single arm."""
        if len(self.arms) < 2:
            return None
        return self.comparison if self.comparison is not None else (len(self.arms) - 1, 0)

    def check(self) -> None:
        """Refuse what cannot be an experiment.

        Raises
        ------
        UserError
            Naming the field.
        """
        if not self.name.strip():
            raise UserError("Give the experiment a name.", field="name")
        if not self.hypothesis.strip():
            raise UserError("State the hypothesis before any result is visible.", field="hypothesis")
        if self.primary_endpoint not in ENDPOINTS:
            raise UserError("Choose the primary endpoint from the list.", field="primary_endpoint")
        if not self.arms:
            raise UserError("An experiment needs at least one arm.", field="arms")
        names = [arm.name.strip() for arm in self.arms]
        if len(set(names)) != len(names):
            raise UserError("Two arms have the same name: give each its own.", field="arms")
        self._check_comparison()
        self._check_seeds()
        if self.device != "cpu" and not self.device.startswith("cuda:"):
            raise UserError(f"Unknown device {self.device!r}: choose cpu or cuda:0.", field="device")
        for arm in self.arms:
            arm.check()

    def _check_comparison(self) -> None:
        if self.comparison is not None:
            arm, reference = self.comparison
            if not (0 <= arm < len(self.arms) and 0 <= reference < len(self.arms)):
                raise UserError("The comparison names an arm that the design does not have.", field="comparison_arm")
            if arm == reference:
                raise UserError("Compare two different arms.", field="comparison_reference")
        if self.margin is not None:
            if len(self.arms) < 2:
                raise UserError("A non-inferiority margin needs two arms to compare.", field="margin")
            if not 0 < self.margin < 1:
                raise UserError("The non-inferiority margin lies above 0 and below 1, such as 0.05.", field="margin")

    def _check_seeds(self) -> None:
        if not self.seeds:
            raise UserError("Give at least one seed.", field="seeds")
        if len(set(self.seeds)) != len(self.seeds):
            raise UserError("A seed is given twice: every run of an arm needs its own.", field="seeds")
        if any(seed < 0 or seed > LARGEST_SEED for seed in self.seeds):
            raise UserError(f"Seeds are whole numbers from 0 to {LARGEST_SEED}.", field="seeds")
