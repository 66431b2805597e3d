"""The PDF report: made by a job, once for the same records, readable, and saying what it rests on."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from django.test import Client
from django.urls import reverse
from reportlab.lib.colors import HexColor

from detection.evaluation.protocol import Protocol
from tests.webapp import records
from tests.webapp.experiment_records import finish_all, graded, outlined
from webapp.accounts.models import Project, User
from webapp.annotations.models import Lesion
from webapp.core import files
from webapp.core.errors import NotAllowed, UserError
from webapp.core.models import AuditEvent
from webapp.experiments import selectors as experiments
from webapp.experiments.models import Experiment
from webapp.jobs import places
from webapp.jobs import services as jobs
from webapp.jobs.execution import run_here
from webapp.results import calibration, curves, failures, levels, models, outlines, selectors
from webapp.results.comparison import compare
from webapp.results.models import Report
from webapp.results.reports import registry, services
from webapp.results.reports.basis import Basis
from webapp.results.reports.content import Heading, ReportSection, Section, Series, Table, Text
from webapp.results.reports.drawing import PARTS, _line
from webapp.results.reports.level_chapter import VIEWS
from webapp.results.reports.opening import title_page
from webapp.results.reports.words import cell

pytestmark = pytest.mark.django_db
KEPT = os.environ.get("CEMLAB_REPORTS")
"""A folder to leave the report in, for a person to look at."""


@pytest.fixture
def evaluated(experiment: Experiment) -> Experiment:
    finish_all(experiment, lambda run: outlined(graded(run.arm.position)))
    return experiments.with_arms(Experiment.objects.all()).get(pk=experiment.pk)


def made(actor: User, experiment: Experiment) -> Report:
    report, _ = services.request_report(actor=actor, experiment=experiment)
    assert report.job is not None
    run_here(report.job)
    report.refresh_from_db()
    report.job.refresh_from_db()
    assert report.file, places.log_tail(report.job)
    return report


def text_of(path: Path) -> list[str]:
    document = pypdfium2.PdfDocument(path)
    pages = [
        page.get_textpage().get_text_bounded().replace("\r\n", " ").replace("\n", " ").replace("\u00a0", " ")
        for page in document
    ]
    document.close()
    return pages


def test_the_report_says_question_answer_numbers_and_hashes(evaluated: Experiment, researcher: User) -> None:
    report = made(researcher, evaluated)
    path = files.absolute(report.file)
    if KEPT:
        (Path(KEPT) / "report.pdf").write_bytes(path.read_bytes())

    pages = text_of(path)
    words = " ".join(pages)
    assert len(pages) == report.pages and report.sha256 == files.sha256(path)
    assert "Hypothesis: Synthetic clusters raise sensitivity." in pages[0]
    assert "Sensitivity, all malignant lesions, internal test" in pages[0]
    for number in shown(evaluated):
        assert cell(number) in words, number
    for difference in compare(evaluated).rows:
        assert cell(difference.interval, signed=True) in words, difference
    result = evaluated.arms.all()[0].runs.all()[0].evaluations.get(test_set="internal_test").result
    for digest in (
        Protocol.from_json(evaluated.protocol).digest(),
        evaluated.version.content_hash,
        evaluated.reproducibility["source_hash"],
        result["test_set_digest"],
    ):
        assert digest in words.replace(" ", "")
    for number, page in enumerate(pages, start=1):
        assert f"Page {number} of {len(pages)}" in page
    assert "Dice coefficient of the outline of each found malignant lesion view" in words
    captions = re.split(r"(?:Figure|Table) \d+\. ", words)[1:]
    assert len(captions) >= 25
    for caption in captions:
        assert all(part in caption for part in ("n: ", "Method: ", "Protocol ", "Hashes: ")), caption


def shown(experiment: Experiment) -> Iterator[dict[str, Any]]:
    """Intervals that the pages show for every group of lesions."""
    for row in selectors.rows(experiment):
        yield from row.numbers.values()
    for evaluation in selectors.evaluations(experiment).values():
        for group in selectors.GROUPS:
            merits = curves.merits(curves.curve(evaluation, group))
            yield from (merits[name] for name in ("CPM", "AP", "AFROC", "wAFROC"))
            dice = outlines.numbers(evaluation, group)
            yield from (dice["found"], dice["every"])
        for level, body in levels.numbers(evaluation, "malignant").items():
            if level != VIEWS:
                yield from (body[name] for name in levels.COLUMNS if body[name]["value"] is not None)
        both = levels.classified(evaluation, "malignant")[VIEWS]
        yield from (*both["sensitivity"].values(), both["auc_conditional"], both["auc_end_to_end"])
        for what in calibration.WHAT:
            yield calibration.numbers(evaluation, what)["equal_width"]["brier"]


def test_arms_stay_apart_in_print_without_colour() -> None:
    def grey(colour: str) -> float:
        red, green, blue = HexColor(colour).rgb()
        return float(0.3 * red + 0.59 * green + 0.11 * blue)

    looks = {
        (repr(line.strokeDashArray), line.strokeWidth)
        for line in (_line([(0, 0), (1, 1)], Series("", (), dash=arm)) for arm in range(8))
    }
    assert len(looks) == 8
    plain = sorted(grey(fill) for fill, angle in PARTS if angle is None)
    assert all(second - first > 0.2 for first, second in pairwise([*plain, 1.0]))
    hatched = [angle for _, angle in PARTS if angle is not None]
    assert len(set(hatched)) == len(hatched) and len(PARTS) == len(failures.COLOURS)


def test_bookmarks_metadata_and_fonts(evaluated: Experiment, researcher: User) -> None:
    report = made(researcher, evaluated)
    document = pypdfium2.PdfDocument(files.absolute(report.file))

    marks = [mark.get_title() for mark in document.get_toc()]
    assert marks[0] == evaluated.name
    assert [mark for mark in marks if mark[0].isdigit()] == [
        f"{number} {title}"
        for number, title in enumerate(
            (
                "Dataset",
                "Arms and runs",
                "Numbers",
                "Paired differences",
                "Levels",
                "Curves",
                "Calibration and net benefit",
                "Outlines",
                "Misses and subgroups",
                "Limitations and looks",
                "Checklists",
                "Hashes in full",
            ),
            start=1,
        )
    ]
    about = document.get_metadata_dict()
    document.close()
    assert about["Author"] == researcher.username and about["Title"] == str(evaluated)
    assert about["CreationDate"] == f"D:{report.created.astimezone(UTC):%Y%m%d%H%M%S}+00'00'"
    assert report.inputs_hash in about["Keywords"]


def test_nothing_stands_outside_the_page_and_no_page_is_empty(evaluated: Experiment, researcher: User) -> None:
    document = pypdfium2.PdfDocument(files.absolute(made(researcher, evaluated).file))
    for page in document:
        width, height = page.get_size()
        drawn = [thing.get_bounds() for thing in page.get_objects(max_depth=6)]
        assert len(drawn) > 5
        for left, bottom, right, top in drawn:
            assert left >= -1 and bottom >= -1 and right <= width + 1 and top <= height + 1
    document.close()


def test_the_same_records_give_the_same_bytes(evaluated: Experiment, researcher: User) -> None:
    first = made(researcher, evaluated)
    Report.objects.update(created=datetime(2026, 3, 4, 5, 6, tzinfo=UTC))
    digests = []
    for _ in range(2):
        Report.objects.filter(pk=first.pk).update(file="", sha256="", size=None, pages=None)
        again = Report.objects.get(pk=first.pk)
        again.job = jobs.submit(
            kind="results.report",
            project=evaluated.project,
            name="again",
            payload={"report": again.pk},
            created_by=researcher,
        )
        run_here(again.job)
        again.refresh_from_db()
        digests.append(again.sha256)

    assert digests[0] == digests[1] != ""


def test_a_report_is_made_anew_only_when_something_behind_it_changed(evaluated: Experiment, researcher: User) -> None:
    from webapp.results import services as results
    from webapp.results.checklists import services as checklists

    first = made(researcher, evaluated)
    again, new = services.request_report(actor=researcher, experiment=evaluated)
    assert (again.pk, new) == (first.pk, False)

    checklists.answer(actor=researcher, experiment=evaluated, topic="ethics", text="Approved.", revision=0)
    second, new = services.request_report(actor=researcher, experiment=evaluated)
    assert new and second.pk != first.pk

    lesion = Lesion.objects.first()
    assert lesion is not None
    Lesion.objects.filter(pk=lesion.pk).update(evidence="core biopsy")
    assert services.request_report(actor=researcher, experiment=evaluated)[1]

    results.record_look(actor=researcher, experiment=evaluated, test_sets=["internal_test"])
    third, new = services.request_report(actor=researcher, experiment=evaluated)
    assert new and third.snapshot["looks"] == {"internal_test": 1, "external_test": 0}


def test_records_that_change_while_it_waits_end_the_job_with_words(evaluated: Experiment, researcher: User) -> None:
    from webapp.results.checklists import services as checklists

    report, _ = services.request_report(actor=researcher, experiment=evaluated)
    checklists.answer(actor=researcher, experiment=evaluated, topic="ethics", text="Approved.", revision=0)
    assert report.job is not None
    run_here(report.job)

    report.job.refresh_from_db()
    report.refresh_from_db()
    assert report.job.state == "failed" and "changed after it was asked for" in report.job.error
    assert report.file == ""


def test_an_old_job_that_is_started_again_leaves_the_report_alone(evaluated: Experiment, researcher: User) -> None:
    report, _ = services.request_report(actor=researcher, experiment=evaluated)
    assert report.job is not None
    old = jobs.cancel(actor=researcher, job=report.job)
    done = made(researcher, evaluated)

    run_here(jobs.retry(actor=researcher, job=old))

    again = Report.objects.get()
    old.refresh_from_db()
    assert (again.file, again.sha256, old.state) == (done.file, done.sha256, "done")


def test_a_failed_report_can_be_asked_for_again(evaluated: Experiment, researcher: User) -> None:
    report, _ = services.request_report(actor=researcher, experiment=evaluated)
    assert report.job is not None
    jobs.cancel(actor=researcher, job=report.job)

    again, new = services.request_report(actor=researcher, experiment=evaluated)

    assert new and again.pk == report.pk and again.job_id != report.job_id


@pytest.mark.parametrize(
    ("origins", "begins"), [({"phantom"}, "Phantom data."), ({"phantom", "real"}, "Partly phantom"), ({"real"}, "")]
)
def test_phantom_views_are_named_on_the_first_page(evaluated: Experiment, origins: set[str], begins: str) -> None:
    basis = Basis(evaluated, {}, "")
    basis.__dict__["origins"] = origins
    warnings = [block for block in title_page(basis).blocks if isinstance(block, Text) and block.kind == "warning"]

    assert [block.words.startswith(begins) for block in warnings] == ([True] if begins else [])


def test_only_people_who_launch_make_reports_and_open_runs_keep_the_lock(
    experiment: Experiment, project: Project, researcher: User
) -> None:
    observer = records.make_member(project, "observer", "watcher")

    with pytest.raises(NotAllowed):
        services.request_report(actor=observer, experiment=experiment)
    with pytest.raises(UserError, match="locked"):
        services.request_report(actor=researcher, experiment=experiment)
    client = Client()
    client.force_login(researcher)
    page = client.get(reverse("results:report", args=["study", 1]))
    assert "Open when 3 of 3 runs end" in page.content.decode()
    assert models.TestSetLook.objects.count() == 0


def test_page_and_file(client: Client, evaluated: Experiment, researcher: User) -> None:
    assert "No report yet" in client.get(reverse("results:report", args=["study", 1])).content.decode()
    assert client.post(reverse("results:report-make", args=["study", 1])).status_code == 302
    report = Report.objects.get()
    assert report.job is not None
    waiting = client.get(reverse("results:report", args=["study", 1])).content.decode()
    assert "have changed since" not in waiting and "Download" not in waiting
    run_here(report.job)

    page = client.get(reverse("results:report", args=["study", 1])).content.decode()
    answer = client.get(reverse("results:report-file", args=["study", 1, report.pk]))

    assert "Download, up to date" in page and researcher.username in page
    assert answer["Content-Type"] == "application/pdf" and b"".join(answer.streaming_content).startswith(b"%PDF-")
    assert AuditEvent.objects.filter(action="results.report_download").count() == 1
    assert models.TestSetLook.objects.filter(person=researcher).count() == 2
    client.get(reverse("results:experiment", args=["study", 1]))
    assert "have changed since" in client.get(reverse("results:report", args=["study", 1])).content.decode()


def test_letters_the_font_lacks_leave_a_trace_and_markup_stays_text(tmp_path: Path) -> None:
    from webapp.results.reports.typesetting import Imprint, write

    odd = "A <b>bold</b> & odd Ж name"
    imprint = Imprint(odd, odd, odd, odd, odd, datetime(2026, 3, 4, 5, 6, tzinfo=UTC))
    long = Table((("=", 0.5), ("x" * 90, 0.5)), tuple((odd, "word " * number) for number in range(120)), odd)

    pages = write(
        [Section(odd, (Text(odd, "warning"),)), Section(odd, (Heading(odd), long))], imprint, tmp_path / "odd.pdf"
    )

    found = text_of(tmp_path / "odd.pdf")
    assert len(found) == pages > 5
    assert found[0].count("A <b>bold</b> & odd ? name") == 3
    assert all(f"Page {number} of {pages}" in page for number, page in enumerate(found, start=1))


def test_every_registered_chapter_is_in_the_hash(evaluated: Experiment) -> None:
    looks = selectors.looks(evaluated)
    before = registry.inputs_hash(evaluated, looks)
    registry.report_sections.register("trial", ReportSection(lambda basis: None, 5, state=lambda one: one.number))
    try:
        assert registry.inputs_hash(evaluated, looks) != before
    finally:
        del registry.report_sections.providers["trial"]
    assert registry.inputs_hash(evaluated, looks) == before
