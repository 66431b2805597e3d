"""Every address of the application and who reaches it. `test_access.py` walks it; an address without a row fails."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

OK = (200,)
MOVED = (302,)


@dataclass(frozen=True)
class Row:
    """One address.

    Attributes
    ----------
    values : dict
        Argument of the address → name in `world.address_values`.
    method, role, answers
        How it is used, by whom at least, and what that person gets. Role "observer" means every member.
    data, query : dict
        Of the request; values that begin with ``@`` are looked up in `address_values`.
    anonymous : int
        302 to sign-in for pages, 401 for scripts and the API; 0 where anonymous visitors get what members get.
    refused : str
        A method the address does not take.
    """

    values: dict[str, str] = field(default_factory=dict)
    method: str = "GET"
    role: str = "observer"
    answers: tuple[int, ...] = OK
    data: dict[str, Any] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    anonymous: int = 302
    refused: str = "DELETE"
    asynchronous: bool = False


def page(*extra: str, **options: Any) -> Row:
    """A page of a project; extra arguments are ``argument=name`` or one word for both."""
    pairs = dict(each.split("=") if "=" in each else (each, each) for each in extra)
    return Row({"project": "project"} | pairs, **options)


def api(*extra: str, **options: Any) -> Row:
    """An address of the API inside a project."""
    return page(*extra, anonymous=401, **options)


def write(*extra: str, role: str, answers: tuple[int, ...] = MOVED, **options: Any) -> Row:
    """Something that only a role may do."""
    return page(*extra, method="POST", role=role, answers=answers, refused="GET", **options)


RUN = ("number=experiment", "arm", "seed")
DRAFT = ("slug=draft", "number=one")
FROZEN = ("slug=dataset", "number=one")
SYNTHETIC = ("number=batch", "synthetic")
FILE = ("number=import", "file_id=file")
ITEM = ("number=review", "position=one")
NEW_REVIEW = {
    "experiment": "@experiment",
    "arm": "@arm",
    "seed": "@seed",
    "kind": "missed",
    "test_set": "internal_test",
    "score_above": 0.2,
}
DESIGN = {
    "version": "@frozen",
    "name": "From the API",
    "hypothesis": "It helps.",
    "primary_endpoint": "sensitivity:malignant:internal_test",
    "arms": [{"name": "Real", "preset": "cpu-quick"}],
}

TABLE: dict[str, list[Row]] = {
    "core:front-door": [Row(answers=MOVED, anonymous=0)],
    "core:health": [Row(anonymous=0)],
    "core:style-guide": [Row()],
    "accounts:sign-in": [Row(answers=(200, 302), anonymous=0, refused="")],
    "accounts:sign-out": [Row(method="POST", answers=MOVED, anonymous=0, refused="GET")],
    "accounts:projects": [Row(answers=MOVED)],
    "accounts:people": [
        page(role="admin"),
        page(method="POST", role="admin", answers=MOVED, data={"username": "outsider", "role": "observer"}),
    ],
    "accounts:change-role": [write("person=observer", role="admin", data={"role": "curator"})],
    "accounts:audit": [page(role="admin")],
    "accounts:audit-csv": [page(role="admin")],
    "accounts:remove-member": [write("person=observer", role="admin")],
    "api:projects": [Row(anonymous=401)],
    "api:schema": [Row(anonymous=401)],
    "api:docs": [Row()],
    "api:project": [api()],
    "api:cases": [api()],
    "api:case": [api("number=case")],
    "api:lesions": [api()],
    "api:lesion": [api("pk=lesion")],
    "api:datasets": [api()],
    "api:dataset": [api("slug=dataset")],
    "api:version": [api(*FROZEN)],
    "api:splits": [api(*FROZEN)],
    "api:experiments": [api(), api(method="POST", role="researcher", answers=(201,), data=DESIGN)],
    "api:experiment": [api("number=experiment")],
    "api:launch": [api("number=unlaunched", method="POST", role="researcher", refused="GET")],
    "api:arms": [api("number=experiment")],
    "api:runs": [api("number=experiment")],
    "api:run": [api(*RUN)],
    "api:predictions": [api(*RUN, query={"split": "internal_test"})],
    "api:results": [api("number=experiment")],
    "api:result-panel": [api("number=experiment", "panel")],
    "api:experiment-reasons": [api("number=experiment")],
    "api:reviews": [api(), api(method="POST", role="radiologist", answers=(201,), data=NEW_REVIEW)],
    "api:review": [api("number=review")],
    "api:review-items": [api("number=review")],
    "api:review-item": [api(*ITEM)],
    "api:review-reveal": [api(*ITEM, method="POST", role="radiologist", refused="GET")],
    "api:review-answer": [
        api(*ITEM, method="POST", role="radiologist", answers=(201,), refused="GET", data={"state": "skipped"})
    ],
    "api:review-answers": [api("number=review")],
    "api:review-reasons": [api("number=review")],
    "api:simulations": [api()],
    "api:simulation": [api("number=batch")],
    "api:synthetic-views": [api("number=batch")],
    "api:synthetic-view": [api(*SYNTHETIC)],
    "api:models": [api()],
    "api:model": [api("number=model")],
    "api:applications": [api()],
    "api:application": [api("number=application")],
    "api:jobs": [api()],
    "api:job": [api("number=job")],
    "jobs:list": [page()],
    "jobs:stream": [page(anonymous=401, asynchronous=True, refused="")],
    "jobs:live": [page(anonymous=401, refused="")],
    "jobs:detail": [page("number=job")],
    "jobs:status": [page("number=job")],
    "jobs:log": [page("number=job")],
    "jobs:cancel": [write("number=job", role="researcher"), write("number=job", role="curator")],
    "jobs:retry": [write("number=failed", role="researcher"), write("number=failed", role="curator")],
    "datasets:list": [page(), page(method="POST", role="curator", answers=MOVED, data={"name": "Another"})],
    "datasets:add": [
        page(role="curator", answers=MOVED),
        page(method="POST", role="curator", data={"all": "1", "everything": "1"}),
    ],
    "datasets:version": [page(*FROZEN)],
    "datasets:draw": [
        write(
            *DRAFT, role="curator", data={"test_share": "20", "validation_share": "20", "seed": "3"}, answers=(302, 400)
        )
    ],
    "datasets:freeze": [write(*DRAFT, role="curator")],
    "datasets:copy": [write(*FROZEN, role="curator")],
    "simulations:list": [page()],
    "simulations:new": [page(role="researcher"), page(method="POST", role="researcher", answers=(422,))],
    "simulations:panel": [write(role="researcher", answers=OK)],
    "simulations:try": [write(role="researcher", answers=(422,))],
    "simulations:batch": [page("number=batch")],
    "simulations:status": [page("number=batch")],
    "simulations:sample": [page("number=batch")],
    "simulations:cancel": [write("number=batch", role="researcher"), write("number=batch", role="curator")],
    "simulations:resume": [write("number=batch", role="researcher"), write("number=batch", role="curator")],
    "simulations:record": [page(*SYNTHETIC)],
    "simulations:record-file": [page(*SYNTHETIC)],
    "simulations:crop": [page(*SYNTHETIC, "which=synthetic_word", "kind=low_energy")],
    "simulations:again": [
        page(*SYNTHETIC, role="researcher"),
        page(*SYNTHETIC, method="POST", role="researcher", answers=(422,)),
    ],
    "simulations:reopen": [
        write(*SYNTHETIC, role="researcher", answers=(204,)),
        write(*SYNTHETIC, role="radiologist", answers=(204,)),
    ],
    "simulations:judge": [
        write(*SYNTHETIC, role="researcher", data={"verdict": "accept"}),
        write(*SYNTHETIC, role="radiologist", data={"verdict": "accept"}),
    ],
    "experiments:list": [page()],
    "experiments:new": [page(role="researcher"), page(method="POST", role="researcher", answers=(400, 422))],
    "experiments:consequences": [write(role="researcher", answers=OK)],
    "experiments:compare": [page(query={"run": "@compared"})],
    "experiments:experiment": [page("number=experiment")],
    "experiments:launch": [write("number=unlaunched", role="researcher")],
    "experiments:runs": [page("number=experiment")],
    "experiments:run": [page(*RUN)],
    "experiments:status": [page(*RUN)],
    "experiments:samples": [page(*RUN)],
    "experiments:curves": [page(*RUN)],
    "experiments:cancel": [write("number=open", "arm", "seed", role="researcher")],
    "experiments:retry": [write("number=stopped", "arm", "seed", role="researcher")],
    "experiments:artifact": [page(*RUN, "artifact")],
    "registry:list": [page()],
    "registry:model": [page("number=model")],
    "registry:stage": [write("number=model", role="researcher", data={"stage": "retired", "reason": "Superseded."})],
    "registry:note": [write("number=model", role="researcher", data={"reason": "A note."})],
    "registry:weights": [page("number=model", role="researcher")],
    "registry:apply": [
        page(role="researcher"),
        page(method="POST", role="researcher", data={"all": "1", "query": ""}),
        page(
            method="POST",
            role="researcher",
            answers=MOVED,
            data={"model": "@model_key", "source": "all", "device": "cpu", "start": "1"},
        ),
    ],
    "registry:applications": [page()],
    "registry:application": [page("number=application")],
    "registry:status": [page("number=application")],
    "registry:cancel": [write("number=application", role="researcher"), write("number=application", role="curator")],
    "registry:resume": [write("number=application", role="researcher"), write("number=application", role="curator")],
    "results:list": [page()],
    "results:experiment": [page("number=experiment")],
    "results:cases": [
        page("number=experiment", query={"run": "@run", "test_set": "internal_test", "group": "malignant"})
    ],
    "results:levels": [page("number=experiment")],
    "results:calibration": [page("number=experiment")],
    "results:outlines": [page("number=experiment")],
    "results:curves": [page("number=experiment")],
    "results:threshold": [
        page(
            "number=experiment",
            query={
                "step": "500",
                "run": "@run",
                "test_set": "internal_test",
                "group": "malignant",
                "outcome": "missed",
            },
        )
    ],
    "results:failures": [page("number=experiment")],
    "results:report": [page("number=experiment")],
    "results:report-make": [write("number=experiment", role="researcher")],
    "results:report-file": [page("number=experiment", "report")],
    "results:checklists": [
        page("number=experiment"),
        page("number=experiment", method="POST", role="researcher", answers=MOVED, data={"text-ethics": "Approved."}),
    ],
    "results:checklists-csv": [page("number=experiment")],
    "results:csv": [page("number=experiment", "table=table")],
    "results:json": [page("number=experiment")],
    "viewer:case": [page("number=case")],
    "viewer:study": [page("number=case")],
    "viewer:layers": [page("number=case")],
    "viewer:metadata": [page("image_id=image")],
    "viewer:frame": [page("image_id=image")],
    "viewer:rendered": [page("image_id=image")],
    "viewer:difference_frame": [page("image_id=synthetic_image")],
    "viewer:difference_rendered": [page("image_id=synthetic_image")],
    "reviews:list": [page()],
    "reviews:new": [
        page(role="researcher"),
        page(role="radiologist"),
        page(
            method="POST",
            role="radiologist",
            answers=MOVED,
            data={"run": "@run", "test_set": "internal_test", "kind": "missed", "group": "malignant"},
        ),
    ],
    "reviews:answers": [page(query={"queue": "@review", "reader": "@radiologist", "reason": "dense"})],
    "reviews:experiment": [page("number=experiment")],
    "reviews:queue": [page("number=review")],
    "reviews:csv": [page("number=review")],
    "reviews:item": [page(*ITEM, role="radiologist")],
    "reviews:layers": [page(*ITEM, role="radiologist")],
    "reviews:time": [write(*ITEM, role="radiologist", answers=(204,), data={"seconds": "3"})],
    "reviews:reveal": [write(*ITEM, role="radiologist", data={"seconds": "3"})],
    "reviews:answer": [write(*ITEM, role="radiologist", data={"state": "answered", "reason": "edge", "seconds": "5"})],
    "cases:home": [page()],
    "cases:search": [page(query={"q": "P0"}, answers=(200, 302))],
    "cases:list": [page()],
    "cases:export": [page()],
    "cases:preview": [page("number=case")],
    "cases:thumbnail": [page("image_id=image")],
    "cases:file": [page("image_id=image")],
    "cases:import": [page(role="curator"), page(method="POST", role="curator", answers=(422,), data={"site": ""})],
    "cases:import-begin": [write(role="curator", answers=(201,), data={"site": "A"})],
    "cases:import-report": [page("number=import", role="curator")],
    "cases:import-piece": [
        write(
            "number=import",
            role="curator",
            answers=(200, 400),  # only who began an upload adds to it
            query={"index": "1", "name": "a.dcm", "size": "4", "offset": "0"},
            data={"body": "1234"},
        )
    ],
    "cases:import-finish": [write("number=import", role="curator", answers=(200, 400, 422))],
    "cases:import-status": [page("number=import", role="curator")],
    "cases:import-picture": [page(*FILE, role="curator")],
    "cases:import-answer": [write(*FILE, role="curator", data={"kind": "nonsense"})],
}
