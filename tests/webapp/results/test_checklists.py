"""Checklists: filled from the records, completed by the authors, every revision kept."""

from __future__ import annotations

import csv
import io
import re

import pytest
from django.db import DatabaseError, transaction
from django.test import Client
from django.urls import reverse

from tests.webapp import experiment_records, records
from tests.webapp.experiment_records import finish_all
from webapp.accounts.models import Project, User
from webapp.core.errors import NotAllowed, UserError
from webapp.core.models import AuditEvent
from webapp.experiments import selectors as experiments
from webapp.experiments.models import Experiment, Run
from webapp.results import selectors
from webapp.results.checklists import services
from webapp.results.checklists.filling import Entry, entries
from webapp.results.checklists.topics import TO_VERIFY, TOPICS
from webapp.results.models import ChecklistAnswer
from webapp.results.reports.basis import Basis

pytestmark = pytest.mark.django_db


def listed(experiment: Experiment) -> dict[str, Entry]:
    found = experiments.with_arms(Experiment.objects.all()).get(pk=experiment.pk)
    return {entry.topic.key: entry for entry in entries(Basis(found, selectors.looks(found), ""))}


def test_only_certain_item_numbers_are_printed() -> None:
    for topic in TOPICS.values():
        assert not topic.tripod or topic.tripod == TO_VERIFY
        weights = re.findall(r"(\d+) \((0\.\d{4})\)", topic.metrics)
        assert topic.metrics in ("", TO_VERIFY) or len(weights) == topic.metrics.count("(")
        assert all(int(item) <= 23 for item, _ in weights)
        assert all(1 <= int(item) <= 42 for item in topic.claim.split(", ") if item)
    numbers = [number for topic in TOPICS.values() for number in re.findall(r"(\d+) \(", topic.metrics)]
    assert len(numbers) == len(set(numbers)) == 13


def test_statements_are_counted_in_the_records(ended: Experiment) -> None:
    found = listed(ended)

    version = ended.version
    split = " ".join(found["split"].filled.statements)
    for name, label in (("train", "train"), ("internal_test", "internal test"), ("external_test", "external test")):
        assert f"{label} {version.assignments.filter(split=name).count()}" in split
    assert "5 of 5 passed" in split
    missed = sum(
        row["malignancy"] == "malignant" and row["outcome"] == "FN"
        for one in selectors.evaluations(ended).values()
        for row in one.result["lesions"]
    )
    counts = re.findall(r"(\d+)[,.]", found["failures"].filled.statements[0].partition("reason:")[2])
    assert missed == sum(map(int, counts)) > 0
    assert found["ethics"].required and found["ethics"].filled is None
    assert not found["split"].required


def test_nothing_is_said_that_did_not_happen(project: Project, researcher: User) -> None:
    version = experiment_records.make_version(project, 16, external=0)
    alone = experiment_records.launch(project, researcher, version, ratios=(0.0,))
    Run.objects.update(state="failed")
    failed = {key: entry.filled for key, entry in listed(alone).items()}
    for topic in ("failures", "subgroups", "sample-size"):
        assert failed[topic].statements == () and failed[topic].missing
    assert all(failed[topic].missing for topic in ("performance", "calibration", "segmentation", "external"))

    blind = experiment_records.launch(project, researcher, version, ratios=(0.0,))
    finish_all(blind, lambda run: lambda sample: [])
    said = {key: " ".join(entry.filled.statements) for key, entry in listed(blind).items() if entry.filled}
    assert "fewer than two have numbers" in said["performance"] and "superiority" not in said["performance"]
    assert "paired" not in said["performance"]
    assert "benign 0, malignant 0" in said["calibration"] and "reliability" not in said["calibration"]
    assert "no Dice of outlines is stored" in said["segmentation"]
    n = sum(
        row["malignancy"] == "malignant"
        for one in selectors.evaluations(blind).values()
        for row in one.result["lesions"]
    )
    assert f"{n} of {n}, by reason: no overlap {n}." in said["failures"]


def test_an_answer_fills_a_topic_and_a_change_is_a_new_revision(ended: Experiment, researcher: User) -> None:
    services.answer(actor=researcher, experiment=ended, topic="ethics", text=" Approved.\r\n", revision=0)
    assert services.answer(actor=researcher, experiment=ended, topic="ethics", text="Approved.", revision=1) is None
    services.answer(actor=researcher, experiment=ended, topic="ethics", text="Approved, waiver.", revision=1)

    kept = list(ChecklistAnswer.objects.values_list("revision", "current", "text", "author_name"))
    assert kept == [
        (1, False, "Approved.", researcher.username),
        (2, True, "Approved, waiver.", researcher.username),
    ]
    assert AuditEvent.objects.filter(action="results.checklist").count() == 2
    entry = listed(ended)["ethics"]
    assert not entry.required and entry.text == "Approved, waiver."


def test_earlier_revisions_stay_as_they_were_written(ended: Experiment, researcher: User) -> None:
    services.answer(actor=researcher, experiment=ended, topic="ethics", text="One.", revision=0)

    for change in ({"text": "Two."}, {"author_name": "someone"}, {"topic": "funding"}):
        with pytest.raises(DatabaseError, match="superseded, not changed"), transaction.atomic():
            ChecklistAnswer.objects.update(**change)
    services.answer(actor=researcher, experiment=ended, topic="ethics", text="Two.", revision=1)
    with pytest.raises(DatabaseError, match="superseded, not changed"), transaction.atomic():
        ChecklistAnswer.objects.filter(revision=1).update(current=True)


def test_words_of_two_people_do_not_cover_each_other(ended: Experiment, project: Project, researcher: User) -> None:
    other = records.make_member(project, "admin", "chief")
    services.answer(actor=other, experiment=ended, topic="funding", text="None.", revision=0)

    with pytest.raises(UserError, match="chief wrote here since"):
        services.answer(actor=researcher, experiment=ended, topic="funding", text="A grant.", revision=0)
    assert ChecklistAnswer.objects.get().text == "None."


def test_a_topic_left_as_it_was_does_not_stand_against_what_another_wrote(
    ended: Experiment, project: Project, researcher: User
) -> None:
    """The form sends every topic; saving once more must not bring an older text back."""
    other = records.make_member(project, "admin", "chief")
    services.answer(actor=researcher, experiment=ended, topic="funding", text="None.", revision=0)
    services.answer(actor=other, experiment=ended, topic="funding", text="A grant.", revision=1)
    services.answer(actor=other, experiment=ended, topic="ethics", text="Approved.", revision=0)

    for topic, text, revision in (("funding", "None.", 1), ("ethics", "", 0)):
        assert services.answer(actor=researcher, experiment=ended, topic=topic, text=text, revision=revision) is None
    assert list(ChecklistAnswer.objects.filter(current=True).values_list("topic", "text")) == [
        ("ethics", "Approved."),
        ("funding", "A grant."),
    ]


@pytest.mark.parametrize(
    ("topic", "text", "words"), [("magic", "x", "No such topic"), ("ethics", "x" * 4001, "at most 4000")]
)
def test_what_cannot_be_stored_is_refused_in_words(
    ended: Experiment, researcher: User, topic: str, text: str, words: str
) -> None:
    with pytest.raises(UserError, match=words):
        services.answer(actor=researcher, experiment=ended, topic=topic, text=text, revision=0)


def test_people_who_do_not_launch_read_only(ended: Experiment, project: Project) -> None:
    observer = records.make_member(project, "observer", "watcher")
    with pytest.raises(NotAllowed):
        services.answer(actor=observer, experiment=ended, topic="ethics", text="Approved.", revision=0)
    client = Client()
    client.force_login(observer)
    address = reverse("results:checklists", args=["study", 1])

    page = client.get(address)
    assert page.status_code == 200 and b"<textarea" not in page.content
    assert client.post(address, {"text-ethics": "Approved."}).status_code == 403


def test_the_page_keeps_what_was_written_when_it_cannot_be_stored(
    client: Client, ended: Experiment, project: Project
) -> None:
    other = records.make_member(project, "admin", "chief")
    services.answer(actor=other, experiment=ended, topic="funding", text="None.", revision=0)
    address = reverse("results:checklists", args=["study", 1])

    sent = {"text-funding": "A grant.", "revision-funding": "0", "text-ethics": "Approved.", "revision-ethics": "0"}
    page = client.post(address, sent)

    words = page.content.decode()
    assert page.status_code == 422 and "chief wrote here" in words
    assert "A grant.</textarea>" in words and "Stored, by chief</span><br>None." in words
    assert ChecklistAnswer.objects.get(topic="ethics").text == "Approved."
    assert client.post(address, sent | {"revision-funding": "1", "revision-ethics": "1"}).status_code == 302
    assert ChecklistAnswer.objects.get(topic="funding", current=True).text == "A grant."


def test_the_csv_has_a_row_for_each_checklist_and_is_safe_in_a_spreadsheet(
    client: Client, ended: Experiment, researcher: User
) -> None:
    services.answer(actor=researcher, experiment=ended, topic="ethics", text="=HYPERLINK(1)", revision=0)
    answer = client.get(reverse("results:checklists-csv", args=["study", 1]))
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))

    assert len(rows) == sum(len(topic.items) or 1 for topic in TOPICS.values())
    by_topic = {(row["topic"], row["checklist"]): row for row in rows}
    assert by_topic["Ethics", "all"]["authors_say"] == "'=HYPERLINK(1)"
    split = by_topic[TOPICS["split"].words, "METRICS, item (weight)"]
    assert (split["items"], split["state"]) == ("18 (0.0599)", "filled")
    assert by_topic[TOPICS["split"].words, "TRIPOD+AI"]["items"] == TO_VERIFY
    assert {len(row["protocol_digest"]) for row in rows} == {len(row["data_hash"]) for row in rows} == {64}
