"""The split: patients, strata, shares, seeds."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.core.errors import UserError
from webapp.datasets.models import Split
from webapp.datasets.splitting import PatientFacts, SplitSettings, draw_split

CLASSES = [
    ("cluster", "malignant"),
    ("cluster", "benign"),
    ("mass", "malignant"),
    ("mass", "benign"),
    ("both", "malignant"),
]


def patients(
    count: int, site: str = "A", classes: tuple[tuple[str, str], ...] = (("mass", "malignant"),)
) -> list[PatientFacts]:
    return [PatientFacts(number, site, frozenset(classes)) for number in range(count)]


facts = st.lists(
    st.tuples(st.sampled_from(["A", "B"]), st.frozensets(st.sampled_from(CLASSES), max_size=3)), min_size=1, max_size=60
).map(lambda rows: [PatientFacts(number, site, classes) for number, (site, classes) in enumerate(rows)])


def test_hundred_patients_divide_as_in_the_paper() -> None:
    counts = Counter(draw_split(patients(100), SplitSettings()).values())

    assert counts == {Split.INTERNAL_TEST: 20, Split.VALIDATION: 16, Split.TRAIN: 64}


def test_each_stratum_is_divided_in_the_same_proportion() -> None:
    clusters = [PatientFacts(number, "A", frozenset({("cluster", "malignant")})) for number in range(50)]
    masses = [PatientFacts(number, "A", frozenset({("mass", "benign")})) for number in range(50, 150)]

    split = draw_split(clusters + masses, SplitSettings())

    tested = Counter(
        patient.stratum for patient in clusters + masses if split[patient.patient_id] == Split.INTERNAL_TEST
    )
    assert tested == {"malignant cluster": 10, "benign mass": 20}


def test_patients_of_an_external_site_are_all_external_test() -> None:
    everyone = patients(20) + [PatientFacts(100 + n, "B", frozenset({("mass", "malignant")})) for n in range(7)]

    split = draw_split(everyone, SplitSettings(external_sites=("B",)))

    assert {split[100 + n] for n in range(7)} == {Split.EXTERNAL_TEST}
    assert Split.EXTERNAL_TEST not in {split[n] for n in range(20)}


@given(facts, st.integers(0, 2**32 - 1), st.randoms())
def test_every_patient_is_in_exactly_one_split_whatever_the_order(people, seed, random) -> None:
    settings = SplitSettings(external_sites=("B",), seed=seed)
    try:
        split = draw_split(people, settings)
    except UserError:
        internal = [patient for patient in people if patient.site == "A"]
        assert sum(patient.has_malignant_lesion for patient in internal) < 3
        return
    shuffled = list(people)
    random.shuffle(shuffled)

    assert set(split) == {patient.patient_id for patient in people}
    assert draw_split(shuffled, settings) == split
    malignant = {split[patient.patient_id] for patient in people if patient.has_malignant_lesion}
    assert {Split.TRAIN, Split.VALIDATION, Split.INTERNAL_TEST} <= malignant


def test_another_seed_draws_another_split() -> None:
    first, second = (draw_split(patients(100), SplitSettings(seed=seed)) for seed in (0, 1))

    assert first != second


def test_too_small_a_dataset_is_refused_with_what_is_missing() -> None:
    with pytest.raises(UserError, match=r"2 patients .* need one each\. Add 1 more"):
        draw_split(patients(2), SplitSettings())


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5])
def test_a_share_outside_0_to_1_is_refused(share: float) -> None:
    with pytest.raises(UserError, match="between 0 and 1") as refusal:
        SplitSettings(test_share=share)
    assert refusal.value.field == "test_share"
