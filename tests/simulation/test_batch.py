"""What a batch promises: resumable, independent of processes and order, every host a case or a reason."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pydicom
import pytest

from imaging.dicom_writing import ImageIdentity, is_synthetic, write_pair
from imaging.reading import read_pixels
from simulation.batch import BatchPlan, run_batch
from simulation.enhancement import ContrastDistribution
from simulation.errors import BatchMismatch, InvalidHostList, InvalidSettings
from simulation.host_list import HostBreast, exclusion_of, read_hosts
from simulation.measured import Measured
from simulation.phantom import phantom_patient
from simulation.settings import SimulationSettings

QUICK = SimulationSettings(maximum_cells=24)


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """CSV of two breasts with both views and of one that holds no breast at all."""
    folder = tmp_path_factory.mktemp("hosts")
    lines = []
    for number, side in ((1, "L"), (2, "R")):
        views = phantom_patient(seed=number, site="AB"[number - 1], size="test", views=((side, "CC"), (side, "MLO")))
        for view in views:
            lines.append(_written(folder, view.pair, f"P{number}", number))
    blank = phantom_patient(seed=3, site="A", size="test", views=(("L", "CC"),))[0].pair
    blank.low_energy[:] = 0
    lines.append(_written(folder, blank, "P3", 3))
    return _list(folder / "hosts.csv", lines)


def _written(folder: Path, pair, patient: str, number: int) -> dict[str, str]:
    identity = ImageIdentity(patient, f"{patient}^X", pydicom.valuerep.DA("20200101"), seed=str(number))
    made = write_pair(pair, folder / patient, identity=identity)
    return {
        "patient": patient,
        "laterality": pair.laterality,
        "view": pair.view_position,
        "low_energy": str(made.low_energy.relative_to(folder)),
        "recombined": str(made.recombined.relative_to(folder)),
    }


def _list(path: Path, lines: list[dict[str, str]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)
    return path


def _plan(hosts: Path, **choices) -> BatchPlan:
    wanted = {"malignancy": "malignant", "seed": 5, "lesion_free": True, "per_host": 2, "settings": QUICK} | choices
    return BatchPlan(read_hosts(hosts), **wanted)


def _files(folder: Path) -> dict[str, bytes]:
    """Everything but the computing times."""
    found = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"):
        content = path.read_bytes()
        if path.name == "case.json":
            body = json.loads(content)
            assert body.pop("seconds")
            content = json.dumps(body).encode()
        found[str(path.relative_to(folder))] = content
    return found


@pytest.fixture(scope="module")
def done(hosts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("batch")
    result = run_batch(_plan(hosts), folder)
    assert (result.planned, result.made, result.refused, result.failed) == (6, 4, 2, [])
    return folder


def test_the_manifest_lists_each_case_or_its_typed_refusal(done: Path) -> None:
    manifest = json.loads((done / "manifest.json").read_text())
    assert manifest["planned"] == len(manifest["cases"]) + len(manifest["refused"]) == 6
    assert {(case["patient"], case["variant"]) for case in manifest["cases"]} == {
        (patient, variant) for patient in ("P1", "P2") for variant in (0, 1)
    }
    for refused in manifest["refused"]:
        assert refused["patient"] == "P3"
        assert [entry["code"] for entry in refused["refusals"]] == ["breast-not-found"]


def test_both_views_of_a_breast_show_one_cluster_in_one_synthetic_study(done: Path) -> None:
    for path in (done / "cases").glob("*/case.json"):
        case = json.loads(path.read_text())
        assert [view["view"] for view in case["views"]] == ["CC", "MLO"]
        records = [json.loads((path.parent / v["files"]["record"]["name"]).read_text()) for v in case["views"]]
        assert records[1]["partner"] == records[0]["placement"]
        headers = [pydicom.dcmread(file, stop_before_pixels=True) for file in path.parent.glob("*.dcm")]
        assert len({header.StudyInstanceUID for header in headers}) == 1
        assert len({header.PatientID for header in headers}) == 1
        assert len({header.SOPInstanceUID for header in headers}) == 4
        assert all(is_synthetic(header) and header.ImageType[0] == "DERIVED" for header in headers)
        assert not any("P1" in str(header.PatientID) or "P2" in str(header.PatientID) for header in headers)


def test_a_second_run_makes_nothing_and_changes_nothing(hosts: Path, done: Path) -> None:
    before = _files(done)
    result = run_batch(_plan(hosts), done)
    assert (result.made, result.kept, result.refused) == (0, 4, 2)
    assert _files(done) == before


def test_a_damaged_or_missing_case_is_made_again_the_same(hosts: Path, done: Path) -> None:
    before = _files(done)
    first, second = sorted((done / "cases").iterdir())[:2]
    image = next(first.glob("*_low_energy.dcm"))
    content = bytearray(image.read_bytes())
    content[-100] ^= 1
    image.write_bytes(content)
    next(second.glob("*_mask.png")).unlink()
    result = run_batch(_plan(hosts), done)
    assert (result.made, result.kept) == (2, 2)
    assert _files(done) == before


def test_what_an_interrupted_case_left_behind_is_cleared_away(hosts: Path, done: Path) -> None:
    left = done / ".making-half-a-case"
    left.mkdir()
    (left / "image.dcm").write_bytes(b"half")
    run_batch(_plan(hosts), done)
    assert not left.exists()


def test_the_order_of_hosts_does_not_matter(hosts: Path, done: Path, tmp_path: Path) -> None:
    with hosts.open() as file:
        lines = list(csv.DictReader(file))
    reversed_list = _list(hosts.with_name("reversed.csv"), lines[::-1])
    run_batch(_plan(reversed_list), tmp_path)
    assert _files(tmp_path) == _files(done)


@pytest.mark.slow
def test_the_number_of_processes_does_not_matter(hosts: Path, done: Path, tmp_path: Path) -> None:
    run_batch(_plan(hosts), tmp_path, processes=2)
    assert _files(tmp_path) == _files(done)


@pytest.mark.slow
def test_a_batch_that_was_killed_is_finished_by_the_next_run(hosts: Path, done: Path, tmp_path: Path) -> None:
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps(QUICK.to_json()))
    out = tmp_path / "out"
    command = [sys.executable, "-m", "simulation", "batch", "--hosts", str(hosts), "--type", "malignant"]
    command += ["--per-host", "2", "--seed", "5", "--lesion-free", "--settings", str(settings), "--out", str(out)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list(out.glob("cases/*/case.json")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    summary = json.loads(finished.stdout)
    assert summary["made"] + summary["kept"] == 4
    assert summary["kept"] >= 1
    assert _files(out) == _files(done)


def test_a_folder_takes_one_batch(hosts: Path, done: Path) -> None:
    with pytest.raises(BatchMismatch, match="another seed"):
        run_batch(_plan(hosts, seed=6), done)
    with pytest.raises(BatchMismatch, match="settings"):
        run_batch(_plan(hosts, settings=SimulationSettings(maximum_cells=25)), done)


def test_more_cases_can_be_asked_for_later(hosts: Path, tmp_path: Path) -> None:
    few = run_batch(_plan(hosts, per_host=None, count=2, malignancy="benign"), tmp_path)
    more = run_batch(_plan(hosts, per_host=None, count=4, malignancy="benign"), tmp_path)
    assert few.made + few.refused == 2
    assert more.kept == few.made
    assert more.done == 4


def test_cases_are_dealt_round_before_a_host_is_used_twice(hosts: Path) -> None:
    assert sorted(_plan(hosts, per_host=None, count=4).variants().values()) == [1, 1, 2]
    assert sorted(_plan(hosts, per_host=None, count=2).variants().values()) == [0, 1, 1]


def test_measured_contrasts_are_used(hosts: Path, tmp_path: Path) -> None:
    measured = ContrastDistribution("malignant", values=(1.05,), bandwidth=0.0)
    run_batch(_plan(hosts, per_host=None, count=1, measured=Measured(contrast=measured)), tmp_path)
    for path in tmp_path.glob("cases/*/*_record.json"):
        assert json.loads(path.read_text())["enhancement"]["requested"] == pytest.approx(1.05)


def test_a_number_of_cases_is_needed(hosts: Path) -> None:
    for choices in ({"per_host": None}, {"per_host": 2, "count": 3}, {"per_host": 0}):
        with pytest.raises(InvalidSettings, match="number of cases"):
            _plan(hosts, **choices)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"laterality": "X"}, "laterality"),
        ({"view": "LM"}, "view"),
        ({"patient": ""}, "patient"),
        ({"low_energy": "nowhere.dcm"}, "low_energy file is not there"),
        ({"recombined": ""}, "recombined is empty"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(hosts: Path, change: dict[str, str], told: str) -> None:
    with hosts.open() as file:
        lines = list(csv.DictReader(file))
    lines[1] |= change
    with pytest.raises(InvalidHostList, match=f"line 3.*{told}"):
        read_hosts(_list(hosts.with_name("wrong.csv"), lines))


@pytest.mark.parametrize("body", [{}, {"patients": 3}, {"patients": [{"patient": "P", "views": [{"lesions": []}]}]}])
def test_a_phantom_manifest_that_is_not_complete_is_refused(tmp_path: Path, body: dict[str, object]) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"schema": "cemlab.phantom/1"} | body))
    with pytest.raises(InvalidHostList, match="no complete phantom manifest"):
        read_hosts(tmp_path)


def test_a_batch_needs_hosts() -> None:
    with pytest.raises(InvalidSettings, match="at least one host"):
        BatchPlan((), "benign", 1, count=3)


def test_a_list_without_a_needed_column_is_refused(hosts: Path) -> None:
    path = hosts.with_name("columns.csv")
    path.write_text("patient,view\nP1,CC\n")
    with pytest.raises(InvalidHostList, match="laterality, low_energy, recombined"):
        read_hosts(path)


def test_a_view_given_twice_is_refused(hosts: Path) -> None:
    with hosts.open() as file:
        lines = list(csv.DictReader(file))
    with pytest.raises(InvalidHostList, match="given twice"):
        read_hosts(_list(hosts.with_name("twice.csv"), [*lines, lines[0]]))


def test_a_folder_of_dicom_files_is_paired_by_its_headers(hosts: Path, done: Path, tmp_path: Path) -> None:
    for path in [*hosts.parent.glob("P1/*.dcm"), *hosts.parent.glob("P2/*.dcm"), *done.glob("cases/*/*.dcm")]:
        (tmp_path / f"{len(list(tmp_path.iterdir()))}.dcm").write_bytes(path.read_bytes())
    found = read_hosts(tmp_path)
    # synthetic views are no hosts
    assert sorted(breast.laterality for breast in found) == ["L", "R"]
    assert all([view.view for view in breast.views] == ["CC", "MLO"] for breast in found)
    assert all(breast.patient.startswith("study-") for breast in found)


def test_known_lesions_are_kept_ten_millimetres_clear_of(hosts: Path, done: Path, tmp_path: Path) -> None:
    case = next((done / "cases").iterdir())
    mask = next(case.glob("*_CC_*_mask.png"))
    (breast,) = [one for one in read_hosts(hosts) if case.name.startswith(one.key)]
    view = breast.views[0]
    line = {
        "patient": "P",
        "laterality": breast.laterality,
        "view": "CC",
        "low_energy": str(view.low_energy),
        "recombined": str(view.recombined),
        "mask_low_energy": str(mask),
    }
    known: tuple[HostBreast, ...] = read_hosts(_list(tmp_path / "known.csv", [line]))
    plan = BatchPlan(known, "benign", 1, per_host=1, settings=QUICK)
    assert run_batch(plan, tmp_path / "out").made == 1
    made = next((tmp_path / "out").glob("cases/*/*_mask.png"))
    pair_like = type("Pair", (), {"shape": read_pixels(mask).shape, "spacing_mm": (0.8, 0.8)})()
    excluded = exclusion_of(known[0].views[0], pair_like)
    assert excluded is not None
    assert excluded.sum() > (read_pixels(mask).pixels > 0).sum()
    assert not (excluded & (read_pixels(made).pixels > 0)).any()
