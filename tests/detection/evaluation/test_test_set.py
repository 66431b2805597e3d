"""Sensitivity, precision and AUC of a test set, and the cases behind each number."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from detection.evaluation import test_set
from detection.evaluation.errors import EvaluationError
from detection.evaluation.matching import match
from detection.evaluation.protocol import Protocol, digest_of
from detection.evaluation.resampling import Units
from detection.evaluation.result import ViewRecord
from detection.evaluation.test_set import evaluate
from imaging.contours import polygons_to_mask
from tests.detection.evaluation.scenes import QUICK, finding, image, lesion, random_images

FAR = (40.0, 40.0, 50.0, 50.0)


def worked_example() -> list[test_set.EvaluatedImage]:
    """Four patients, counted by hand in the tests below."""
    mass, cluster = lesion(lesion_id="M"), lesion(lesion_type="cluster", lesion_id="C")
    both, other = lesion(FAR, lesion_type="both", lesion_id="B"), lesion(FAR, lesion_type="other", lesion_id="O")
    benign = lesion(FAR, "benign", lesion_id="N")
    return [
        image("1-cc", [mass, both], [finding(), finding(FAR, 0.8, 0.7)], "one"),
        image("1-mlo", [mass], [finding(score=0.05)], "one"),
        image("2-cc", [cluster, benign], [finding(lesion_type="cluster"), finding(FAR, 0.6, 0.8)], "two"),
        image("3-cc", [cluster], [finding(malignancy=0.4), finding(FAR, 0.5, 0.9, "cluster")], "three"),
        image("3-mlo", [other], [finding(FAR), finding(FAR, 0.3)], "three"),
        image("4-cc", [], [finding(lesion_type="cluster")], "four"),
        image("4-mlo", [], [], "four"),
    ]


def test_sensitivity_is_grouped_by_the_lesion() -> None:
    numbers = evaluate(worked_example(), QUICK).sensitivity
    counts = {group: (value.numerator, value.denominator) for group, value in numbers.items()}
    # masses: 1-cc found, 1-mlo low score; clusters: both and 2-cc found, 3-cc wrong class; other found
    assert counts == {"malignant": (4, 6), "malignant_mass": (1, 2), "malignant_cluster": (2, 3)}
    assert numbers["malignant"].value == pytest.approx(4 / 6)


def test_precision_is_grouped_by_what_the_finding_says() -> None:
    numbers = evaluate(worked_example(), QUICK).precision
    counts = {group: (value.numerator, value.denominator) for group, value in numbers.items()}
    # masses said: 1-cc twice true (one on a cluster), 2-cc on a benign lesion false, 3-mlo true (its repeat ignored);
    # clusters said: 2-cc true, 3-cc off the lesion, 4-cc without one
    assert counts == {"malignant": (4, 7), "malignant_mass": (3, 4), "malignant_cluster": (1, 3)}


def test_duplicates_weigh_on_precision_as_the_protocol_says() -> None:
    ignored = evaluate(worked_example(), QUICK)
    as_false = evaluate(worked_example(), replace(QUICK, duplicates="fp"))
    reported = evaluate(worked_example(), replace(QUICK, duplicates="report"))
    assert as_false.precision["malignant"].denominator == 8
    assert reported.precision == ignored.precision
    assert reported.precision_duplicates_false is not None and ignored.precision_duplicates_false is None
    assert reported.precision_duplicates_false == as_false.precision
    assert "1 duplicate finding(s)" in " ".join(ignored.warnings)


def test_the_auc_takes_findings_on_lesions_whatever_their_class() -> None:
    result = evaluate(worked_example(), QUICK)
    # malignant: .9 .7 .9 .4 .9; benign: .8
    assert result.auc["malignant"].value == pytest.approx(3 / 5)
    assert result.auc["malignant"].n == 6
    # on masses .9 against .8; no benign cluster
    assert (result.auc["malignant_mass"].value, result.auc["malignant_mass"].n) == (1.0, 2)
    assert result.auc["malignant_cluster"].value is None
    assert result.auc["malignant_cluster"].reason == "undefined: one class"


def test_every_missed_lesion_can_be_opened_with_its_reason() -> None:
    result = evaluate(worked_example(), QUICK)
    rows = [(r.sample_id, r.lesion_id, r.reason, r.finding, r.score) for r in result.lesions if r.outcome == "FN"]
    assert rows == [
        ("1-mlo", "M", "low score", 0, 0.05),
        ("2-cc", "N", "wrong class", 1, 0.6),
        ("3-cc", "C", "wrong class", 0, 0.9),
    ]


def test_the_counts_can_be_rebuilt_from_the_cases() -> None:
    images = random_images(21, 200)
    result = evaluate(images, QUICK)
    malignant = [row for row in result.lesions if row.malignancy == "malignant"]
    clusters = [row for row in malignant if row.lesion_type in ("cluster", "both")]
    masses = [row for row in malignant if row.lesion_type == "mass"]
    for group, rows in (("malignant", malignant), ("malignant_cluster", clusters), ("malignant_mass", masses)):
        found = sum(row.outcome == "TP" for row in rows)
        assert (result.sensitivity[group].numerator, result.sensitivity[group].n) == (found, len(rows))
    assert len(result.lesions) == sum(len(entry.targets) for entry in images)
    assert len(result.findings) == sum(len(entry.findings) for entry in images)
    by_id = {entry.sample_id: entry for entry in images}
    for row in result.lesions:
        if row.finding is not None:
            assert by_id[row.sample_id].findings[row.finding].score == row.score


def test_intervals_equal_a_bootstrap_that_evaluates_repeated_patients() -> None:
    """Each resample is built as a list of images and counted again from its matches."""
    images = random_images(22, 60)
    result = evaluate(images, QUICK)
    by_patient: dict[str, list[test_set.EvaluatedImage]] = {}
    for entry in images:
        by_patient.setdefault(entry.patient_id, []).append(entry)
    matches = {entry.sample_id: match(entry.targets, entry.findings, QUICK) for entry in images}
    units = Units(list(by_patient))
    drawn: dict[str, list[float]] = {"sensitivity": [], "precision": [], "auc": []}
    for weights in np.concatenate(list(units.weight_blocks(200, 0))):
        found = lesions = true = said = 0
        labels, scores = [], []
        for name, times in zip(units.names, weights, strict=True):
            for entry in by_patient[name] * int(times):
                matched = matches[entry.sample_id]
                for target, of_lesion in zip(entry.targets, matched.lesions, strict=True):
                    lesions += target.malignancy == "malignant"
                    found += target.malignancy == "malignant" and of_lesion.outcome == "TP"
                for f, of_finding in zip(entry.findings, matched.findings, strict=True):
                    if f.is_malignant and of_finding.outcome in ("TP", "FP"):
                        said += 1
                        true += of_finding.outcome == "TP"
                    if of_finding.localised is not None:
                        labels.append(entry.targets[of_finding.localised].malignancy == "malignant")
                        scores.append(f.malignancy)
        drawn["sensitivity"].append(found / lesions)
        drawn["precision"].append(true / said)
        drawn["auc"].append(roc_auc_score(labels, scores))
    for name, values in drawn.items():
        low, high = np.percentile(values, [2.5, 97.5])
        interval = getattr(result, name)["malignant"]
        assert (interval.low, interval.high) == (pytest.approx(low, abs=1e-12), pytest.approx(high, abs=1e-12))
        assert interval.low < interval.value < interval.high


@pytest.mark.parametrize("rule", ["greedy", "hungarian", "argmax_lesion", "any_overlap"])
def test_the_order_of_images_plays_no_part(rule: str) -> None:
    protocol = replace(QUICK, matching=rule)
    images = random_images(23, 60)
    shuffled = list(images)
    random.Random(0).shuffle(shuffled)
    assert evaluate(shuffled, protocol) == evaluate(images, protocol)


def test_arms_on_one_test_set_share_their_resamples() -> None:
    images = [replace(entry, findings=tuple(entry.findings[:4])) for entry in random_images(24, 60)]
    noisier = [replace(entry, findings=(*entry.findings, finding((200, 200, 210, 210), 0.11))) for entry in images]
    first, second = evaluate(images, QUICK), evaluate(noisier, QUICK)
    assert first.test_set_digest == second.test_set_digest
    # false findings of lowest score change no hit: with shared resamples the intervals agree to the last digit
    assert second.sensitivity == first.sensitivity
    assert second.precision["malignant"] != first.precision["malignant"]
    assert evaluate(images, replace(QUICK, seed=1)).sensitivity != first.sensitivity


def test_no_lesions_no_findings_and_one_class_are_undefined_each_with_its_reason() -> None:
    empty = evaluate([image("a", [], []), image("b", [], [])], QUICK)
    assert empty.sensitivity["malignant"].value is None
    assert empty.sensitivity["malignant"].reason == "undefined: no lesions"
    assert empty.precision["malignant"].reason == "undefined: no findings above the threshold"
    assert empty.auc["malignant"].reason == "undefined: no matched findings"
    one = evaluate([image("a", [lesion()], [finding()]), image("b", [lesion()], [finding()])], QUICK)
    assert (one.auc["malignant"].value, one.auc["malignant"].reason) == (None, "undefined: one class")
    assert evaluate([], QUICK).sensitivity["malignant"].value is None


def test_images_without_lesions_weigh_on_precision_but_not_on_sensitivity() -> None:
    images = [image("a", [lesion()], [finding()]), image("b", [lesion()], [])]
    more = [*images, image("c", [], [finding()])]
    assert evaluate(more, QUICK).sensitivity["malignant"].value == 0.5
    assert evaluate(images, QUICK).precision["malignant"].value == 1.0
    assert evaluate(more, QUICK).precision["malignant"].value == 0.5


def test_a_test_set_without_lesion_types_knows_all_malignant_lesions_only() -> None:
    untyped = [
        replace(entry, targets=tuple(replace(t, lesion_type="other") for t in entry.targets))
        for entry in random_images(25, 60)
    ]
    result = evaluate(untyped, QUICK, groups_known=False)
    for numbers in (result.sensitivity, result.precision, result.auc):
        assert numbers["malignant"].value is not None
        for group in ("malignant_mass", "malignant_cluster"):
            assert numbers[group].value is None
            assert numbers[group].reason == "undefined: the lesion types of this test set are not known"
    with pytest.raises(EvaluationError, match="types of this test set are not known"):
        evaluate(untyped, replace(QUICK, class_aware="malignancy and type"), groups_known=False)


def test_all_lesions_in_one_patient_leave_the_interval_undefined() -> None:
    images = [
        image("a", [lesion()], [finding()], "one"),
        image("b", [lesion()], [], "one"),
        image("c", [], [], "two"),
    ]
    value = evaluate(images, QUICK).sensitivity["malignant"]
    assert (value.value, value.low, value.reason) == (0.5, None, "interval undefined: only one patient contributes")
    by_image = evaluate(images, replace(QUICK, resampling="image")).sensitivity["malignant"]
    assert by_image.low is not None and by_image.method == "percentile bootstrap of images"


def test_degenerate_resamples_become_a_warning_of_the_result() -> None:
    images = [image(f"{k}", [], [finding()] if k % 2 else []) for k in range(10)]
    images += [image("x", [lesion()], [finding()]), image("y", [lesion()], [])]
    result = evaluate(images, Protocol())
    value = result.sensitivity["malignant"]
    # neither of two patients of twelve drawn: (10/12)^12 = 11 %
    assert value.skipped == pytest.approx(0.112 * 2000, abs=60)
    assert any("sensitivity, malignant:" in warning and "skipped" in warning for warning in result.warnings)


def test_what_a_reader_must_know_is_said() -> None:
    images = [
        image("a", [lesion((3, 3, 3, 9))], [finding(), finding()]),
        image("b", [lesion(malignancy="unknown")], [finding()]),
    ]
    warnings = " ".join(evaluate(images, QUICK).warnings)
    assert "1 lesion box(es) have no area" in warnings
    assert "1 lesion(s) of unknown malignancy are not scored" in warnings
    assert "1 finding(s) repeat another finding" in warnings


def test_lesions_and_findings_of_unknown_malignancy_touch_no_number() -> None:
    images = random_images(26, 40)
    marked = [
        replace(
            entry,
            targets=(*entry.targets, lesion((100, 100, 120, 120), "unknown", "mass", "U")),
            findings=tuple(entry.findings[:4]),
        )
        for entry in images
    ]
    with_finding = [replace(entry, findings=(*entry.findings, finding((100, 100, 120, 120), 0.11))) for entry in marked]
    assert evaluate(marked, QUICK).short() == evaluate(with_finding, QUICK).short()


def test_a_view_or_a_lesion_listed_twice_is_refused() -> None:
    twice = [image("a", [], [], "p"), image("a", [], [], "p")]
    with pytest.raises(EvaluationError, match="Image a is listed more than once"):
        evaluate(twice, QUICK)
    with pytest.raises(EvaluationError, match="lesion L1 is listed more than once"):
        evaluate([image("a", [lesion(), lesion()], [])], QUICK)


def test_a_bad_score_names_the_image() -> None:
    with pytest.raises(EvaluationError, match="Image a, finding 0: expected a score from 0 to 1, found nan"):
        evaluate([image("a", [], [finding(score=float("nan"))])], QUICK)


def test_a_result_survives_json() -> None:
    result = evaluate(random_images(27, 40), replace(QUICK, duplicates="report"))
    body = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert test_set.TestSetResult.from_json(body) == result
    assert body["protocol_digest"] == result.protocol.digest()
    assert set(result.short()["sensitivity"]["malignant"]) == {"value", "low", "high", "n", "reason"}


def test_a_result_of_the_schema_before_reads_without_views_and_dice() -> None:
    result = evaluate(random_images(27, 12), QUICK)
    body = json.loads(json.dumps(result.to_json()))
    body |= {"schema": "cemlab.test-set-result/2", "protocol": {**body["protocol"]}}
    for name in ("linked", "unit_score", "interval"):
        del body["protocol"][name]
    body["protocol"]["schema"] = "cemlab.evaluation-protocol/1"
    body["protocol_digest"] = digest_of(body["protocol"])
    del body["views"]
    for record in body["lesions"]:
        del record["dice"]
    read = test_set.TestSetResult.from_json(body)
    assert read.views == () and all(row.dice is None for row in read.lesions)
    assert (read.short(), read.protocol, read.findings) == (result.short(), result.protocol, result.findings)
    with pytest.raises(EvaluationError, match="altered"):
        test_set.TestSetResult.from_json({**body, "protocol": {**body["protocol"], "seed": 5}})


def test_every_view_carries_its_truth_and_its_highest_score_called_malignant() -> None:
    unsure = lesion(malignancy="unknown")
    benign = lesion(FAR, "benign", lesion_id="L2")
    high = finding((200, 200, 210, 210), 0.95, malignancy=0.2)
    said = [finding((200, 200, 210, 210), score) for score in (0.3, 0.6)]
    images = [
        replace(image("a", [lesion(), lesion(FAR, "unknown", lesion_id="L3")], [high, *said], "p"), breast_id="p-L"),
        image("b", [unsure, benign], [finding((200, 200, 210, 210), 0.05)], "p"),
        image("c", [benign], said * 3, "q"),
        image("d", [], [high], "q"),
    ]
    views = evaluate(images, replace(QUICK, top=1)).views
    assert [(row.sample_id, row.malignant, row.score) for row in views] == [
        ("a", True, 0.0),
        ("b", None, 0.0),
        ("c", False, 0.6),
        ("d", False, 0.0),
    ]
    assert evaluate(images, QUICK).views[0] == ViewRecord("a", "p", "p-L", True, 0.6)
    assert [row.breast_id for row in views] == ["p-L", None, None, None]


def test_dice_of_a_found_lesion_is_that_of_the_filled_outlines() -> None:
    truth = lesion((10, 10, 40, 30))
    outline = ((12.2, 8.0), (45.0, 12.5), (30.0, 33.0))
    found = finding((10, 8, 45, 33))
    images = [
        image("a", [truth], [replace(found, contour=outline)]),
        image("b", [truth], [found]),
        image("c", [replace(truth, polygons=())], [replace(found, contour=outline)]),
        image("d", [truth], [replace(found, contour=outline, score=0.05)]),
        image("e", [replace(truth, polygons=(((11.1, 11.1), (11.2, 11.1), (11.2, 11.2)),))],
              [replace(found, contour=((11.1, 11.1), (11.2, 11.1), (11.2, 11.2)))]),
    ]  # fmt: skip
    one, other = (polygons_to_mask([polygon], (60, 60)) for polygon in (truth.polygons[0], outline))
    expected = 2 * (one & other).sum() / (one.sum() + other.sum())
    by_image = {row.sample_id: (row.outcome, row.dice) for row in evaluate(images, QUICK).lesions}
    assert by_image == {
        "a": ("TP", expected), "b": ("TP", None), "c": ("TP", None), "d": ("FN", None), "e": ("TP", None)
    }  # fmt: skip


def test_an_outline_that_is_none_names_the_image() -> None:
    line = replace(finding(), contour=((0.0, 0.0), (10.0, 10.0)))
    with pytest.raises(EvaluationError, match="Image b, finding 0: a polygon needs at least three"):
        evaluate([image("a", [lesion()], []), image("b", [lesion()], [line])], QUICK)


def test_an_altered_or_incomplete_result_is_refused() -> None:
    body = evaluate(random_images(28, 6), QUICK).to_json()
    with pytest.raises(EvaluationError, match="altered"):
        test_set.TestSetResult.from_json({**body, "protocol": {**body["protocol"], "seed": 5}})
    with pytest.raises(EvaluationError, match="'lesions' is missing"):
        test_set.TestSetResult.from_json({name: v for name, v in body.items() if name != "lesions"})
    with pytest.raises(EvaluationError, match="expected schema"):
        test_set.TestSetResult.from_json({})
