"""Exports: every shown number can be counted anew from the rows, and no row stands without what it rests on."""

from __future__ import annotations

import csv
import io
import json
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import precision_score, recall_score, roc_auc_score, roc_curve

from detection.evaluation.protocol import Protocol
from tests.webapp.experiment_records import finish_all, graded, outlined
from webapp.accounts.models import User
from webapp.core.models import AuditEvent
from webapp.experiments.models import Experiment
from webapp.results import (
    calibration,
    calibration_figures,
    comparison,
    curves,
    exports,
    levels,
    models,
    outlines,
    selectors,
    subgroups,
)
from webapp.results.cases import LESION_TYPES
from webapp.results.exports import columns
from webapp.results.exports.columns import PROVENANCE, SUBJECT, safe, write
from webapp.results.verdict import verdict

pytestmark = pytest.mark.django_db
DOCUMENT = Path(settings.ROOT) / "docs" / "formats" / "results.md"
Line = dict[str, str]
Shown = tuple[Any, ...]


@pytest.fixture
def evaluated(experiment: Experiment) -> Experiment:
    """Three arms with scores of their own for every view, and outlines."""
    return finish_all(experiment, lambda run: outlined(graded(run.arm.position)))


def lines(client: Client, table: str) -> list[Line]:
    answer = client.get(reverse("results:csv", args=["study", 1, table]))
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO(answer.getvalue().decode(), newline="")))


def everything(client: Client) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(client.get(reverse("results:json", args=["study", 1])).getvalue())
    return body


def of_run(rows: list[Line], arm: str, test_set: str) -> list[Line]:
    return [row for row in rows if (row["arm"], row["test_set"]) == (arm, test_set)]


def test_shown_numbers_follow_from_the_exported_rows_by_scikit_learn(client: Client, evaluated: Experiment) -> None:
    numbers, lesions, findings = (lines(client, table) for table in ("numbers", "lesions", "findings"))
    checked = 0
    for number in numbers:
        arm, test_set, group = number["arm"], number["test_set"], number["group"]
        types = LESION_TYPES[group]
        if number["measure"] == "sensitivity":
            rows = [
                row
                for row in of_run(lesions, arm, test_set)
                if row["malignancy"] == "malignant" and row["lesion_type"] in types
            ]
            value = recall_score([1] * len(rows), [int(row["found"]) for row in rows])
        elif number["measure"] == "precision":
            rows = [
                row
                for row in of_run(findings, arm, test_set)
                if row["called_malignant"] == "1"
                and row["outcome"] in {"TP", "FP"}
                and (group == "malignant" or row["lesion_type"] == group.removeprefix("malignant_"))
            ]
            value = precision_score([int(row["outcome"] == "TP") for row in rows], [1] * len(rows))
        else:
            rows = [
                row
                for row in of_run(findings, arm, test_set)
                if row["located_malignancy"] in {"benign", "malignant"} and row["located_type"] in types
            ]
            value = roc_auc_score(
                [row["located_malignancy"] == "malignant" for row in rows],
                [float(row["malignancy_probability"]) for row in rows],
            )
        assert float(number["value"]) == pytest.approx(value, abs=1e-12), number
        assert int(number["n"]) == len(rows)
        checked += 1
    assert checked == 3 * 2 * 3 * 3


def test_the_exported_roc_is_that_of_scikit_learn(client: Client, evaluated: Experiment) -> None:
    rows = [
        row
        for row in of_run(lines(client, "findings"), "Real + 0 %", "internal_test")
        if row["located_malignancy"] in {"benign", "malignant"}
    ]
    false, true, _ = roc_curve(
        [row["located_malignancy"] == "malignant" for row in rows],
        [float(row["malignancy_probability"]) for row in rows],
        drop_intermediate=False,
    )
    points = [
        row
        for row in of_run(lines(client, "curves"), "Real + 0 %", "internal_test")
        if (row["curve"], row["group"]) == ("roc", "malignant")
    ]

    assert {(float(row["x"]), float(row["y"])) for row in points} == set(
        zip(false.tolist(), true.tolist(), strict=True)
    )


@pytest.mark.parametrize("table", list(exports.TABLES))
def test_every_row_says_what_it_rests_on_and_columns_keep_their_order(
    client: Client, evaluated: Experiment, table: str
) -> None:
    answer = client.get(reverse("results:csv", args=["study", 1, table])).getvalue().decode()
    header = answer.partition("\n")[0].split(",")
    rows = list(csv.DictReader(io.StringIO(answer)))

    assert header == [*SUBJECT, *exports.TABLES[table].own, *PROVENANCE]
    assert rows
    for row in rows:
        assert Protocol.from_json(evaluated.protocol).digest() == row["protocol_digest"]
        assert row["protocol"].startswith("Counted per lesion on a view")
        assert all(len(row[name]) == 64 for name in ("data_hash", "source_hash"))
        digits = 0 if row["test_set"] == "validation" else 64
        assert all(len(row[name]) == digits for name in ("test_set_digest", "inputs_hash"))
        if "value" in row:
            assert row["n"] != "" and row["unit"] and (row["value"] != "" or row["reason"])


def test_differences_name_their_reference_and_their_correction(client: Client, evaluated: Experiment) -> None:
    rows = lines(client, "differences")
    numbers = {
        (row["arm"], row["test_set"], row["group"], row["measure"]): float(row["value"])
        for row in lines(client, "numbers")
    }

    assert len(rows) == 2 * 2 * 3 * 3 and {row["reference_arm"] for row in rows} == {"Real + 0 %"}
    for row in rows:
        key = (row["test_set"], row["group"], row["measure"])
        assert float(row["value"]) == pytest.approx(numbers[row["arm"], *key] - numbers["Real + 0 %", *key], abs=1e-12)
        found = {name: int(row[f"lesion_views_{name}"]) for name in ("gained", "lost", "both", "neither")}
        if row["measure"] == "sensitivity":
            assert sum(found.values()) == int(row["n"])
            assert (found["gained"] - found["lost"]) / int(row["n"]) == pytest.approx(float(row["value"]), abs=1e-12)
    declared = [row for row in rows if row["primary"] == "1"]
    assert [(row["arm"], row["measure"], row["group"]) for row in declared] == [
        ("Real + 200 %", "sensitivity", "malignant")
    ]


def intervals(body: Any) -> Iterator[Shown]:
    """Value, low, high, n and method of every interval anywhere in the data of a page or export."""
    if isinstance(body, dict):
        if {"value", "low", "high", "n"} <= body.keys():
            yield body["value"], body["low"], body["high"], body["n"], body.get("method")
        if "difference_low" in body and body["difference_n"] is not None:
            yield tuple(body[f"difference{name}"] for name in ("", "_low", "_high", "_n", "_method"))
        for one in body.values():
            yield from intervals(one)
    elif isinstance(body, list | tuple):
        for one in body:
            yield from intervals(one)


def test_every_interval_of_every_page_is_in_the_json(client: Client, evaluated: Experiment) -> None:
    def nowhere(*args: object, **kwargs: object) -> str:
        return ""

    exported = set(intervals(everything(client)))
    pages: dict[str, Any] = {
        "differences": [vars(row) for row in comparison.compare(evaluated).rows],
        "answer": vars(verdict(evaluated)),
        "calibration": [calibration_figures.panels(evaluated, what, nowhere) for what in calibration.WHAT],
    }
    of_groups: dict[str, Callable[[str], Any]] = {
        "curves": lambda group: curves.panels(evaluated, group, nowhere),
        "levels": lambda group: levels.panels(evaluated, group, nowhere),
        "end to end": lambda group: levels.both_ways(evaluated, group, nowhere),
        "subgroups": lambda group: subgroups.subgroups(evaluated, group),
        "outlines": lambda group: outlines.panels(evaluated, group, evaluated.project),
    }
    pages |= {page: [body(group) for group in selectors.GROUPS] for page, body in of_groups.items()}

    for page, body in pages.items():
        shown = set(intervals(body))
        assert any(value is not None for value, *_ in shown), page
        assert shown <= exported, page


def test_misses_are_counted_from_the_exported_lesions(client: Client, evaluated: Experiment) -> None:
    lesions, misses = lines(client, "lesions"), lines(client, "misses")

    assert len(misses) == 3 * 2 * 3 * 6
    for row in misses:
        outcomes = [
            "found" if one["outcome"] == "TP" else one["reason"]
            for one in of_run(lesions, row["arm"], row["test_set"])
            if one["malignancy"] == "malignant" and one["lesion_type"] in LESION_TYPES[row["group"]]
        ]
        assert (int(row["count"]), int(row["n"])) == (outcomes.count(row["outcome"]), len(outcomes))


def test_net_benefit_follows_from_the_exported_findings(client: Client, evaluated: Experiment) -> None:
    findings = of_run(lines(client, "findings"), "Real + 0 %", "internal_test")
    rows = [
        (float(one["malignancy_probability"]), one["located_malignancy"] == "malignant")
        for one in findings
        if one["located_malignancy"] in {"benign", "malignant"}
    ]
    listed = [
        one
        for one in of_run(lines(client, "decision_curves"), "Real + 0 %", "internal_test")
        if one["of"].endswith("located findings")
    ]

    assert len(listed) == 99
    for one in listed:
        threshold, n = float(one["probability"]), len(rows)
        acted = [malignant for score, malignant in rows if score >= threshold]
        benefit = (sum(acted) - (len(acted) - sum(acted)) * threshold / (1 - threshold)) / n
        assert float(one["net_benefit"]) == pytest.approx(benefit, abs=1e-12)
        assert int(one["n"]) == n


def test_operating_points_are_those_of_the_validation_views(client: Client, evaluated: Experiment) -> None:
    rows = lines(client, "operating_points")
    views = {str(evaluated.version.version_views.filter(split="validation").count())}

    assert len(rows) == 3 * 3 and {row["test_set"] for row in rows} == {"validation"}
    assert {row["n"] for row in rows} == views and "Youden" in {row["operating_point"] for row in rows}
    assert all(row["at_or_above"] or row["reason"] for row in rows)


def test_boxes_of_findings_are_those_stored(client: Client, evaluated: Experiment) -> None:
    from webapp.experiments.models import Prediction

    rows = of_run(lines(client, "findings"), "Real + 100 %", "external_test")
    stored = Prediction.objects.filter(run__arm__name="Real + 100 %", split="external_test")

    assert len(rows) == stored.count()
    assert sorted((float(row["x1_px"]), float(row["y2_px"]), float(row["score"])) for row in rows) == sorted(
        (one.x1, one.y2, one.score) for one in stored
    )


@pytest.mark.parametrize("name", ["=1+1", "+cmd", "-2", "@SUM(A1)", "\tx", "\rx"])
def test_a_name_that_a_spreadsheet_would_run_is_quoted(name: str) -> None:
    written = io.StringIO(newline="")
    write(written, ["arm", "value"], [{"arm": name, "value": -0.5}])
    (row,) = csv.DictReader(io.StringIO(written.getvalue(), newline=""))

    assert row == {"arm": f"'{name}".replace("\r", "\n"), "value": "-0.5"}


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_comes_back_and_none_begins_like_a_formula(text: str) -> None:
    written = io.StringIO(newline="")
    write(written, ["arm", "value"], [{"arm": text, "value": 0.1}])
    (row,) = csv.DictReader(io.StringIO(written.getvalue().encode().decode(), newline=""))

    assert not row["arm"].startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    lines_end = text.replace("\r\n", "\n").replace("\r", "\n")
    assert row == {"arm": f"'{lines_end}" if lines_end.startswith(tuple("=+-@\t\n")) else lines_end, "value": "0.1"}


def test_numbers_keep_their_sign_and_truth_becomes_one_and_nought() -> None:
    assert [safe(value) for value in (-0.5, True, False, None, "a-b")] == [-0.5, 1, 0, None, "a-b"]


def test_an_export_holds_the_records_of_one_evaluation_at_once(evaluated: Experiment) -> None:
    seen: list[weakref.ref[models.Evaluation]] = []
    for _, evaluation in columns.evaluated(evaluated):
        assert evaluation.result["lesions"]
        seen.append(weakref.ref(evaluation))
        assert [one() for one in seen if one() is not None] == [evaluation]
    assert len(seen) == 6


def test_a_run_without_evaluation_keeps_its_rows_with_the_reason(client: Client, experiment: Experiment) -> None:
    from webapp.experiments import services
    from webapp.experiments.models import Run

    for run in Run.objects.filter(arm__experiment=experiment):
        services.set_run_state(run=run, state="failed", error="Graphics memory was full.")

    rows = lines(client, "numbers")

    assert len(rows) == 54 and {row["reason"] for row in rows} == {"undefined: the run failed"}
    assert {row["value"] for row in rows} == {""}
    assert lines(client, "lesions") == []


def test_the_json_holds_every_table_and_can_be_checked_against_its_protocol(
    client: Client, evaluated: Experiment
) -> None:
    body = everything(client)

    assert body["schema"] == "cemlab.results/2"
    assert Protocol.from_json(body["protocol"]).digest() == body["protocol_digest"]
    assert body["looks"] == {"internal_test": 1, "external_test": 1}
    assert body["reproducibility"]["data_hash"] == evaluated.version.content_hash
    for name, table in exports.TABLES.items():
        rows = lines(client, name)
        assert [list(row) for row in body[name]] == [list(table.columns)] * len(rows)
        assert [["" if value is None else str(safe(value)) for value in row.values()] for row in body[name]] == [
            list(row.values()) for row in rows
        ]


def test_every_export_is_a_look_and_an_unknown_table_is_not_found(
    client: Client, ended: Experiment, researcher: User
) -> None:
    lines(client, "lesions")

    assert models.TestSetLook.objects.filter(experiment=ended, person=researcher).count() == 2
    assert AuditEvent.objects.filter(action="results.look").count() == 1
    assert client.get(reverse("results:csv", args=["study", 1, "secrets"])).status_code == 404
    assert models.TestSetLook.objects.count() == 2


def test_the_rows_of_lesions_come_from_arms_that_differ(client: Client, ended: Experiment) -> None:
    """The world of `ended` finds more with each arm, so that equal numbers would mean equal rows."""
    rows = lines(client, "lesions")
    found = [
        sum(row["found"] == "1" for row in of_run(rows, f"Real + {share} %", "internal_test"))
        for share in (0, 100, 200)
    ]

    assert found[0] < found[1] < found[2]


def test_every_column_is_explained() -> None:
    words = DOCUMENT.read_text(encoding="utf-8")

    for table in exports.TABLES.values():
        assert f"## {table.name}" in words
        for column in table.columns:
            assert f"`{column}`" in words, f"{table.name}: {column}"
