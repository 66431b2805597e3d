"""The score threshold of the results page at 5,000 views: CPU time of what answers a move.

``python -m tests.with_production_services python -m benchmarks.threshold [--views 5000]`` prints the CPU time of the
web process for the first reading (one matching of every stored finding), for the counts behind the slider once they
are kept, and for the list below it, per lesion, image, breast and patient; and, in the same run, for matching the whole
test set anew, as a list without the index would.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.temporary_installation import temporary_installation

REPEATS = 7


def cpu(work: Callable[[], Any]) -> float:
    """Median CPU seconds."""
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return float(np.median(times))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--views", type=int, default=5000)
    views = parser.parse_args().views
    with temporary_installation():
        measure(views)


def measure(views: int) -> None:
    from django.core.cache import cache

    from tests.webapp import experiment_records, records
    from tests.webapp.experiment_records import finish_all, graded
    from webapp.core.garbage import look_less_often
    from webapp.results import level_thresholds, levels, thresholds
    from webapp.results.models import Evaluation

    project = records.make_project()
    # an exam has two views; half of the patients of the first site stay for training and validation
    version = experiment_records.make_version(project, 24, external=views // 2)
    researcher = records.make_member(project, "researcher")
    experiment = experiment_records.launch(project, researcher, version, ratios=(0.0,))
    finish_all(experiment, lambda run: graded())
    evaluation = Evaluation.objects.select_related("run__arm__experiment__version").get(test_set="external_test")
    look_less_often()  # as a web process stands
    print(f"{evaluation.result['images']} views, {len(evaluation.result['findings'])} findings")
    start = time.process_time()
    thresholds.counts(evaluation, "malignant")
    print(f"first reading:                        {1000 * (time.process_time() - start):8.1f} ms")
    kept = cpu(lambda: thresholds.counts(evaluation, "malignant"))
    print(f"counts of one run, kept:              {1000 * kept:8.1f} ms")

    def listed() -> None:
        thresholds.first_cases(project, evaluation, "sensitivity", "malignant", "missed", 0.37, 10)

    fast = cpu(listed)
    print(f"list below the slider:                {1000 * fast:8.1f} ms")
    slow = cpu(lambda: thresholds.outcomes_above(evaluation, 0.37))
    print(f"the whole test set matched anew:      {1000 * slow:8.1f} ms ({slow / fast:.1f} times the list)")
    for level in level_thresholds.LEVELS:

        def counted(level: str = level) -> None:
            level_thresholds.counts(evaluation, level, "malignant")

        def listed_units(level: str = level) -> None:
            levels.first_cases(project, evaluation, level, "malignant", "fn", 0.37, 10)

        start = time.process_time()
        counted()
        first = time.process_time() - start
        parts = f"first reading {1000 * first:.0f} ms, kept {1000 * cpu(counted):.1f} ms"
        print(f"per {level}: {parts}, list {1000 * cpu(listed_units):.0f} ms")
    cache.clear()


if __name__ == "__main__":
    main()
