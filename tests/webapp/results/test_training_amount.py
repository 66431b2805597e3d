"""Arms that were trained for different numbers of steps are told apart before their numbers are compared."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from webapp.experiments.models import Experiment, Run
from webapp.results.training_amount import unequal_steps

pytestmark = pytest.mark.django_db


def record(experiment: Experiment, *steps: int | None) -> None:
    """Write the number of steps of each arm into the records of its runs."""
    for arm, number in zip(experiment.arms.order_by("position"), steps, strict=True):
        amount = {} if number is None else {"amount": {"steps": number}}
        Run.objects.filter(arm=arm).update(record=amount)


@pytest.mark.parametrize("steps", [(500, 500, 500), (None, None, None), (500, None, 500)])
def test_equal_steps_and_steps_that_nobody_recorded_need_no_words(
    experiment: Experiment, steps: tuple[int | None, ...]
) -> None:
    record(experiment, *steps)
    assert unequal_steps(experiment) == ""


def test_the_results_page_tells_the_steps_of_arms_of_different_size(client: Client, ended: Experiment) -> None:
    record(ended, 1000, 1000, 3000)
    page = client.get(reverse("results:experiment", args=["study", 1])).content.decode()
    names = [arm.name for arm in ended.arms.order_by("position")]
    assert "different numbers of steps" in page
    assert f"{names[0]}: 1\u202f000; {names[1]}: 1\u202f000; {names[2]}: 3\u202f000" in page
