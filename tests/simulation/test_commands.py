"""The command line, run as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pydicom
import pytest

from imaging.dicom_writing import ImageIdentity, is_synthetic, write_pair
from imaging.reading import read_pixels
from simulation.__main__ import main
from simulation.case import simulate
from simulation.enhancement import ContrastDistribution
from simulation.files import read_host
from simulation.phantom import PhantomView
from simulation.provenance import json_sha256
from simulation.settings import SimulationSettings


@pytest.fixture(scope="module")
def files(breast_views: list[PhantomView], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A lesion-free host as DICOM, and quick settings."""
    folder = tmp_path_factory.mktemp("host")
    identity = ImageIdentity("SECRET-ID", "Secret^Name", pydicom.valuerep.DA("20200101"), seed="1")
    written = write_pair(breast_views[0].pair, folder, identity=identity)
    settings = folder / "settings.json"
    settings.write_text(json.dumps(SimulationSettings(maximum_cells=24).to_json()))
    return {"low": written.low_energy, "recombined": written.recombined, "settings": settings}


def _insert(files: dict[str, Path], out: Path, *more: str, lesion_free: bool = True) -> int:
    arguments = ["insert", "--low-energy", str(files["low"]), "--recombined", str(files["recombined"])]
    arguments += ["--type", "malignant", "--seed", "7", "--settings", str(files["settings"]), "--out", str(out)]
    return main([*arguments, *(["--lesion-free"] if lesion_free else []), *more])


def test_insert_writes_two_dicom_files_a_mask_and_a_record(
    files: dict[str, Path], breast_views: list[PhantomView], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _insert(files, tmp_path) == 0
    written = {role: tmp_path / name for role, name in json.loads(capsys.readouterr().out).items()}
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in written.values())
    assert all(path.name.startswith("synthetic_") for path in written.values())
    pair, source = read_host(files["low"], files["recombined"])
    assert np.array_equal(pair.low_energy, breast_views[0].pair.low_energy)
    expected = simulate(
        pair,
        malignancy="malignant",
        seed=7,
        lesion_free=True,
        settings=SimulationSettings(maximum_cells=24),
        source=source.to_json(),
    )
    assert np.array_equal(read_pixels(written["low_energy"]).pixels, expected.pair.low_energy)
    assert np.array_equal(read_pixels(written["recombined"]).pixels, expected.pair.recombined)
    assert np.array_equal(read_pixels(written["mask"]).pixels > 0, expected.mask)
    record = json.loads(written["record"].read_text())
    assert record == expected.record


def test_written_images_say_that_they_are_synthetic_and_what_they_were_made_from(
    files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _insert(files, tmp_path)
    written = {role: tmp_path / name for role, name in json.loads(capsys.readouterr().out).items()}
    record = json.loads(written["record"].read_text())
    for role in ("low_energy", "recombined"):
        made = pydicom.dcmread(written[role])
        source = pydicom.dcmread(files["low" if role == "low_energy" else role])
        assert is_synthetic(made)
        assert made.ImageType[0] == "DERIVED"
        assert "SYNTHETIC" in made.SeriesDescription
        assert made.DerivationDescription
        assert made.ContributingEquipmentSequence[0].SoftwareVersions == record["versions"]["algorithm"]
        assert made.SourceImageSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID
        assert made.SOPInstanceUID != source.SOPInstanceUID
        block = made.private_block(0x0071, "CEMLAB SIMULATION")
        assert block[0x02].value == json_sha256(record)


def test_the_record_keeps_technique_and_hashed_uids_but_no_identity(
    files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _insert(files, tmp_path)
    path = tmp_path / json.loads(capsys.readouterr().out)["record"]
    facts = json.loads(path.read_text())["host"]["source"]["low_energy"]
    assert facts["KVP"] == str(pydicom.dcmread(files["low"]).KVP)
    assert len(facts["sop_instance_uid_sha256"]) == 64
    text = path.read_text()
    assert "SECRET" not in text.upper()
    assert str(pydicom.dcmread(files["low"]).SOPInstanceUID) not in text
    assert str(tmp_path) not in text


def test_the_same_command_writes_the_same_bytes_and_overwrites_nothing(
    files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "two"):
        assert _insert(files, tmp_path / name) == 0
    one, two = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("one", "two"))
    assert one == two
    capsys.readouterr()
    assert _insert(files, tmp_path / "one") == 1
    assert "already there" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in (tmp_path / "one").iterdir()} == one


def test_measured_contrasts_come_from_a_file(
    files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measured = tmp_path / "contrast.json"
    measured.write_text(json.dumps(ContrastDistribution("malignant", values=(1.06,), bandwidth=0.0).to_json()))
    assert _insert(files, tmp_path / "out", "--contrast", str(measured)) == 0
    path = tmp_path / "out" / json.loads(capsys.readouterr().out)["record"]
    assert json.loads(path.read_text())["enhancement"]["requested"] == pytest.approx(1.06)


def test_contrasts_of_the_other_class_are_refused(
    files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measured = tmp_path / "contrast.json"
    measured.write_text(json.dumps(ContrastDistribution("benign", values=(1.06,), bandwidth=0.0).to_json()))
    assert _insert(files, tmp_path / "out", "--contrast", str(measured)) == 1
    assert "invalid-settings" in capsys.readouterr().err


@pytest.mark.parametrize(("content", "told"), [("[1]", "one JSON object"), ("{", "not JSON"), (None, "not there")])
def test_a_file_that_is_no_settings_is_refused(
    files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, told: str
) -> None:
    path = tmp_path / "wrong.json"
    if content is not None:
        path.write_text(content)
    assert _insert(files | {"settings": path}, tmp_path / "out") == 1
    assert told in capsys.readouterr().err


def test_a_refusal_is_one_line_with_its_code_and_no_identity(
    files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _insert(files, tmp_path, lesion_free=False) == 1
    told = capsys.readouterr().err
    assert told.startswith("lesion-free-not-asserted: ")
    assert told.count("\n") == 1
    assert "SECRET" not in told.upper()
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_to_is_told(
    files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").write_text("")
    assert _insert(files, tmp_path / "taken" / "out") == 1
    assert capsys.readouterr().err.startswith("NotADirectoryError: ")


def test_a_synthetic_view_is_no_host(
    files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _insert(files, tmp_path)
    written = {role: tmp_path / name for role, name in json.loads(capsys.readouterr().out).items()}
    again = files | {"low": written["low_energy"], "recombined": written["recombined"]}
    assert _insert(again, tmp_path / "again") == 1
    assert capsys.readouterr().err.startswith("already-synthetic: ")


def test_missing_files_are_told_in_words(
    files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _insert(files | {"low": tmp_path / "nowhere.dcm"}, tmp_path / "out") == 1
    assert "not there" in capsys.readouterr().err


def test_batch_tells_what_it_made(files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["batch", "--hosts", str(files["low"].parent), "--type", "benign", "--count", "1", "--seed", "3"]
    arguments += ["--lesion-free", "--settings", str(files["settings"]), "--out", str(tmp_path)]
    assert main(arguments) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["planned"], summary["made"], summary["failed"]) == (1, 1, 0)
    assert Path(summary["manifest"]).is_file()


def test_a_batch_that_makes_nothing_fails(
    files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["batch", "--hosts", str(files["low"].parent), "--type", "benign", "--count", "1", "--seed", "3"]
    assert main([*arguments, "--out", str(tmp_path)]) == 1
    assert json.loads(capsys.readouterr().out)["refused"] == 1


def test_a_case_is_shown_with_the_display_window_of_its_host(
    files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _insert(files, tmp_path)
    written = {role: tmp_path / name for role, name in json.loads(capsys.readouterr().out).items()}
    for role, host in (("low_energy", files["low"]), ("recombined", files["recombined"])):
        made, source = pydicom.dcmread(written[role]), pydicom.dcmread(host)
        assert made.WindowCenter == pytest.approx(float(source.WindowCenter))
        assert made.WindowWidth == pytest.approx(float(source.WindowWidth))
