"""What the registry adds to the pages around it: rail entry, the action on chosen cases, the model of a run."""

from __future__ import annotations

from typing import Any

from webapp.accounts import permissions
from webapp.accounts.models import Project
from webapp.core.registry import NavigationEntry, Panel, SelectionAction, navigation, run_panels, selection_actions
from webapp.experiments.models import Run
from webapp.registry import selectors


def may_use(role: str | None) -> bool:
    """Whether a role decides about models and applies them."""
    return permissions.role_may(role, permissions.LAUNCH)


def model_of_run(request: Any, project: Project, run: Run) -> dict[str, Any] | None:
    """The model a run left; left out while there is none."""
    found = selectors.models_of(request.user, project).filter(run=run).first()
    return {"model": found} if found is not None else None


def register() -> None:
    """Put models on the rail, on the cases page and beside a run."""
    navigation.register(
        "models",
        NavigationEntry(
            section="Experiments",
            label="Models",
            icon="models",
            url_name="registry:list",
            key="m",
            position=52,
        ),
    )
    selection_actions.register(
        "models",
        SelectionAction("Apply a model", "registry:apply", icon="models", whole_list=True, visible=may_use),
    )
    run_panels.register("models", Panel("registry/_of_run.html", model_of_run, area="side"))
