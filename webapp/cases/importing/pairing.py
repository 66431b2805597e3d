"""Which files make one view: by study, side, direction and acquisition."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from webapp.cases.importing.errors import Refused
from webapp.cases.importing.examined import Examined


@dataclass
class Grouped:
    """The files chosen for one view, and those left out with the reason."""

    chosen: list[Examined]
    left_out: list[tuple[Examined, Refused]] = field(default_factory=list)


def group_views(files: Iterable[Examined]) -> list[Grouped]:
    """Views in order of their first file; see `choose`."""
    views: dict[tuple[str, str, str, str], list[Examined]] = defaultdict(list)
    for file in files:
        views[file.view_key].append(file)
    return [choose(members) for members in views.values()]


def choose(files: list[Examined]) -> Grouped:
    """At most one low-energy and one recombined image of a view.

    Where a view was exposed more than once, a complete pair of one acquisition goes before single images, and the
    later one before the earlier: a repeat replaces the exposure that was not good enough.
    """
    kinds = [file.kind for file in files]
    if len(set(kinds)) == len(kinds):
        return _matching(files)
    exposures: dict[str, list[Examined]] = defaultdict(list)
    for file in files:
        exposures[file.acquisition].append(file)
    candidates = [members for members in exposures.values() if len({file.kind for file in members}) == len(members)]
    if not candidates:
        return Grouped([], [(file, _undecided(file)) for file in files])
    best = max(candidates, key=lambda members: (len(members), max(file.when for file in members)))
    return Grouped(best, [(file, _repeat(file)) for file in files if file not in best])


def _matching(files: list[Examined]) -> Grouped:
    """Two images of different kind; their acquisitions may be stated differently by kind, their size may not."""
    if len(files) == 2:
        first, second = files
        shapes = {(file.facts["rows"], file.facts["columns"]) for file in files}
        if len(shapes) > 1:
            refusal = Refused(
                "Sizes differ",
                f"{first.laterality} {first.position}: the low-energy and the recombined image have different sizes "
                f"({_size(first)} and {_size(second)}).",
                "The two images of a view must have the same size: export both at full size.",
            )
            return Grouped([], [(file, refusal) for file in files])
        spacings = {tuple(round(value, 4) for value in file.facts["spacing_mm"] or ()) for file in files} - {()}
        if len(spacings) > 1:
            refusal = Refused(
                "Pixel spacing differs",
                f"{first.laterality} {first.position}: the two images state different pixel spacing.",
                "Check that they belong together.",
            )
            return Grouped([], [(file, refusal) for file in files])
    return Grouped(files)


def contradictions(files: Iterable[Examined]) -> dict[str, str]:
    """Patient keys whose files contradict each other, with the fact that differs."""
    seen: dict[str, dict[str, str]] = defaultdict(dict)
    found: dict[str, str] = {}
    for file in files:
        for fact, value in file.identity.items():
            if seen[file.patient_key].setdefault(fact, value) != value:
                found[file.patient_key] = fact
    return found


def _repeat(file: Examined) -> Refused:
    return Refused(
        "Repeated exposure",
        f"{file.laterality} {file.position} was exposed more than once; another exposure of this exam was taken.",
        "An exam keeps one exposure of each view: the complete pair, else the latest.",
    )


def _undecided(file: Examined) -> Refused:
    return Refused(
        "Repeated exposure",
        f"{file.laterality} {file.position}: there are several images of one kind that state the same acquisition.",
        "Leave one low-energy and one recombined image of the view in the folder.",
    )


def _size(file: Examined) -> str:
    return f"{file.facts['rows']} × {file.facts['columns']}"
