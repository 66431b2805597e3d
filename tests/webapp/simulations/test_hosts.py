"""Which breasts a filter leaves."""

from __future__ import annotations

import pytest

from tests.webapp.simulations.conftest import Study
from webapp.cases.models import Exam
from webapp.core.errors import UserError
from webapp.datasets.models import Split
from webapp.simulations.hosts import HostFilter, choose_hosts, host_breasts


def test_every_host_is_a_training_breast(study: Study) -> None:
    training = set(study.version.assignments.filter(split=Split.TRAIN).values_list("patient", flat=True))

    assert {breast.patient_id for breast in host_breasts(study.version)} == training


def test_lesion_free_breasts_come_first_and_all_come_when_asked(study: Study) -> None:
    breasts = host_breasts(study.version)

    preferred, free, every = (
        choose_hosts(breasts, HostFilter(lesions=rule)) for rule in ("prefer_free", "free", "any")
    )

    assert preferred.hosts == free.hosts and preferred.lesion_free
    assert {breast.laterality for breast in free.hosts} == {"L"}
    assert len(every.hosts) == len(breasts) == 2 * len(free.hosts) and not every.lesion_free
    assert free.left_out == {"has a lesion": len(free.hosts)}


def test_breasts_with_lesions_serve_only_where_there_is_no_other(study: Study) -> None:
    right = HostFilter(lateralities=("R",))

    serving = choose_hosts(host_breasts(study.version), right)

    assert serving.hosts and not serving.lesion_free
    assert choose_hosts(host_breasts(study.version), HostFilter(lateralities=("R",), lesions="free")).hosts == ()


def test_a_breast_keeps_being_one_with_a_lesion_when_its_diseased_view_is_left_out(study: Study) -> None:
    cc_only = choose_hosts(host_breasts(study.version), HostFilter(positions=("CC",), lesions="any"))

    assert sorted({breast.lesion_free for breast in cc_only.hosts}) == [False, True]


def test_sites_vendors_densities_and_named_patients_restrict(study: Study) -> None:
    breasts = host_breasts(study.version)
    one = breasts[0]
    Exam.objects.filter(pk=one.exam_id).update(attributes={"breast_density": "d"})

    without = choose_hosts(breasts, HostFilter(without=(one.pseudonym,), lesions="any"))
    dense = choose_hosts(host_breasts(study.version), HostFilter(densities=("d",), lesions="any"))

    assert one.patient_id not in {breast.patient_id for breast in without.hosts}
    assert without.left_out == {"patient left out by name": 2}
    assert {breast.exam_id for breast in dense.hosts} == {one.exam_id}
    assert choose_hosts(breasts, HostFilter(sites=("nowhere",))).hosts == ()
    assert choose_hosts(breasts, HostFilter(vendors=("unknown",))).hosts


def test_a_filter_survives_being_written_down() -> None:
    wanted = HostFilter(sites=("A", "B"), positions=("MLO",), lesions="free", without=("P1",))

    assert HostFilter.from_json(wanted.to_json()) == wanted
    assert HostFilter.from_json({}) == HostFilter()


def test_a_filter_that_leaves_nobody_is_refused_with_the_reasons(study: Study) -> None:
    with pytest.raises(UserError, match="another site") as refused:
        study.simulate(run=False, hosts=HostFilter(sites=("nowhere",)))

    assert refused.value.field == "hosts"
