"""What a design would do, said before it starts: synthetic cases, training views, and the gate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count
from django.forms import ValidationError

from webapp.core.errors import UserError
from webapp.datasets import selectors as datasets
from webapp.datasets.models import DatasetVersion, Split
from webapp.experiments import cost, devices, reproducibility
from webapp.experiments.design import MAXIMUM_RATIO, TEST_SETS
from webapp.experiments.design_input import ArmInput, DesignInput
from webapp.experiments.detectable import Detectable, detectable
from webapp.experiments.forms import SeedsField
from webapp.simulations import amounts
from webapp.simulations.hosts import HostFilter, choose_hosts, host_breasts


@dataclass(frozen=True)
class ArmConsequence:
    """What an arm trains on. `synthetic_views` is a range, as breasts have different numbers of views."""

    name: str
    benign: int
    malignant: int
    synthetic_views: tuple[int, int]
    acquired_views: int

    @property
    def cases(self) -> int:
        """Synthetic cases in all."""
        return self.benign + self.malignant

    @property
    def most_views(self) -> int:
        """Training views where every synthetic case has the most."""
        return self.acquired_views + self.synthetic_views[1]

    @property
    def synthetic_words(self) -> str:
        """The number, or the range."""
        low, high = self.synthetic_views
        return f"{low}" if low == high else f"{low} to {high}"

    @property
    def training_words(self) -> str:
        """Acquired and synthetic views together."""
        low, high = (self.acquired_views + views for views in self.synthetic_views)
        return f"{low}" if low == high else f"{low} to {high}"


@dataclass(frozen=True)
class GateItem:
    """One thing that must be known before the start."""

    label: str
    passed: bool
    detail: str


@dataclass(frozen=True)
class Data:
    """Numbers of a dataset version that a design depends on."""

    patients: dict[str, int]
    split_patients: dict[str, int]
    split_views: dict[str, int]
    views_per_host: tuple[int, int]
    lesion_free_hosts: bool
    hosts: int


@dataclass(frozen=True)
class Consequences:
    """Everything the panel beside the form shows."""

    data: Data | None
    arms: list[ArmConsequence | None]
    gate: list[GateItem]
    runs: int
    most_cases: tuple[int, int]
    control: bool
    detectable: Detectable | None = None
    unequal_steps: bool = False
    seconds: float | None = None
    measured: int = 0

    @property
    def ready(self) -> bool:
        """Whether the start button works."""
        return all(item.passed for item in self.gate)


def data_of(version: DatasetVersion) -> Data:
    """Count what the panel needs of a frozen version."""
    chosen = choose_hosts(host_breasts(version), HostFilter())
    hosts = chosen.hosts
    counts = [len(breast.views) for breast in hosts]
    members = {
        split: (patients, views)
        for split, patients, views in version.version_views.order_by()
        .values_list("split")
        .annotate(patients=Count("patient", distinct=True), views=Count("pk"))
    }
    return Data(
        patients=amounts.cluster_patients(version),
        split_patients={split: members.get(split, (0, 0))[0] for split in Split.values},
        split_views={split: members.get(split, (0, 0))[1] for split in Split.values},
        views_per_host=(min(counts), max(counts)) if counts else (0, 0),
        lesion_free_hosts=chosen.lesion_free,
        hosts=len(hosts),
    )


def consequences(given: DesignInput, version: DatasetVersion | None) -> Consequences:
    """Work out the panel for a form as it stands; what cannot be read yet is left open."""
    data = data_of(version) if version is not None else None
    arms = [_arm(arm, data) for arm in given.arms]
    seeds = _seeds(given.values["seeds"])
    known = [arm for arm in arms if arm is not None]
    most = (max((arm.benign for arm in known), default=0), max((arm.malignant for arm in known), default=0))
    gate = [
        _code(),
        _data(version),
        _environment(),
        _seed_gate(seeds),
        _test_sets(given.values["primary_endpoint"], data),
        _device(given.values["device"]),
    ]
    if any(most):
        gate.append(_hosts(data))
    total, measured = _time(given, arms, version, len(seeds))
    return Consequences(
        data,
        arms,
        gate,
        len(given.arms) * len(seeds),
        most,
        any(arm.source == "control" for arm in given.arms),
        detectable(version, given.values["primary_endpoint"]) if version is not None else None,
        len({arm.cases for arm in known}) > 1
        and any(given.arm_settings(arm)["length"] == "epochs" for arm in given.arms),
        total,
        measured,
    )


def _time(
    given: DesignInput, arms: list[ArmConsequence | None], version: DatasetVersion | None, seeds: int
) -> tuple[float | None, int]:
    """Seconds of all runs one after another, and how many earlier runs that rests on; None where any arm is unknown."""
    if version is None:
        return None, 0
    device = given.values["device"]
    paces = {name: cost.pace(version.dataset.project, name, device) for name in map(given.arm_preset, given.arms)}
    each = [
        cost.seconds(given.arm_settings(arm), known.most_views, paces[given.arm_preset(arm)]) if known else None
        for arm, known in zip(given.arms, arms, strict=True)
    ]
    if not each or not seeds or None in each:
        return None, 0
    measured = min(found.runs for found in paces.values() if found is not None)
    return seeds * sum(value for value in each if value is not None), measured


def _ratio(text: str) -> float | None:
    try:
        ratio = float(text) / 100
    except ValueError:
        return None
    return ratio if 0 <= ratio <= MAXIMUM_RATIO else None


def _arm(arm: ArmInput, data: Data | None) -> ArmConsequence | None:
    malignant = _ratio(arm.malignant)
    benign = _ratio(arm.benign) if arm.benign.strip() else malignant
    if data is None or malignant is None or benign is None:
        return None
    cases = amounts.wanted_cases(data.patients, benign, malignant)
    total = cases["benign"] + cases["malignant"]
    fewest, most = data.views_per_host
    return ArmConsequence(
        arm.name,
        cases["benign"],
        cases["malignant"],
        (total * fewest, total * most),
        data.split_views[Split.TRAIN],
    )


def _seeds(text: str) -> Sequence[int]:
    try:
        return SeedsField().clean(text)
    except ValidationError:
        return ()


def _code() -> GateItem:
    try:
        commit, sources = reproducibility.code_version()
    except UserError as error:
        return GateItem("Code version recorded", False, str(error))
    digest = sources[:12]
    if not commit:
        return GateItem("Code version recorded", True, f"source {digest}, no repository")
    local = ", with local changes" if commit.endswith("+changes") else ", no local changes"
    return GateItem("Code version recorded", True, f"{commit[:8]}{local}, source {digest}")


def _data(version: DatasetVersion | None) -> GateItem:
    if version is None or not version.content_hash:
        return GateItem("Data recorded", False, "choose a frozen dataset version")
    failed = [check for check in datasets.leakage_checks(version) if not check.passed]
    if failed:
        return GateItem("Data recorded", False, "; ".join(f"{check.count} {check.name}" for check in failed))
    return GateItem("Data recorded, no leakage", True, f"{version}, {version.content_hash[:12]}")


def _environment() -> GateItem:
    try:
        found = reproducibility.environment()
    except UserError as error:
        return GateItem("Environment recorded", False, str(error))
    return GateItem("Environment recorded", True, f"Python {found['python']}, torch {found['torch']}")


def _seed_gate(seeds: Sequence[int]) -> GateItem:
    if not seeds:
        return GateItem("Seeds fixed", False, "give at least one whole number")
    return GateItem("Seeds fixed", True, f"{', '.join(map(str, seeds))} for every arm")


def _test_sets(endpoint: str, data: Data | None) -> GateItem:
    label = "Test sets closed"
    if data is None:
        return GateItem(label, False, "known once a dataset version is chosen")
    wanted = endpoint.rpartition(":")[2]
    if wanted in TEST_SETS and not data.split_views.get(wanted):
        return GateItem(label, False, f"the primary endpoint needs an {TEST_SETS[wanted]} set; this version has none")
    present = [words for split, words in TEST_SETS.items() if data.split_views[split]]
    return GateItem(label, True, f"{' and '.join(present)} open when every run has ended")


def _device(device: str) -> GateItem:
    known = devices.devices()
    if device not in known:
        return GateItem("Device present", False, f"{device or 'none'} is not on this machine")
    return GateItem("Device present", True, known[device])


def _hosts(data: Data | None) -> GateItem:
    if data is None or not data.hosts:
        return GateItem("Hosts for synthetic clusters", False, "no training breast has a complete view")
    kind = "without a lesion" if data.lesion_free_hosts else "with lesions, which are kept clear"
    return GateItem("Hosts for synthetic clusters", True, f"{data.hosts} training breasts {kind}")
