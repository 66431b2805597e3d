"""The results pages of an experiment of six arms at 5,000 views: CPU time of every number and figure.

``OMP_NUM_THREADS=1 python -m benchmarks.dashboard [--views 5000] [--arms 6]`` makes an experiment with synthetic
records in a temporary database, and prints the CPU seconds of the web process for each tab of the dashboard, computed
from the stored evaluations with an empty cache, and again from the cache. Exit status 1 where the whole dashboard takes
longer than `TARGET`.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.temporary_installation import temporary_installation

TARGET = 10.0
"""CPU seconds for the whole dashboard, recomputed."""


def main() -> int:
    """Exit status 1 if the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--views", type=int, default=5000)
    parser.add_argument("--arms", type=int, default=6)
    asked = parser.parse_args()
    with temporary_installation():
        return measure(asked.views, asked.arms)


def measure(views: int, arms: int) -> int:
    """Make the records, then open every tab twice."""
    from django.core.cache import cache

    from tests.webapp import experiment_records, records
    from tests.webapp.experiment_records import finish_all, graded
    from webapp.results import selectors, stored
    from webapp.results.cases import cases_address
    from webapp.results.models import Evaluation

    project = records.make_project()
    # an exam has two views; half of the patients of the first site stay for training and validation
    version = experiment_records.make_version(project, 24, external=views // 2)
    researcher = records.make_member(project, "researcher")
    ratios = tuple(float(place) for place in range(arms))
    launched = experiment_records.launch(project, researcher, version, ratios=ratios)
    finish_all(launched, lambda run: graded(run.arm.position))
    of_set = Evaluation.objects.filter(test_set="external_test")
    print(f"{arms} arms, {of_set[0].result['images']} views, {len(of_set[0].result['findings'])} findings an arm")
    address = cases_address(project, launched.number)

    def fresh() -> Any:
        return selectors.experiments_with_results(researcher, project).get(number=launched.number)

    parts = tabs(address, project)
    print(f"{'first page of a process: libraries loaded':42} {seconds(load):7.2f} s   (not counted below)")
    cache.clear()
    stored.forget()
    total = 0.0
    for name, work in parts.items():
        first, again = seconds(lambda work=work: work(fresh())), seconds(lambda work=work: work(fresh()))  # type: ignore[misc]
        total += first
        print(f"{name:42} {first:7.2f} s   kept {1000 * again:7.0f} ms")
    print(f"{'the whole dashboard, recomputed':42} {total:7.2f} s   (target {TARGET:g} s)")
    return 0 if total <= TARGET else 1


def tabs(address: Any, project: Any) -> dict[str, Callable[[Any], Any]]:
    """What each tab computes for all malignant lesions."""
    from webapp.results import (
        calibration_figures,
        comparison,
        comparison_figure,
        curve_views,
        curves,
        failures,
        figures,
        levels,
        outlines,
        selectors,
        subgroups,
        verdict,
    )

    def numbers(found: Any) -> None:
        figures.panels(found, selectors.rows(found), address)
        verdict.verdict(found)

    def differences(found: Any) -> None:
        compared = comparison.compare(found)
        comparison_figure.forests(compared, address)
        comparison.changes_table(compared, address)

    return {
        "numbers, figures and verdict": numbers,
        "paired differences": differences,
        "levels": lambda found: levels.panels(found, "malignant", address),
        "curves": lambda found: curves.panels(found, "malignant", address),
        "counts of the slider, operating points": lambda found: (
            curve_views.slider_counts(found, "malignant"),
            curve_views.chosen_points(found),
        ),
        "calibration of findings": lambda found: calibration_figures.panels(found, "finding", address),
        "calibration of views": lambda found: calibration_figures.panels(found, "image", address),
        "outlines": lambda found: outlines.panels(found, "malignant", project),
        "misses": lambda found: failures.breakdown(found, "malignant", address),
        "subgroups": lambda found: subgroups.subgroups(found, "malignant", address),
    }


def load() -> None:
    """SciPy, statsmodels and scikit-learn come with the first page that computes; then as a web process stands."""
    from webapp.core.garbage import look_less_often

    for name in ("detection.evaluation.calibration", "detection.evaluation.end_to_end", "sklearn.metrics"):
        importlib.import_module(name)
    look_less_often()


def seconds(work: Callable[[], Any]) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    work()
    return time.process_time() - start


if __name__ == "__main__":
    sys.exit(main())
