"""Sample sets and findings survive their files, and files that contradict themselves are refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from detection.findings_file import read_findings, write_findings
from detection.sample_set import SampleSet
from tests.detection.evaluation.scenes import finding
from tests.detection.evaluation.test_images import sample


def test_a_sample_set_survives_its_file(tmp_path: Path) -> None:
    written = SampleSet("internal_test", (sample("a"), replace(sample("b"), spacing_mm=(0.1, 0.1), breast_id=None)))
    written.write(tmp_path / "set.json")
    assert SampleSet.read(tmp_path / "set.json") == written


def test_a_file_from_before_breasts_were_kept_reads_without_them(tmp_path: Path) -> None:
    path = tmp_path / "set.json"
    SampleSet("train", (sample("a"),)).write(path)
    body = json.loads(path.read_text())
    del body["samples"][0]["breast_id"]
    path.write_text(json.dumps(body))
    assert SampleSet.read(path).samples == (replace(sample("a"), breast_id=None),)


def test_findings_survive_their_file_and_a_sample_listed_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "findings.json"
    found = {"a": [replace(finding(), contour=((0.5, 1.0), (4.0, 1.0), (4.0, 6.5)))], "b": []}
    write_findings(path, found, sample_set="internal_test", model={})
    assert read_findings(path) == found
    body = json.loads(path.read_text())
    body["samples"].append(body["samples"][0])
    path.write_text(json.dumps(body))
    with pytest.raises(ValueError, match=r"findings\.json: sample a is listed more than once"):
        read_findings(path)
