"""Looks at the test sets, limitations, and every hash in full."""

from __future__ import annotations

from webapp.core.templatetags.cemlab import count
from webapp.results import levels, selectors
from webapp.results.reports.basis import Basis
from webapp.results.reports.content import Block, Facts, Heading, Section, Table, Text
from webapp.results.reports.words import looks, phantom_warning


def limitations(basis: Basis) -> Section:
    """What the records show to limit the numbers, without what only the authors can say."""
    experiment = basis.experiment
    said: list[str] = []
    if warning := phantom_warning(basis):
        said.append(warning)
    if len(experiment.seeds) == 1:
        said.append(
            "One seed: intervals cover the patients of the test sets, not chance in training, which may be as large as "
            "the differences between arms."
        )
    for test_set in selectors.TEST_SETS:
        if test_set not in basis.test_sets:
            said.append(f"No {selectors.TEST_SETS[test_set]} test set: nothing is known beyond the other one.")
    for test_set, number in basis.looks.items():
        if number > 1:
            said.append(
                f"The {selectors.TEST_SETS[test_set]} test set was opened {number} times with this experiment. A "
                "choice made after an opening is not tested by that test set."
            )
    unended = [str(run) for run in basis.runs if run.state != "done"]
    if unended:
        said.append(f"Runs that failed or were cancelled and have no numbers: {', '.join(unended)}.")
    demo = sorted({arm.preset for arm in basis.arms if arm.preset.startswith("cpu-")})
    if demo:
        said.append(
            f"The preset {', '.join(demo)} is made for trials without a graphics card: it shows that every step works; "
            "its numbers say nothing about the published method."
        )
    if any(arm.ratio_benign or arm.ratio_malignant for arm in basis.arms):
        said.append(
            "Synthetic views were used in training alone; the database refuses them in a test set. A gain on these "
            "test sets does not show that synthetic lesions look like real ones."
        )
    said.append(
        "The primary endpoint alone was declared. All other numbers, curves, levels and subgroups are exploratory; "
        "intervals are not corrected for how many there are."
    )
    if shares := _malignant(basis):
        said.append(
            f"Precision, F1, Brier score and net benefit hold for the share of malignant patients in these test sets "
            f"({shares}) and change with it."
        )
    remarks = sorted({text for one in basis.evaluations.values() for text in selectors.short(one)["warnings"]})
    blocks: list[Block] = [Text(words) for words in said]
    if remarks:
        blocks += [Heading("Remarks of the evaluations"), *(Text(words) for words in remarks)]
    blocks += [
        Heading("Looks at the test sets"),
        Text(
            "Each opening of the results and each export counts on every test set it shows, with person and time: "
            f"{looks(basis)}, when this report was asked for."
        ),
    ]
    return Section("Limitations and looks", tuple(blocks))


def _malignant(basis: Basis) -> str:
    """Malignant of all patients on each test set."""
    parts = []
    for test_set in basis.test_sets:
        for _, evaluation in basis.evaluated(test_set)[:1]:
            patients = levels.numbers(evaluation, "malignant")["patient"]
            parts.append(
                f"{selectors.TEST_SETS[test_set]} {count(patients['malignant'])} of {count(patients['units'])}"
            )
    return ", ".join(parts)


def hashes(basis: Basis) -> Section:
    """What captions shorten, in full."""
    kept = basis.experiment.reproducibility
    rows = []
    for run in basis.runs:
        result = (run.job.result or {}) if run.job else {}
        rows.append((basis.run_label(run), "weights", str(result.get("weights_sha256") or "not recorded")))
        for test_set in basis.test_sets:
            evaluation = basis.evaluations.get((run.pk, test_set))
            if evaluation is not None:
                rows.append((basis.run_label(run), f"inputs, {selectors.TEST_SETS[test_set]}", evaluation.inputs_hash))
    digests = [
        (f"Test set, {selectors.TEST_SETS[test_set]}", digest)
        for test_set in basis.test_sets
        for digest in basis.digests(test_set)
    ]
    return Section(
        "Hashes in full",
        (
            Facts(
                (
                    ("Protocol", basis.protocol.digest()),
                    ("Data", str(kept.get("data_hash") or "not recorded")),
                    ("Code", str(kept.get("source_hash") or "not recorded")),
                    *digests,
                )
            ),
            Table(
                (("Run", 0.21), ("Of", 0.14), ("SHA-256", 0.65)),
                tuple(rows),
                basis.caption(
                    "Weights of every run, and what each evaluation was made from: truth, findings and protocol",
                    n=f"{len(basis.runs)} runs; {basis.size()}",
                    method="SHA-256",
                ),
            ),
        ),
    )
