"""Settings and the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imaging.reading import read_pair, read_pixels
from simulation.__main__ import main
from simulation.errors import InvalidSettings
from simulation.phantom import write_phantom_set
from simulation.randomness import generator
from simulation.settings import SimulationSettings


@given(
    st.builds(
        SimulationSettings,
        cell_mm=st.floats(4, 40),
        overlap=st.floats(0, 0.75),
        maximum_cells=st.integers(12, 1000),
        bin_count=st.integers(8, 256),
        site_selection=st.sampled_from(["sample", "best"]),
        calibration=st.sampled_from(["auto", "lut", "noise", "match", "anatomy"]),
        blend=st.sampled_from(["gain", "literal"]),
        size_prior=st.sampled_from(["s000", "comedo", "equal"]),
        noise_consistency=st.booleans(),
        vendor_profile=st.sampled_from(["auto", "ge-essential", "phantom-b"]),
    )
)
@settings(max_examples=50, deadline=None)
def test_settings_survive_json(chosen) -> None:
    assert SimulationSettings.from_json(json.dumps(chosen.to_json())) == chosen
    assert SimulationSettings.from_json(chosen.to_json()) == chosen


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"blend": "smear"}, "blend"),
        ({"cell_mm": -1}, "cell_mm"),
        ({"maximum_cells": 50.5}, "maximum_cells"),
        ({"packing_low": 0.9, "packing_high": 0.5}, "packing_low"),
        ({"vendor_profile": "acme"}, "vendor_profile"),
        ({"noise_consistency": "yes"}, "noise_consistency"),
        ({"overlap": "half"}, "overlap"),
        ({"colour": 1}, "colour"),
        ({"schema": "else/1"}, "schema"),
    ],
)
def test_wrong_settings_name_the_field(change, word) -> None:
    with pytest.raises(InvalidSettings, match=word):
        SimulationSettings.from_json(change)


def test_named_streams_are_independent_and_repeatable() -> None:
    assert generator(1, "a").random() == generator(1, "a").random()
    drawn = {generator(*path).random() for path in [(1, "a"), (1, "b"), (2, "a"), (1, "a", 0), (1, "a", 1)]}
    assert len(drawn) == 5


@pytest.fixture(scope="module")
def phantom_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phantom")
    write_phantom_set(folder, sites={"A": 1}, size="test", seed=3, plan=((),))
    return folder / "A" / "PH-A-001"


def insert(files: Path, out: Path, *more: str) -> int:
    return main(
        [
            "insert", "--low-energy", str(files / "R_CC_low_energy.dcm"),
            "--recombined", str(files / "R_CC_recombined.dcm"),
            "--type", "malignant", "--seed", "7", "--out", str(out), *more,
        ]
    )  # fmt: skip


def test_insert_writes_a_marked_pair_a_mask_and_a_record(
    phantom_files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert insert(phantom_files, tmp_path, "--lesion-free") == 0
    written = {name: tmp_path / file for name, file in json.loads(capsys.readouterr().out).items()}
    record = json.loads(written["record"].read_text())
    mask = read_pixels(written["mask"]).pixels > 0
    pair = read_pair(written["low_energy"], written["recombined"], laterality="R", view_position="CC")
    host = read_pair(
        phantom_files / "R_CC_low_energy.dcm",
        phantom_files / "R_CC_recombined.dcm",
        laterality="R",
        view_position="CC",
    )
    assert mask.sum() > 0
    assert record["mask"]["area_mm2"] == pytest.approx(mask.sum() * pair.spacing_mm[0] ** 2)
    assert not np.array_equal(pair.low_energy[mask], host.low_energy[mask])
    header = pydicom.dcmread(written["low_energy"])
    assert header.ImageType[0] == "DERIVED"
    assert "SYNTHETIC" in header.SeriesDescription
    source = pydicom.dcmread(phantom_files / "R_CC_low_energy.dcm")
    assert header.SourceImageSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert header.SOPInstanceUID != source.SOPInstanceUID
    assert len(list(tmp_path.iterdir())) == 4

    # a second run does not overwrite, and a synthetic host is refused
    assert insert(phantom_files, tmp_path, "--lesion-free") == 1
    assert "already there" in capsys.readouterr().err
    again = main(
        [
            "insert", "--low-energy", str(written["low_energy"]), "--recombined", str(written["recombined"]),
            "--type", "benign", "--seed", "1", "--lesion-free", "--out", str(tmp_path / "more"),
        ]
    )  # fmt: skip
    assert again == 1
    assert "already-synthetic" in capsys.readouterr().err


def test_insert_tells_the_reason_of_a_refusal(
    phantom_files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert insert(phantom_files, tmp_path / "out") == 1
    assert re.match(r"lesion-free-not-asserted: .*lesion-free", capsys.readouterr().err)
    assert not (tmp_path / "out").exists()


def test_phantom_writes_a_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["phantom", "--size", "test", "--seed", "5", "--site", "B", "--patients", "1", "--out"]
    assert main([*arguments, str(tmp_path)]) == 0
    body = json.loads((tmp_path / "manifest.json").read_text())
    assert [p["site"] for p in body["patients"]] == ["B"]
    assert main([*arguments, str(tmp_path)]) == 1
    assert "empty folder" in capsys.readouterr().err
