"""What results add to the pages around them: rail entry and the latest result on the project home."""

from __future__ import annotations

from typing import Any

from webapp.accounts.models import Project
from webapp.core.registry import NavigationEntry, Panel, home_panels, navigation
from webapp.results import figures, selectors
from webapp.results.cases import cases_address


def latest_result(request: Any, project: Project, subject: Any) -> dict[str, Any] | None:
    """The newest experiment whose runs have all ended.

    Numbers are shown only once someone has opened its results, so that the home page itself opens no test set.
    """
    found = selectors.latest(request.user, project)
    if found is None:
        return None
    if not any(selectors.looks(found).values()):
        return {"experiment": found, "opened": False}
    rows = selectors.rows(found)
    address = cases_address(project, found.number)
    measure, group, test_set = found.primary_endpoint.split(":")
    return {
        "experiment": found,
        "opened": True,
        "single_seed": len(found.seeds) == 1,
        "panel": figures.small(found, rows, found.primary_endpoint, address),
        "measure": selectors.MEASURES[measure],
        "group": selectors.GROUPS[group],
        "test_set": selectors.TEST_SETS[test_set],
        "rows": [
            {"arm": row.arm.name, "seed": row.run.seed, "number": row.numbers[measure], "url": address(row, measure)}
            for row in rows
            if (row.group, row.test_set) == (group, test_set)
        ],
    }


def register() -> None:
    """Put results on the rail and on the project home."""
    navigation.register(
        "results",
        NavigationEntry(
            section="Experiments", label="Results", icon="results", url_name="results:list", key="r", position=51
        ),
    )
    home_panels.register("results", Panel("results/_latest.html", latest_result, area="main", position=10))
