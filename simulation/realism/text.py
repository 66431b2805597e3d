"""The report of `evaluate` as text for the command line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from simulation.realism.evaluation import Report
from simulation.realism.statistics import Comparison

CLAIM = (
    "These measures find differences or fail to find them; none shows that synthetic lesions cannot be told from real "
    "ones. They hold for these images, at these sample sizes."
)


def lines(report: Report) -> Iterator[str]:
    """The report, line by line; brackets are 95 % intervals over patients."""
    yield (
        f"{report.real} real lesions of {report.real_patients} patients, "
        f"{report.synthetic} synthetic lesions of {report.synthetic_patients} hosts"
    )
    yield from (f"warning: {text}" for text in report.warnings)
    yield "M1 slope of the power spectrum"
    yield from comparison_lines(report.slopes)
    yield "M2 calcifications and clusters (aim: KS <= 0.10, W1/sd <= 0.15)"
    yield from comparison_lines(report.marginals)
    if report.coverage is not None:
        yield (
            f"M3 within the real 2.5-97.5 % band, median over features: {report.coverage.median}; "
            f"real patients against the others: {report.coverage.reference:.3f}"
        )
        yield "   least covered: " + ", ".join(f"{name} {share:.2f}" for name, share in report.coverage.worst)
    if report.distance is not None:
        distance = report.distance
        yield (
            f"M4 Frechet radiomic distance, {distance.lesions} lesions a side, {distance.features} features: "
            f"{distance.synthetic}; real to real {distance.floor}; ratio {distance.ratio}"
        )
    yield "M5 classifiers told to tell synthetic from real (AUC; 0.5 = not told apart)"
    for test in report.classifiers:
        yield (
            f"   {test.name} ({test.real} of {test.real_patients} patients, {test.synthetic} of "
            f"{test.synthetic_patients}): forest {test.forest}, regression {test.regression}, "
            f"1-NN {test.nearest}, null 0.5 +- {test.null_half_width:.3f}"
        )
    yield "M5 one feature at a time (AUC)"
    for shortcut in report.shortcuts:
        yield f"   {shortcut.name}: {shortcut.auc}, null 0.5 + {shortcut.null_half_width:.3f}"
    yield "M6 kurtosis of Gabor responses beside the lesion"
    yield from comparison_lines(report.kurtosis)
    yield from (f"not measured: {name}: {reason}" for name, reason in report.not_measured.items())
    yield CLAIM


def comparison_lines(comparisons: Iterable[Comparison]) -> Iterator[str]:
    """One line for each quantity."""
    for item in comparisons:
        yield (
            f"   {item.name}: median {item.real_median:.3g} (n {item.real}, {item.real_patients} patients) against "
            f"{item.synthetic_median:.3g} (n {item.synthetic}, {item.synthetic_patients}); KS {item.ks}, "
            f"p {item.p:.3f} by patient, {item.p_naive:.2g} if independent; W1/sd {item.wasserstein}"
        )
