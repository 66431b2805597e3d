"""Each arm against the arm without synthetic data: paired differences, corrected p values, lesions gained and lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from webapp.core.templatetags.cemlab import FEWEST_SHOWN
from webapp.experiments.models import Arm, Experiment, Run
from webapp.results import selectors
from webapp.results.kept import kept
from webapp.results.models import Evaluation
from webapp.results.selectors import GROUPS, MEASURES, TEST_SETS
from webapp.results.stored import result_of

HOLM = "Holm"
EXPLORATORY = "Benjamini–Hochberg, exploratory"


@dataclass(frozen=True)
class Compared:
    """One number of a run minus that of the reference arm's run with the same seed.

    `interval` and `test` are the JSON of `detection.evaluation.comparisons.Difference`; `p_value` is None where the
    difference is undefined or rests on too few, and `adjusted` is that p value corrected within its family.
    """

    arm: Arm
    run: Run
    reference: Run
    test_set: str
    group: str
    measure: str
    interval: dict[str, Any]
    test: dict[str, Any]
    primary: bool
    adjusted: float | None = None

    @property
    def p_value(self) -> float | None:
        """Not shown for a difference that is itself not shown."""
        return self.test["p_value"] if self.interval["n"] >= FEWEST_SHOWN else None

    @property
    def family(self) -> str:
        """How the p value is corrected."""
        return HOLM if self.primary else EXPLORATORY

    @property
    def beside(self) -> dict[str, int]:
        """What the address of its cases adds, so that lesions gained and lost are listed apart."""
        return {"against": self.reference.pk} if self.measure == "sensitivity" else {}

    @property
    def words(self) -> str:
        """Arm and seed."""
        return f"{self.arm.name}, seed {self.run.seed}"


@dataclass(frozen=True)
class Comparison:
    """Everything the page says about differences; `reason` stands where there is nothing to compare."""

    reference: Arm | None
    rows: list[Compared]
    changes: dict[tuple[int, str, str], dict[str, Any]]
    reason: str = ""

    @property
    def primary(self) -> list[Compared]:
        """The declared family."""
        return [row for row in self.rows if row.primary]

    @property
    def exploratory(self) -> list[Compared]:
        """Everything else."""
        return [row for row in self.rows if not row.primary]

    @property
    def method(self) -> str:
        """One sentence for captions."""
        # an undefined difference was not drawn
        drawn = next((row for row in self.rows if row.interval["resamples"]), self.rows[0])
        return (
            f"Difference: arm minus {drawn.reference.arm.name} with the same seed. "
            f"{drawn.test['method'].capitalize()}: {drawn.interval['resamples']:,} resamples that both arms share; "
            f"{100 * drawn.interval['level']:g} % interval. Holm within the {len(self.primary)} of the primary "
            f"endpoint; Benjamini–Hochberg over the other {len(self.exploratory)}, which are exploratory."
        )


def compare(experiment: Experiment) -> Comparison:
    """Paired differences of every arm, seed, test set, group and measure; the caller has recorded the look."""
    asked, reference = selectors.compared_arms(experiment)
    if reference is None:
        return Comparison(None, [], {}, "No arm of this experiment is without synthetic data: nothing to compare with.")
    others = [arm for arm in experiment.arms.all() if arm.pk != reference.pk]
    if not others:
        return Comparison(reference, [], {}, "The experiment has one arm: nothing to compare it with.")
    found, refused = selectors.evaluations(experiment), selectors.refused(experiment)
    before = {run.seed: run for run in reference.runs.all()}
    rows: list[Compared] = []
    changes: dict[tuple[int, str, str], dict[str, Any]] = {}
    reasons: list[str] = []
    for test_set in selectors.present_test_sets(experiment):
        for run in (run for arm in others for run in arm.runs.all()):
            with_seed = before.get(run.seed)
            pair = [found.get((one.pk, test_set)) for one in (run, with_seed) if one]
            if with_seed is None or len(pair) != 2 or pair[0] is None or pair[1] is None:
                why = [refused.get((one.pk, test_set)) for one in (run, with_seed) if one]
                words = next(filter(None, why), "this run or that of the reference was not evaluated.")
                reasons.append(f"{run}, {TEST_SETS[test_set]}: {words}")
                continue
            body = _compared(pair[0], pair[1])
            if "reason" in body:
                reasons.append(f"{run}, {TEST_SETS[test_set]}: {body['reason']}")
                continue
            for group, counts in body["changes"].items():
                changes[run.pk, test_set, group] = counts
            for one in body["differences"]:
                endpoint = f"{one['metric']}:{one['group']}:{test_set}"
                rows.append(
                    Compared(
                        arm=run.arm,
                        run=run,
                        reference=with_seed,
                        test_set=test_set,
                        group=one["group"],
                        measure=one["metric"],
                        interval=one["interval"],
                        test=one["test"],
                        # designs frozen before comparisons were declared asked for every arm
                        primary=endpoint == experiment.primary_endpoint
                        and (experiment.comparison is None or run.arm == asked),
                    )
                )
    return Comparison(reference, _corrected(rows), changes, " ".join(reasons))


def _corrected(rows: list[Compared]) -> list[Compared]:
    """With adjusted p values, each family on its own; in the order of the page."""
    from detection.evaluation.hypothesis_tests import benjamini_hochberg, holm

    done: list[Compared] = []
    for primary, adjust in ((True, holm), (False, benjamini_hochberg)):
        family = [row for row in rows if row.primary == primary]
        adjusted = adjust([row.p_value for row in family])
        done += [replace(row, adjusted=value) for row, value in zip(family, adjusted, strict=True)]
    order = [list(TEST_SETS), list(MEASURES), list(GROUPS)]
    return sorted(
        done,
        key=lambda row: (
            order[0].index(row.test_set),
            order[1].index(row.measure),
            order[2].index(row.group),
            row.arm.position,
            row.run.seed,
        ),
    )


def _compared(arm: Evaluation, reference: Evaluation) -> dict[str, Any]:
    """Differences and changes of two evaluations, kept as long as the cache keeps them: evaluations never change."""
    return kept("compared", [arm.inputs_hash, reference.inputs_hash], lambda: _compute(arm, reference))


def _compute(arm: Evaluation, reference: Evaluation) -> dict[str, Any]:
    # SciPy is loaded by the first page that compares, not by every process at its start
    from detection.evaluation import comparisons, lesion_groups
    from detection.evaluation.errors import EvaluationError

    try:
        one, other = result_of(arm), result_of(reference)
        known = [group for group in lesion_groups.GROUPS if one.groups_known or group == "malignant"]
        changes = {group: comparisons.gains_and_losses(one, other, group) for group in known}
        return {
            "differences": [difference.to_json() for difference in comparisons.paired_differences(one, other)],
            "changes": {
                group: {
                    "gained": len(changed.gained),
                    "lost": len(changed.lost),
                    "both": len(changed.both),
                    "neither": len(changed.neither),
                    "patients": changed.patients.to_json(),
                }
                for group, changed in changes.items()
            },
        }
    except EvaluationError as error:
        return {"reason": str(error)}


def changes_table(comparison: Comparison, address: Callable[..., str]) -> list[dict[str, Any]]:
    """Lesions gained and lost by run, test set and group, each count with the address of its cases."""
    listed = []
    seen: dict[tuple[str, str, int, int], Compared] = {}
    for row in comparison.rows:
        seen.setdefault((row.test_set, row.group, row.arm.position, row.run.seed), row)
    for row in seen.values():
        counts = comparison.changes[row.run.pk, row.test_set, row.group]
        listed.append(
            {
                "row": row,
                "test_set": TEST_SETS[row.test_set],
                "group": GROUPS[row.group],
                "lesions": counts["gained"] + counts["lost"] + counts["both"] + counts["neither"],
                "gained": counts["gained"],
                "gained_url": address(row, "sensitivity", "gained", against=row.reference.pk),
                "lost": counts["lost"],
                "lost_url": address(row, "sensitivity", "lost", against=row.reference.pk),
                "both": counts["both"],
                "both_url": address(row, "sensitivity", "both", against=row.reference.pk),
                "neither": counts["neither"],
                "neither_url": address(row, "sensitivity", "neither", against=row.reference.pk),
                "patients": counts["patients"],
            }
        )
    return listed
