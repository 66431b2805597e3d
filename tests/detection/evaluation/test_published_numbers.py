"""Numbers printed by Beuque et al. 2023 (Radiology 307(4)), recomputed from their printed counts."""

from __future__ import annotations

import pytest

from detection.evaluation.consistency import grim
from detection.evaluation.hypothesis_tests import two_proportion_z
from detection.evaluation.intervals import clustered_ratio_interval, proportion_interval

# Table 3: successes, n, printed low, printed high (per cent)
TABLE_3 = (
    (182, 227, 75, 85), (242, 363, 62, 71), (83, 100, 75, 90), (113, 179, 56, 70),
    (170, 227, 69, 81), (302, 363, 79, 87), (73, 100, 64, 81), (160, 179, 85, 93),
    (173, 227, 71, 82), (269, 363, 69, 79), (79, 100, 71, 86), (119, 179, 60, 73),
    (177, 227, 72, 84), (302, 363, 79, 87), (77, 100, 69, 85), (144, 179, 74, 86),
    (179, 227, 73, 84), (289, 363, 76, 84), (78, 100, 70, 86), (140, 179, 72, 84),
    (128, 160, 74, 86), (279, 288, 95, 99), (71, 91, 69, 86), (161, 167, 93, 99),
    (2027, 2463, 81, 84), (315, 353, 86, 92), (55, 74, 64, 84), (150, 171, 83, 92),
    (2043, 2463, 81, 84), (319, 353, 87, 93), (33, 74, 34, 57), (171, 171, 100, 100),
    (2106, 2463, 84, 87), (317, 353, 87, 93), (44, 74, 48, 70), (168, 171, 96, 100),
    (1828, 2049, 88, 91), (297, 313, 92, 97), (44, 74, 48, 70), (168, 171, 96, 100),
)  # fmt: skip
# rows of Table 3, each with specificity and sensitivity per lesion, then per patient
ROWS = (
    "radiomics", "DL", "radiomics + clinical", "DL + radiomics", "DL + radiomics + clinical", "agreed labels",
    "radiomics, automatic", "DL, automatic", "DL + radiomics, automatic", "agreed labels, automatic",
)  # fmt: skip
PRINTED = (
    80, 67, 83, 63, 75, 83, 73, 89, 76, 74, 79, 66, 78, 83, 77, 80, 79, 80, 78, 78, 80, 97, 78, 96,
    82, 89, 74, 88, 83, 90, 45, 100, 86, 90, 59, 98, 89, 95, 59, 98,
)  # fmt: skip


@pytest.mark.parametrize(
    ("counts", "printed", "decimals"),
    [
        ((279, 436, 431, 590), 0.002, 3),
        ((371, 436, 532, 590), 0.01, 2),
        ((170, 212, 245, 279), 0.02, 2),
        ((200, 212, 275, 279), 0.009, 3),
    ],
)
def test_table_2_is_the_pooled_two_sided_z_test(counts: tuple[int, ...], printed: float, decimals: int) -> None:
    assert round(two_proportion_z(*counts).p_value or 1, decimals) == printed


def test_patients_without_a_finding_differ_as_printed() -> None:
    external, test, training = (4, 279), (12, 212), (43, 850)
    assert round(two_proportion_z(*external, *training).p_value or 1, 3) == 0.009
    assert round(two_proportion_z(*external, *test).p_value or 1, 3) == 0.009


def test_calcifications_are_most_of_what_was_missed() -> None:
    for successes, n, printed in ((7, 12, 58), (28, 43, 65)):
        assert grim(printed, n).candidates == (successes,)


@pytest.mark.slow
def test_a_bootstrap_of_rows_reproduces_the_bounds_of_table_3() -> None:
    exact = 0
    for successes, n, low, high in TABLE_3:
        rows = [1] * successes + [0] * (n - successes)
        interval = clustered_ratio_interval(rows, [1] * n, [f"{row:05d}" for row in range(n)], method="percentile")
        if interval.method.startswith("Wilson"):  # 171 of 171: the bootstrap printed there has no width
            bounds = (1.0, 1.0)
        else:
            assert interval.low is not None and interval.high is not None
            bounds = (interval.low, interval.high)
        for found, printed in zip(bounds, (low, high), strict=True):
            assert abs(100 * found - printed) <= 2.0
            exact += round(100 * found) == printed
    assert exact >= 60


def row_of(name: str) -> tuple[tuple[int, int], ...]:
    """Specificity and sensitivity of a row of Table 3, per lesion and per patient, as (successes, n)."""
    start = 4 * ROWS.index(name)
    return tuple((successes, n) for successes, n, _, _ in TABLE_3[start : start + 4])


@pytest.mark.parametrize(
    ("agreed", "every", "lesions", "patients"),
    [("agreed labels", "DL", 76, 92), ("agreed labels, automatic", "DL, automatic", 84, 100)],
)
def test_agreed_labels_keep_the_printed_share(agreed: str, every: str, lesions: int, patients: int) -> None:
    kept, whole = ([n for _, n in row_of(name)] for name in (agreed, every))
    for printed, start in ((lesions, 0), (patients, 2)):
        share = proportion_interval(sum(kept[start : start + 2]), sum(whole[start : start + 2]))
        assert share.value is not None and round(100 * share.value) == printed


def test_every_printed_percentage_of_table_3_can_come_from_its_counts() -> None:
    for (successes, n, _, _), printed in zip(TABLE_3, PRINTED, strict=True):
        assert successes in grim(printed, n).candidates, (successes, n, printed)


@pytest.mark.parametrize("n", [100, 200])
def test_the_accuracy_of_shiri_kahnouei_2022_cannot_come_from_its_test_patches(n: int) -> None:
    """96.7 % for accuracy (200 patches), sensitivity and specificity (100 each): the nearest are 96.5 and 97 %."""
    check = grim(96.7, n, decimals=1)
    assert not check.consistent and check.candidates == ()
    assert check.nearest == pytest.approx(97.0 if n == 100 else 96.5)


def test_every_printed_percentage_of_table_2_can_come_from_its_counts() -> None:
    for percentage, k, n in ((64, 279, 436), (73, 431, 590), (85, 371, 436), (90, 532, 590), (80, 170, 212)):
        assert k in grim(percentage, n).candidates
    assert 245 in grim(88, 279).candidates and 275 in grim(99, 279).candidates


def test_end_to_end_sensitivity_counts_what_the_conditional_one_leaves_out() -> None:
    """171 of 171 patients holds for patients whose lesion was delineated; 179 had a malignant one."""
    found, delineated = row_of("DL, automatic")[3]
    _, malignant = row_of("DL")[3]
    assert found == delineated
    assert round(100 * found / malignant, 1) == 95.5
