"""The cases of one host breast in a batch: made, verified or refused. Runs in the processes of a batch."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imaging.errors import ImagingError
from simulation.analysed_host import AnalysedHost, HostCache, analyse_host
from simulation.calcification import Malignancy
from simulation.case import simulate
from simulation.errors import SimulationError
from simulation.files import read_host, write_case
from simulation.host_list import HostBreast, HostView, exclusion_of
from simulation.host_source import HostSource
from simulation.measured import Measured
from simulation.placement import Placement
from simulation.provenance import json_sha256
from simulation.settings import SimulationSettings

SCHEMA = "cemlab.batch-case/1"
CASES, REFUSED, SCRATCH = "cases", "refused", ".making-"

Refusal = SimulationError | ImagingError


@dataclass(frozen=True)
class BatchTask:
    """Variants of one breast; the fields are those of `simulation.batch.BatchPlan`.

    Attributes
    ----------
    directory : Path
        Of the batch.
    configuration_sha256 : str
        Of the plan; a case of another configuration is none of this batch.
    """

    host: HostBreast
    variants: tuple[int, ...]
    malignancy: Malignancy
    seed: int
    lesion_free: bool
    settings: SimulationSettings
    measured: Measured
    directory: Path
    configuration_sha256: str

    def name(self, variant: int) -> str:
        """Name of a case: its folder, and part of its identifiers."""
        return f"{self.host.key}-{variant:04d}"


@dataclass
class Outcome:
    """Names of the cases of a task, by what became of them; `failed` holds errors that are no refusals."""

    made: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class _OpenedView:
    view: HostView
    analysed: AnalysedHost
    source: HostSource


def make_cases(task: BatchTask) -> Outcome:
    """Make the cases of a task that are not complete."""
    outcome = Outcome()
    views = _Views(task)
    for variant in task.variants:
        name = task.name(variant)
        if _is_complete(task, name):
            outcome.kept.append(name)
        elif _was_refused(task, name):
            outcome.refused.append(name)
        else:
            try:
                made = _make(task, variant, views)
            except (OSError, ValueError, ArithmeticError, MemoryError) as error:
                # one host must not end the batch; the next run tries again
                outcome.failed.append(f"{name}: {type(error).__name__}: {error}")
            else:
                (outcome.made if made else outcome.refused).append(name)
    return outcome


class _Views:
    """The views of a breast, read and analysed when the first case needs them."""

    def __init__(self, task: BatchTask) -> None:
        self._task = task
        self._refusals: dict[HostView, Refusal] = {}
        self._sources: dict[HostView, HostSource] = {}
        self._analysed = HostCache(size=len(task.host.views))

    def open(self, view: HostView) -> _OpenedView:
        if view in self._refusals:
            raise self._refusals[view]
        try:
            analysed = self._analysed.get(view, lambda: self._analyse(view))
        except (SimulationError, ImagingError) as error:
            self._refusals[view] = error
            raise
        return _OpenedView(view, analysed, self._sources[view])

    def _analyse(self, view: HostView) -> AnalysedHost:
        task = self._task
        pair, source = read_host(
            view.low_energy, view.recombined, laterality=task.host.laterality, view_position=view.view
        )
        self._sources[view] = source
        exclusion = exclusion_of(view, pair)
        return analyse_host(pair, lesion_free=task.lesion_free, exclusion=exclusion, settings=task.settings)


def _make(task: BatchTask, variant: int, views: _Views) -> bool:
    """One case; False when every view refused it."""
    name = task.name(variant)
    scratch = task.directory / f"{SCRATCH}{name}"
    shutil.rmtree(scratch, ignore_errors=True)
    made: list[dict[str, Any]] = []
    refusals: list[dict[str, str]] = []
    seconds: dict[str, dict[str, float]] = {}
    partner: Placement | None = None
    for view in task.host.views:
        try:
            opened = views.open(view)
            analysed = opened.analysed
            case = simulate(
                analysed.pair,
                malignancy=task.malignancy,
                seed=task.seed,
                variant=variant,
                settings=task.settings,
                exclusion=analysed.exclusion,
                lesion_free=task.lesion_free,
                partner=partner,
                analysed=analysed,
                source=opened.source.to_json(),
                **task.measured.arguments(),
            )
        except (SimulationError, ImagingError) as error:
            refusals.append({"view": view.view, "code": _code(error), "message": str(error)})
            continue
        partner = partner or case.placement
        files = write_case(case, scratch, source=opened.source, study=f"{name}/{task.configuration_sha256}")
        made.append(
            {
                "view": view.view,
                "host_sha256": analysed.host_sha256,
                "record_sha256": json_sha256(case.record),
                "output_sha256": case.record["output_sha256"],
                "files": {role: {"name": path.name, "sha256": _file_sha256(path)} for role, path in files.items()},
            }
        )
        seconds[view.view] = case.seconds
    body = {
        "schema": SCHEMA,
        "case": name,
        "configuration_sha256": task.configuration_sha256,
        "patient": task.host.patient,
        "laterality": task.host.laterality,
        "variant": variant,
        "malignancy": task.malignancy,
        "views": made,
        "refusals": refusals,
    }
    if not made:
        _publish_refusal(task, name, body)
        return False
    (scratch / "case.json").write_text(json.dumps({**body, "seconds": seconds}, indent=1))
    final = task.directory / CASES / name
    final.parent.mkdir(exist_ok=True)
    shutil.rmtree(final, ignore_errors=True)  # only a damaged case is still there
    scratch.rename(final)
    return True


def _publish_refusal(task: BatchTask, name: str, body: dict[str, Any]) -> None:
    folder = task.directory / REFUSED
    folder.mkdir(exist_ok=True)
    scratch = folder / f"{SCRATCH}{name}"
    scratch.write_text(json.dumps(body, indent=1))
    scratch.replace(folder / f"{name}.json")


def _is_complete(task: BatchTask, name: str) -> bool:
    """Whether the case is there, is of this batch, and every file is as it was written."""
    folder = task.directory / CASES / name
    body = _read(folder / "case.json")
    if body is None or body.get("configuration_sha256") != task.configuration_sha256:
        return False
    files = [file for view in body["views"] for file in view["files"].values()]
    return all(
        (folder / file["name"]).is_file() and _file_sha256(folder / file["name"]) == file["sha256"] for file in files
    )


def _was_refused(task: BatchTask, name: str) -> bool:
    body = _read(task.directory / REFUSED / f"{name}.json")
    return body is not None and body.get("configuration_sha256") == task.configuration_sha256


def _read(path: Path) -> dict[str, Any] | None:
    try:
        body = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return body if isinstance(body, dict) else None


def _file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _code(error: Refusal) -> str:
    return str(getattr(error, "code", type(error).__name__))
