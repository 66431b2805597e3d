"""Which finding is credited with which lesion, and why the others are not."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detection.evaluation.errors import EvaluationError
from detection.evaluation.matching import ImageMatch, match, match_many
from detection.evaluation.overlap import box_iou
from detection.evaluation.protocol import Protocol
from tests.detection.evaluation.scenes import finding, image, lesion, random_images

RULES = ["greedy", "hungarian", "argmax_lesion", "any_overlap"]


def outcomes(matched: ImageMatch) -> list[str]:
    return [entry.outcome for entry in matched.findings]


def missed(matched: ImageMatch) -> list[str | None]:
    return [entry.reason for entry in matched.lesions]


def chain() -> tuple[list[Any], list[Any]]:
    """Three findings in a chain: taking the best lesion first leaves the second finding without one."""
    lesions = [lesion((0, 0, 10, 10), lesion_id="left"), lesion((10, 0, 20, 10), lesion_id="right")]
    findings = [
        finding((4, 0, 14, 10), 0.9),  # prefers left (6 of 14), overlaps right (4 of 16)
        finding((0, 0, 9, 10), 0.8),  # left only
        finding((30, 0, 40, 10), 0.7),
    ]
    return lesions, findings


def test_boxes_are_continuous_without_an_extra_pixel() -> None:
    iou = box_iou(np.array([[0.0, 0, 10, 9]]), np.array([[0.0, 0, 10, 10]]))
    assert iou[0, 0] == 0.9


@pytest.mark.parametrize("rule", RULES)
def test_an_overlap_of_exactly_one_tenth_does_not_count(rule: Any) -> None:
    protocol = Protocol(matching=rule)
    exactly = match([lesion()], [finding((0, 0, 10, 1))], protocol)
    assert (outcomes(exactly), missed(exactly)) == (["FP"], ["no overlap"])
    assert exactly.lesions[0].iou == exactly.findings[0].iou == 0.1
    assert outcomes(match([lesion()], [finding((0, 0, 10, 1.001))], protocol)) == ["TP"]


def test_a_score_of_exactly_the_threshold_does_not_count() -> None:
    assert missed(match([lesion()], [finding(score=0.1)], Protocol())) == ["low score"]
    assert outcomes(match([lesion()], [finding(score=0.1)], Protocol())) == ["below"]
    assert outcomes(match([lesion()], [finding(score=float(np.nextafter(0.1, 1)))], Protocol())) == ["TP"]
    assert outcomes(match([lesion()], [finding(score=0.0)], Protocol(score_above=0))) == ["below"]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("dup", "second"), [("ignore", "DUP"), ("report", "DUP"), ("fp", "FP")])
def test_of_two_findings_on_one_lesion_with_equal_score_the_first_is_credited(rule: Any, dup: Any, second: str) -> None:
    matched = match([lesion()], [finding(), finding()], Protocol(matching=rule, duplicates=dup))
    assert outcomes(matched) == ["TP", second]
    assert matched.findings[1].reason == ("duplicate" if dup == "fp" else None)
    assert (matched.findings[1].lesion, matched.lesions[0].finding) == (0, 0)


@pytest.mark.parametrize("rule", ["greedy", "hungarian", "argmax_lesion"])
def test_one_finding_over_two_lesions_is_one_hit_and_the_other_lesion_is_missed(rule: Any) -> None:
    lesions = [lesion((0, 0, 10, 10), lesion_id="a"), lesion((10, 0, 20, 10), lesion_id="b")]
    matched = match(lesions, [finding((0, 0, 20, 10))], Protocol(matching=rule))
    assert outcomes(matched) == ["TP"]
    assert missed(matched) == [None, "finding taken"]  # equal IoU: the lower lesion index


def test_any_overlap_credits_both_lesions_under_one_finding() -> None:
    lesions = [lesion((0, 0, 10, 10), lesion_id="a"), lesion((10, 0, 20, 10), lesion_id="b")]
    findings = [finding((0, 0, 20, 10)), finding((0, 0, 10, 10), 0.5)]
    matched = match(lesions, findings, Protocol(matching="any_overlap"))
    assert (outcomes(matched), missed(matched)) == (["TP", "DUP"], [None, None])


def test_greedy_loses_a_pair_that_the_assignment_rule_keeps() -> None:
    lesions, findings = chain()
    assert outcomes(match(lesions, findings, Protocol())) == ["TP", "DUP", "FP"]
    hungarian = match(lesions, findings, Protocol(matching="hungarian"))
    assert outcomes(hungarian) == ["TP", "TP", "FP"]
    assert [entry.finding for entry in hungarian.lesions] == [1, 0]


def test_the_assignment_rule_prefers_two_poor_pairs_to_one_perfect_pair() -> None:
    lesions = [lesion((0, 0, 10, 10), lesion_id="a"), lesion((6, 0, 16, 10), lesion_id="b")]
    findings = [finding((0, 0, 10, 10), 0.9), finding((0, -7, 10, 3), 0.8)]  # IoU 1, .25 and .18 with a alone
    matched = match(lesions, findings, Protocol(matching="hungarian"))
    assert [entry.finding for entry in matched.lesions] == [1, 0]
    assert [entry.finding for entry in match(lesions, findings, Protocol()).lesions] == [0, 0]


def test_the_argmax_rule_never_falls_back_to_a_second_lesion() -> None:
    lesions = [lesion((0, 0, 10, 10), lesion_id="a"), lesion((5, 0, 15, 10), lesion_id="b")]
    findings = [finding((0, 0, 10, 10), 0.9), finding((2, 0, 12, 10), 0.8)]
    assert outcomes(match(lesions, findings, Protocol())) == ["TP", "TP"]
    argmax = match(lesions, findings, Protocol(matching="argmax_lesion"))
    assert outcomes(argmax) == ["TP", "DUP"]
    assert missed(argmax) == [None, "finding taken"]


def test_a_wrongly_classed_finding_is_false_and_leaves_the_lesion_free() -> None:
    findings = [finding(score=0.9, malignancy=0.2), finding(score=0.8)]
    matched = match([lesion()], findings, Protocol())
    assert outcomes(matched) == ["FP", "TP"]
    assert matched.findings[0].reason == "wrong class"
    assert matched.findings[0].localised == 0 and matched.findings[1].localised is None
    assert matched.lesions[0].finding == 1
    assert outcomes(match([lesion()], findings, Protocol(class_aware="none"))) == ["TP", "DUP"]


def test_malignant_means_more_than_one_half() -> None:
    assert missed(match([lesion()], [finding(malignancy=0.5)], Protocol())) == ["wrong class"]


def test_the_lesion_type_counts_only_when_asked_for() -> None:
    called_cluster = [finding(lesion_type="cluster")]
    strict = Protocol(class_aware="malignancy and type")
    assert outcomes(match([lesion()], called_cluster, Protocol())) == ["TP"]
    assert missed(match([lesion()], called_cluster, strict)) == ["wrong class"]
    for agreeing in ("cluster", "both", "other"):
        assert outcomes(match([lesion(lesion_type=agreeing)], called_cluster, strict)) == ["TP"]


def test_the_reason_of_a_miss_is_the_nearest_to_success() -> None:
    low, wrong = finding(score=0.05), finding(score=0.5, malignancy=0.1)
    assert missed(match([lesion()], [], Protocol())) == ["no overlap"]
    assert missed(match([lesion()], [low], Protocol())) == ["low score"]
    both = match([lesion()], [low, wrong], Protocol())
    assert (missed(both), both.lesions[0].finding) == (["wrong class"], 1)
    elsewhere = [finding((20 + 5 * i, 0, 24 + 5 * i, 4), 0.9) for i in range(5)]
    sixth = match([lesion()], [*elsewhere, finding(score=0.5), low], Protocol())
    assert (missed(sixth), sixth.lesions[0].finding) == (["outside top"], 5)
    assert sixth.findings[5].reason == "outside top" and sixth.findings[6].reason == "low score"


def test_only_the_five_best_findings_are_kept_and_ties_go_to_the_earlier() -> None:
    findings = [finding((20 * i, 0, 20 * i + 10, 10), 0.5) for i in range(6)]
    assert outcomes(match([], findings, Protocol())) == ["FP"] * 5 + ["below"]
    assert outcomes(match([], findings, Protocol(top=2))) == ["FP"] * 2 + ["below"] * 4
    assert outcomes(match([], [*findings, finding(score=0.6)], Protocol()))[4:] == ["below", "below", "FP"]


def test_a_lesion_of_unknown_malignancy_is_not_scored_and_spends_no_finding() -> None:
    unknown = lesion(malignancy="unknown")
    matched = match([unknown], [finding(), finding((30, 0, 40, 10))], Protocol())
    assert outcomes(matched) == ["unscored", "FP"]
    assert matched.lesions[0].outcome == "unscored"
    beside = match([unknown, lesion((2, 0, 12, 10), lesion_id="L2")], [finding()], Protocol())
    assert outcomes(beside) == ["TP"] and beside.lesions[1].outcome == "TP"
    assert outcomes(match([unknown], [finding()], Protocol(class_aware="none"))) == ["TP"]


@pytest.mark.parametrize("rule", RULES)
def test_empty_images_are_fine(rule: Any) -> None:
    protocol = Protocol(matching=rule)
    assert match([], [], protocol) == ImageMatch((), ())
    assert outcomes(match([], [finding()], protocol)) == ["FP"]
    assert missed(match([lesion()], [], protocol)) == ["no overlap"]
    assert match_many([], protocol) == []
    mixed = match_many([image("a", [], []), image("b", [lesion()], [finding()])], protocol)
    assert mixed[0] == ImageMatch((), ()) and outcomes(mixed[1]) == ["TP"]


def test_boxes_without_area_overlap_nothing_not_even_themselves() -> None:
    point, line = (5.0, 5.0, 5.0, 5.0), (0.0, 5.0, 10.0, 5.0)
    zero = Protocol(iou_above=0.0)
    for box in (point, line):
        matched = match([lesion(box)], [finding(box)], zero)
        assert (outcomes(matched), missed(matched)) == (["FP"], ["no overlap"])
        assert matched.findings[0].iou == 0.0
    assert outcomes(match([lesion()], [finding(point)], zero)) == ["FP"]


def test_a_lesion_at_the_image_edge_counts_like_any_other() -> None:
    assert outcomes(match([lesion((0, 0, 8, 8))], [finding((-2, 0, 8, 8))], Protocol())) == ["TP"]


@pytest.mark.parametrize("value", [float("nan"), -0.01, 1.01, float("inf")])
def test_a_score_or_probability_off_the_unit_interval_is_rejected_by_place(value: float) -> None:
    scene = [image("first", [], []), image("second", [lesion()], [finding(), finding(score=value)])]
    with pytest.raises(EvaluationError, match=r"Image second, finding 1: expected a score from 0 to 1"):
        match_many(scene, Protocol())
    with pytest.raises(EvaluationError, match="expected a malignancy from 0 to 1"):
        match([], [finding(malignancy=value)], Protocol())


@pytest.mark.parametrize("box", [(0, 0, float("nan"), 1), (5, 0, 4, 1), (0, 0, float("inf"), 1)])
def test_an_impossible_box_is_rejected(box: Any) -> None:
    with pytest.raises(EvaluationError, match=r"finding 0: expected a box"):
        match([], [finding(box)], Protocol())
    with pytest.raises(EvaluationError, match=r"lesion 0: expected a box"):
        match([lesion(box)], [], Protocol())


def test_unknown_words_are_rejected() -> None:
    with pytest.raises(EvaluationError, match="lesion type 'mass', 'cluster' or 'other'"):
        match([], [finding(lesion_type="both")], Protocol())
    with pytest.raises(EvaluationError, match="unknown malignancy 'bad'"):
        match([lesion(malignancy="bad")], [], Protocol())


def brute_force(targets: Any, findings: Any, protocol: Protocol) -> list[tuple[int, int]]:
    """Plain loops straight from the definition; pairs (finding, lesion)."""

    def iou(a: Any, b: Any) -> float:
        w = min(a[2], b[2]) - max(a[0], b[0])
        h = min(a[3], b[3]) - max(a[1], b[1])
        if w <= 0 or h <= 0:
            return 0.0
        return w * h / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - w * h)

    order = sorted(range(len(findings)), key=lambda i: (-findings[i].score, i))
    order = [i for i in order if findings[i].score > protocol.score_above][: protocol.top]
    table = {
        (i, j): iou(findings[i].box, targets[j].box)
        for i in order
        for j in range(len(targets))
        if (targets[j].malignancy == "malignant") == (findings[i].malignancy > 0.5)
    }
    table = {pair: value for pair, value in table.items() if value > protocol.iou_above}
    pairs: list[tuple[int, int]] = []
    if protocol.matching == "hungarian":
        best: tuple[int, float] = (0, 0.0)
        for size in range(1, min(len(order), len(targets)) + 1):
            for chosen in itertools.combinations(sorted(table), size):
                if len({i for i, _ in chosen}) == len({j for _, j in chosen}) == size:
                    worth = (size, sum(table[pair] for pair in chosen))
                    if worth > best:
                        best, pairs = worth, list(chosen)
        return pairs
    taken: set[int] = set()
    for i in order:
        mine = {j: value for (k, j), value in table.items() if k == i}
        if protocol.matching == "any_overlap":
            pairs += [(i, j) for j in mine if j not in taken]
            taken |= set(mine)
            continue
        if protocol.matching == "greedy":
            mine = {j: value for j, value in mine.items() if j not in taken}
        if not mine:
            continue
        j = max(sorted(mine), key=lambda lesion_index: mine[lesion_index])
        if j not in taken:
            taken.add(j)
            pairs.append((i, j))
    return pairs


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("coarse", [False, True])
def test_every_rule_agrees_with_plain_loops_over_the_definition(rule: Any, coarse: bool) -> None:
    protocol = Protocol(matching=rule)
    # coarse scores bring ties
    images = random_images(3, 250, score=(lambda rng: float(rng.integers(0, 5)) / 4) if coarse else None)
    for entry, matched in zip(images, match_many(images, protocol), strict=True):
        expected = {j: i for i, j in brute_force(entry.targets, entry.findings, protocol)}
        got = {j: o.finding for j, o in enumerate(matched.lesions) if o.outcome == "TP"}
        assert got == expected
        credited = {i for i, o in enumerate(matched.findings) if o.outcome == "TP"}
        assert credited == set(expected.values())


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(RULES), st.randoms(use_true_random=False))
def test_the_order_of_findings_and_lesions_plays_no_part_where_scores_differ(
    seed: int, rule: Any, shuffler: Any
) -> None:
    (entry,) = random_images(seed, 1)
    protocol = Protocol(matching=rule)
    of_findings, of_lesions = list(range(len(entry.findings))), list(range(len(entry.targets)))
    shuffler.shuffle(of_findings)
    shuffler.shuffle(of_lesions)
    plain = match(entry.targets, entry.findings, protocol)
    shuffled = match([entry.targets[j] for j in of_lesions], [entry.findings[i] for i in of_findings], protocol)
    assert outcomes(shuffled) == [plain.findings[i].outcome for i in of_findings]
    for position, j in enumerate(of_lesions):
        before, after = plain.lesions[j], shuffled.lesions[position]
        assert (after.outcome, after.reason) == (before.outcome, before.reason)
        assert (None if after.finding is None else of_findings[after.finding]) == before.finding


def test_images_do_not_influence_each_other() -> None:
    images = random_images(11, 80)
    together = match_many(images, Protocol())
    assert together == [match(entry.targets, entry.findings, Protocol()) for entry in images]


def test_more_images_than_one_block_give_the_same_outcomes() -> None:
    images = random_images(12, 40)
    many = [replace(entry, sample_id=f"{entry.sample_id}-{copy}") for copy in range(30) for entry in images]
    assert match_many(many, Protocol()) == match_many(images, Protocol()) * 30


def test_greedy_counts_agree_with_pycocotools() -> None:
    """COCO matching is greedy by score over free truths of highest IoU, with >= where this says >."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    images = random_images(5, 300)
    truth: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    for number, entry in enumerate(images, start=1):
        for target in entry.targets:
            x1, y1, x2, y2 = target.box
            truth.append({
                "id": len(truth) + 1, "image_id": number, "bbox": [x1, y1, x2 - x1, y2 - y1],
                "area": (x2 - x1) * (y2 - y1), "iscrowd": 0,
                "category_id": 1 if target.malignancy == "malignant" else 2,
            })  # fmt: skip
        kept = sorted(entry.findings, key=lambda f: -f.score)
        for f in [f for f in kept if f.score > 0.1][:5]:
            x1, y1, x2, y2 = f.box
            found.append({
                "image_id": number, "bbox": [x1, y1, x2 - x1, y2 - y1], "score": f.score,
                "category_id": 1 if f.is_malignant else 2,
            })  # fmt: skip
    coco = COCO()
    coco.dataset = {
        "info": {}, "images": [{"id": n} for n in range(1, len(images) + 1)], "annotations": truth,
        "categories": [{"id": 1, "name": "malignant"}, {"id": 2, "name": "benign"}],
    }  # fmt: skip
    coco.createIndex()
    run = COCOeval(coco, coco.loadRes(found), "bbox")
    run.params.iouThrs = np.array([0.1])
    run.params.maxDets = [5]
    run.params.areaRng, run.params.areaRngLbl = [[0, 1e10]], ["all"]
    run.evaluate()
    peer = {
        (entry["image_id"], round(score, 12)): bool(matched)
        for entry in run.evalImgs
        if entry
        for score, matched in zip(entry["dtScores"], entry["dtMatches"][0], strict=True)
    }
    ours = {
        (number, round(f.score, 12)): o.outcome == "TP"
        for number, (entry, matched) in enumerate(zip(images, match_many(images, Protocol()), strict=True), start=1)
        for f, o in zip(entry.findings, matched.findings, strict=True)
        if o.outcome != "below"
    }
    assert ours == peer
    assert 100 < sum(ours.values()) < len(ours) - 100
