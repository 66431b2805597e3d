"""Title page: question, what was declared before any result, and the answer."""

from __future__ import annotations

from webapp.experiments.design import ENDPOINTS
from webapp.results import selectors
from webapp.results.reports.basis import Basis
from webapp.results.reports.content import Block, Facts, Heading, Section, Table, Text
from webapp.results.reports.words import cell, looks, methods, moment, phantom_warning
from webapp.results.verdict import verdict


def title_page(basis: Basis) -> Section:
    """Question, hypothesis, primary endpoint, its verdict and its value in every run."""
    experiment = basis.experiment
    answer = verdict(experiment, basis.looks)
    blocks: list[Block] = [
        Text(f"Report of experiment {experiment.number} in project {experiment.project.slug}", "note"),
        Text(f"Hypothesis: {experiment.hypothesis}", "lead"),
    ]
    if warning := phantom_warning(basis):
        blocks.append(Text(warning, "warning"))
    blocks += [
        Heading("Question and answer"),
        Text(answer.asked),
        Text(answer.came_out, "lead"),
        *(Text(words, "note") for words in answer.cannot),
        Heading("Declared before any result"),
        Facts(
            (
                ("Primary endpoint", ENDPOINTS.get(experiment.primary_endpoint, experiment.primary_endpoint)),
                ("Design frozen", moment(experiment.frozen_at)),
                ("Dataset", str(experiment.version)),
                ("Protocol", basis.protocol.sentence()),
            )
        ),
        _endpoint_table(basis),
        Facts(
            (
                ("Asked for by", basis.requested_by),
                ("Looks at the test sets", f"{looks(basis)}, when the report was asked for"),
            )
        ),
    ]
    return Section(experiment.name, tuple(blocks))


def _endpoint_table(basis: Basis) -> Table:
    measure, group, test_set = basis.experiment.primary_endpoint.split(":")
    rows = [row for row in selectors.rows(basis.experiment) if (row.group, row.test_set) == (group, test_set)]
    return Table(
        (("Arm", 0.34), ("Synthetic ratio", 0.2), ("Seed", 0.1), (selectors.MEASURES[measure], 0.36)),
        tuple(
            (row.arm.name, selectors.ratio_words(row.arm), str(row.run.seed), cell(row.numbers[measure]))
            for row in rows
        ),
        basis.caption(
            "The primary endpoint in every run: value, interval, n",
            n=f"in the table; {basis.size([test_set])}",
            method=methods(row.numbers[measure] for row in rows),
            test_sets=[test_set],
        ),
    )
