"""Lesions and their outlines: checked, revised, never overwritten."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.webapp.records import make_exam, make_member, make_project
from webapp.accounts.models import Project, User
from webapp.annotations import classes
from webapp.annotations.geometry import box_of, checked_points, checked_polygons
from webapp.annotations.models import Annotation, Lesion
from webapp.annotations.selectors import lesions_of
from webapp.annotations.services import change_class, create_lesion, revise_annotation, withdraw_annotation
from webapp.cases.models import Exam
from webapp.core.errors import NotAllowed, UserError
from webapp.core.models import AuditEvent

SHAPE = (96, 64)
SQUARE = [[10, 10], [20, 10], [20, 20], [10, 20]]


@pytest.fixture
def project(db: None) -> Project:
    return make_project()


@pytest.fixture
def curator(project: Project) -> User:
    return make_member(project, "curator")


@pytest.fixture
def exam(project: Project) -> Exam:
    return make_exam(project, lesions=(), shape=SHAPE)


def lesion_of(curator: User, exam: Exam, **values: Any) -> Lesion:
    words = {"laterality": "R", "lesion_type": "mass", "malignancy": "malignant", **values}
    return create_lesion(actor=curator, exam=exam, **words)


def test_lesions_are_numbered_and_audited(curator: User, exam: Exam) -> None:
    assert [lesion_of(curator, exam).number, lesion_of(curator, exam).number] == [1, 2]
    event = AuditEvent.objects.filter(action="annotations.create_lesion").last()
    assert event is not None and event.actor_name == curator.username


@pytest.mark.parametrize(
    "values", [{"laterality": "X"}, {"lesion_type": "cyst"}, {"malignancy": "bad"}, {"malignancy": ""}]
)
def test_unknown_words_are_refused(curator: User, exam: Exam, values: dict[str, str]) -> None:
    with pytest.raises(UserError):
        lesion_of(curator, exam, **values)
    assert not Lesion.objects.exists()


def test_a_breast_without_a_view_has_no_lesion(curator: User, project: Project) -> None:
    with pytest.raises(UserError, match="left breast"):
        lesion_of(curator, make_exam(project, lesions=(), views=(("R", "CC"),)), laterality="L")


def test_the_exam_knows_its_lesion_classes(curator: User, exam: Exam) -> None:
    lesion = lesion_of(curator, exam)
    lesion_of(curator, exam, lesion_type="cluster", malignancy="benign")
    exam.refresh_from_db()
    assert exam.lesion_classes == classes.bits([("mass", "malignant"), ("cluster", "benign")])
    change_class(actor=curator, lesion=lesion, lesion_type="both", malignancy="malignant", evidence="histology")
    exam.refresh_from_db()
    assert exam.lesion_classes == classes.bits([("both", "malignant"), ("cluster", "benign")])
    assert AuditEvent.objects.get(action="annotations.change_class").details["former"]["lesion_type"] == "mass"


def test_a_change_is_a_new_revision_and_the_old_one_stays(curator: User, exam: Exam) -> None:
    lesion, view = lesion_of(curator, exam), exam.views.get(laterality="R", position="CC")
    first = revise_annotation(actor=curator, lesion=lesion, view=view, polygons=[SQUARE])
    moved = [[x + 5, y] for x, y in SQUARE]
    second = revise_annotation(actor=curator, lesion=lesion, view=view, polygons=[moved], based_on=1)
    assert (first.revision, second.revision) == (1, 2)
    assert list(lesion.annotations.filter(current=True)) == [second]
    assert sorted(one.revision for one in lesion.annotations.all()) == [1, 2]
    assert Annotation.objects.get(pk=first.pk).polygons == [[[float(x), float(y)] for x, y in SQUARE]]
    assert (second.x1, second.y1, second.x2, second.y2) == (15, 10, 25, 20)


def test_a_change_drawn_over_an_old_revision_is_refused(curator: User, exam: Exam) -> None:
    lesion, view = lesion_of(curator, exam), exam.views.get(laterality="R", position="CC")
    for _ in range(2):
        revise_annotation(actor=curator, lesion=lesion, view=view, polygons=[SQUARE])
    with pytest.raises(UserError, match="saved revision 2"):
        revise_annotation(actor=curator, lesion=lesion, view=view, polygons=[SQUARE], based_on=1)


def test_a_withdrawn_outline_is_kept_but_not_shown(curator: User, exam: Exam) -> None:
    lesion, view = lesion_of(curator, exam), exam.views.get(laterality="R", position="CC")
    revise_annotation(actor=curator, lesion=lesion, view=view, polygons=[SQUARE])
    withdraw_annotation(actor=curator, lesion=lesion, view=view)
    assert not lesion.annotations.filter(current=True, withdrawn=False) and Annotation.objects.count() == 2
    with pytest.raises(UserError):
        withdraw_annotation(actor=curator, lesion=lesion, view=view)


def test_a_lesion_is_drawn_on_its_own_breast_only(curator: User, exam: Exam) -> None:
    lesion = lesion_of(curator, exam)
    with pytest.raises(UserError, match="does not show the breast"):
        revise_annotation(
            actor=curator, lesion=lesion, view=exam.views.get(laterality="L", position="CC"), polygons=[SQUARE]
        )


@pytest.mark.parametrize(
    ("role", "allowed"), [("observer", False), ("researcher", False), ("radiologist", True), ("admin", True)]
)
def test_curators_and_radiologists_write_lesions(project: Project, exam: Exam, role: str, allowed: bool) -> None:
    person = make_member(project, role)
    if allowed:
        assert lesion_of(person, exam).pk
    else:
        with pytest.raises(NotAllowed):
            lesion_of(person, exam)


def test_people_of_another_project_see_no_lesion(project: Project, curator: User, exam: Exam) -> None:
    lesion_of(curator, exam)
    assert lesions_of(curator, project).count() == 1 and not lesions_of(make_member(None, ""), project)


def test_the_database_allows_one_current_revision(curator: User, exam: Exam) -> None:
    lesion, view = lesion_of(curator, exam), exam.views.get(laterality="R", position="CC")
    first = revise_annotation(actor=curator, lesion=lesion, view=view, polygons=[SQUARE])
    with pytest.raises(IntegrityError), transaction.atomic():
        Annotation.objects.create(lesion=lesion, view=view, revision=9, x1=first.x1, y1=0, x2=99, y2=9)


@pytest.mark.parametrize(
    "polygons",
    [
        "square",
        [[]],
        [[[1, 1], [2, 2]]],
        [[[1, 1], [2, 2], [3, 3]]],
        [[[-0.1, 1], [20, 1], [20, 20]]],
        [[[1, 1], [64.5, 1], [20, 20]]],
        [[[1, 1], [20, 1], [20, 97]]],
        [[[1, 1], [float("nan"), 1], [20, 20]]],
        [[[1, 1], [20, 1], [20, float("inf")]]],
        [[[1, 1], [20, 1], ["20", 20]]],
        [[[1, 1], [20, 1], [20, 20, 20]]],
        [[[1, 1], [20, 1], [True, 20]]],
        [[[1, 1], [20, 1], [1, 20]] * 7000],
    ],
)
def test_outlines_that_cannot_be_kept_say_why(polygons: Any) -> None:
    with pytest.raises(UserError):
        checked_polygons(polygons, SHAPE)


def test_nothing_drawn_is_refused_and_points_alone_get_their_pixels() -> None:
    with pytest.raises(UserError, match="Nothing is drawn"):
        box_of([], [])
    assert box_of([], checked_points([(5, 6), (9, 7)], SHAPE)) == (4.5, 5.5, 9.5, 7.5)


@given(
    st.lists(st.tuples(st.floats(0, 64), st.floats(0, 96)), min_size=1, max_size=30),
)
@settings(deadline=None, max_examples=50)
def test_the_box_holds_every_point_inside_the_image(points: list[tuple[float, float]]) -> None:
    checked = checked_points([list(point) for point in points], SHAPE)
    x1, y1, x2, y2 = box_of([], checked)
    assert all(x1 < x < x2 and y1 < y < y2 for x, y in checked)


@given(st.sets(st.sampled_from(classes.CLASSES)))
def test_classes_and_their_bits_are_one_to_one(chosen: set[tuple[str, str]]) -> None:
    value = classes.bits(chosen)
    assert {one for bit, one in enumerate(classes.CLASSES) if value >> bit & 1} == chosen
