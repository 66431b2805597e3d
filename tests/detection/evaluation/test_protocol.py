"""A protocol says completely how a number came about, and guards comparisons."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detection.evaluation.errors import ProtocolError, ProtocolMismatch
from detection.evaluation.protocol import Protocol, require_same_protocol
from detection.evaluation.test_set import evaluate, require_comparable
from tests.detection.evaluation.scenes import QUICK, finding, image, lesion

protocols = st.builds(
    Protocol,
    score_above=st.floats(0, 0.99),
    iou_above=st.floats(0, 0.99),
    iou_of=st.sampled_from(["box", "mask"]),
    top=st.integers(1, 100),
    matching=st.sampled_from(["greedy", "hungarian", "argmax_lesion", "any_overlap"]),
    duplicates=st.sampled_from(["ignore", "fp", "report"]),
    class_aware=st.sampled_from(["malignancy", "malignancy and type", "none"]),
    linked=st.sampled_from(["any view", "all views"]),
    unit_score=st.sampled_from(["max", "mean", "noisy-or"]),
    resampling=st.sampled_from(["patient", "image"]),
    interval=st.sampled_from(["logit-t", "percentile"]),
    resamples=st.integers(100, 10_000),
    confidence=st.floats(0.01, 0.99),
    seed=st.integers(0, 2**40),
)
OTHER_VALUES = {
    "score_above": 0.2, "iou_above": 0.5, "iou_of": "mask", "top": 3, "matching": "hungarian", "duplicates": "fp",
    "class_aware": "none", "resampling": "image", "resamples": 100, "confidence": 0.9, "seed": 1,
    "interval": "percentile",
}  # fmt: skip
OF_LEVELS = {"linked": "all views", "unit_score": "mean"}
"""Fields that only shape `levels`: its sentence tells them."""


def test_the_default_is_the_rule_of_the_paper_and_reads_as_one_line() -> None:
    assert Protocol().sentence() == (
        "Counted per lesion on a view; found when score > 0.1 and box IoU > 0.1, and benign or malignant agrees; "
        "best 5 findings an image; one-to-one, greedy by score; duplicates ignored; "
        "95 % logit-t intervals from 2,000 resamples of patients, seed 0."
    )


@given(protocols)
def test_a_protocol_survives_json(protocol: Protocol) -> None:
    read = Protocol.from_json(json.loads(json.dumps(protocol.to_json())))
    assert read == protocol
    assert read.digest() == protocol.digest()
    assert "\n" not in read.sentence()


@pytest.mark.parametrize("name", OF_LEVELS)
def test_a_rule_of_levels_changes_the_digest(name: str) -> None:
    assert replace(Protocol(), **{name: OF_LEVELS[name]}).digest() != Protocol().digest()


@pytest.mark.parametrize("name", OTHER_VALUES)
def test_every_field_changes_the_digest_and_the_sentence(name: str) -> None:
    other = replace(Protocol(), **{name: OTHER_VALUES[name]})
    assert other.digest() != Protocol().digest()
    assert other.sentence() != Protocol().sentence()


def test_the_fields_tried_above_are_all_that_have_a_second_value() -> None:
    assert {field.name for field in fields(Protocol)} - set(OTHER_VALUES) - set(OF_LEVELS) == {"level"}


def test_zero_written_as_a_whole_number_is_the_same_protocol() -> None:
    assert Protocol(score_above=0).digest() == Protocol(score_above=0.0).digest() == Protocol(score_above=-0.0).digest()


def test_a_protocol_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Protocol().seed = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("matching", "closest"), ("duplicates", None), ("iou_of", "outline"), ("level", "breast"),
        ("class_aware", True), ("linked", "one view"), ("unit_score", "median"),
        ("resampling", "row"), ("score_above", 1.0), ("score_above", float("nan")),
        ("iou_above", -0.1), ("iou_above", "0.1"), ("top", 0), ("top", 2.5), ("top", True), ("resamples", 99),
        ("confidence", 0), ("confidence", 1), ("seed", -1), ("score_above", False),
    ],
)  # fmt: skip
def test_an_unknown_value_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(ProtocolError, match=rf"'{name}': expected .*, found"):
        Protocol(**{name: value})


def test_an_incomplete_or_foreign_file_is_refused() -> None:
    body = Protocol().to_json()
    with pytest.raises(ProtocolError, match="unknown field 'speed'"):
        Protocol.from_json({**body, "speed": 1})
    with pytest.raises(ProtocolError, match="'seed' is missing"):
        Protocol.from_json({name: value for name, value in body.items() if name != "seed"})
    with pytest.raises(ProtocolError, match="expected schema"):
        Protocol.from_json({**body, "schema": "cemlab.evaluation-protocol/9"})
    with pytest.raises(ProtocolError, match="expected an object"):
        Protocol.from_json([])  # type: ignore[arg-type]


def test_a_protocol_of_the_first_schema_reads_as_what_it_implied() -> None:
    later = {"schema", "linked", "unit_score", "interval"}
    first = {name: value for name, value in Protocol().to_json().items() if name not in later}
    assert Protocol.from_json({**first, "schema": "cemlab.evaluation-protocol/1"}) == Protocol(interval="percentile")
    with pytest.raises(ProtocolError, match="'interval' is missing"):
        Protocol.from_json({**first, "schema": "cemlab.evaluation-protocol/2"})


def test_results_under_different_rules_refuse_comparison_and_say_which() -> None:
    images = [image("a", [lesion()], [finding()]), image("b", [lesion()], [])]
    first = evaluate(images, QUICK)
    require_same_protocol(first, evaluate(images, QUICK), QUICK)
    other = evaluate(images, replace(QUICK, matching="hungarian", duplicates="fp"))
    with pytest.raises(ProtocolMismatch, match=r"matching \('greedy' and 'hungarian'\), duplicates"):
        require_same_protocol(first, other)


def test_results_on_different_test_sets_refuse_comparison() -> None:
    images = [image("a", [lesion()], [finding()]), image("b", [lesion()], [])]
    without_findings = [image(entry.sample_id, entry.targets, []) for entry in images]
    require_comparable(evaluate(images, QUICK), evaluate(without_findings, QUICK))
    moved = [image("a", [lesion((0, 0, 10, 11))], [finding()]), images[1]]
    with pytest.raises(ProtocolMismatch, match="different test sets"):
        require_comparable(evaluate(images, QUICK), evaluate(moved, QUICK))
