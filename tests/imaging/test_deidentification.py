"""Identity is taken out everywhere, repeatably, with evidence that holds no identity itself."""

import copy
import io
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from imaging.deidentification import Deidentifier
from imaging.dicom_header import read_with_pixels
from imaging.errors import DeidentificationFailed
from imaging.image_kind import classify
from imaging.pair import CEMPair

Write = Callable[..., Path]
SECRET = b"a project secret of some length"
IDENTIFIERS = ("Vandenberg", "Johanna", "HOSP-4711-XY", "ACC998877", "Elsewhere", "19260101", "OP-Smithers")


@pytest.fixture
def original(write: Write) -> Dataset:
    dataset = read_with_pixels(write()).dataset
    dataset.PatientBirthDate = "19260101"
    dataset.OperatorsName = "OP-Smithers^Jane"
    dataset.ProtocolName = "for Vandenberg"
    dataset.AcquisitionDateTime = "20190520091500.000000+0100"
    dataset.DetectorID = "HOSP-4711-XY"
    # Kept by the table, but here it holds the patient's number.
    dataset.AcquisitionDeviceProcessingCode = "run HOSP-4711-XY"
    request = Dataset()
    request.AccessionNumber, request.ReferencedSOPInstanceUID = "ACC998877", "1.2.3.4.5.6.7.8"
    request.CodeMeaning = "seen by Vandenberg"
    request.CodeValue, request.CodingSchemeDesignator = "1", "99X"
    dataset.AnatomicRegionSequence[0].AnatomicRegionModifierSequence = Sequence([request])
    dataset.private_block(0x0019, "VENDOR", create=True).add_new(0x10, "LO", "Vandenberg")
    dataset.add_new(0x60003000, "OW", b"\x00\x01")
    return dataset


def dataset_bytes(dataset: Dataset) -> bytes:
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def deidentified(dataset: Dataset, secret: bytes = SECRET, key: str = "site/HOSP-4711-XY") -> tuple:
    return Deidentifier(secret).apply(dataset, patient_key=key)


def test_no_identifier_is_left_anywhere_in_the_file(original: Dataset) -> None:
    before = dataset_bytes(original)
    assert all(word.encode() in before for word in IDENTIFIERS)
    result, _ = deidentified(original)
    after = dataset_bytes(result).lower()
    for word in IDENTIFIERS:
        assert word.lower().encode() not in after, word
    for uid in (original.SOPInstanceUID, original.StudyInstanceUID, original.SeriesInstanceUID, "1.2.3.4.5.6.7.8"):
        assert str(uid).encode() not in after


def test_the_record_says_what_was_done_and_holds_no_value(original: Dataset) -> None:
    _, record = deidentified(original)
    written = json.dumps(record.as_json())
    for word in IDENTIFIERS:
        assert word.lower() not in written.lower()
    actions = {change.keyword: change.action for change in record.changes}
    assert actions["PatientName"] == "replaced"
    assert actions["StudyDate"] == "date shifted"
    assert actions["StudyInstanceUID"] == "UID replaced"
    assert actions["AcquisitionDeviceProcessingCode"] == "held an identifier: removed"
    assert record.private_removed >= 2
    assert record.overlays_removed == 1
    assert record.age_capped
    assert record.burned_in_annotation == "NO"
    assert record.profile_version
    assert record.verified_attributes > 50


def test_the_result_is_marked_and_still_a_readable_view(original: Dataset, pair: CEMPair, tmp_path: Path) -> None:
    result, _ = deidentified(original)
    assert result.PatientIdentityRemoved == "YES"
    assert result.LongitudinalTemporalInformationModified == "MODIFIED"
    assert [item.CodeValue for item in result.DeidentificationMethodCodeSequence] == ["113100", "113107", "113108"]
    assert result.SOPClassUID == original.SOPClassUID
    assert result.file_meta.MediaStorageSOPInstanceUID == result.SOPInstanceUID
    assert result.PatientAge == "090Y"
    assert classify(result).kind == classify(original).kind
    (tmp_path / "result.dcm").write_bytes(dataset_bytes(result))
    assert np.array_equal(pydicom.dcmread(tmp_path / "result.dcm").pixel_array, pair.low_energy)


@pytest.mark.parametrize(
    ("age", "kept"),
    [("093Y", "090Y"), ("93Y", "090Y"), ("1104M", "090Y"), ("1080M", "1080M"), ("064Y", "064Y"), ("", "")],
)
def test_no_age_above_ninety_is_left_however_it_is_written(age: str, kept: str, original: Dataset) -> None:
    original.PatientAge = age
    result, record = deidentified(original)
    assert result.PatientAge == kept
    assert record.age_capped is (kept == "090Y")


def test_what_is_not_read_as_an_age_goes(original: Dataset) -> None:
    original.PatientAge = "93"
    result, record = deidentified(original)
    assert not result.PatientAge
    assert {change.keyword: change.action for change in record.changes}["PatientAge"] == "emptied"


def test_text_in_the_place_of_a_list_of_references_goes(original: Dataset) -> None:
    original.add_new("ReferencedImageSequence", "LO", "exam of the 4th of May")
    result, _ = deidentified(original)
    assert "ReferencedImageSequence" not in result


def test_a_header_with_more_names_than_can_be_looked_for_is_refused(original: Dataset) -> None:
    original.OtherPatientNames = [f"Person{number:05d}" for number in range(3000)]
    with pytest.raises(DeidentificationFailed, match="names and identifiers"):
        deidentified(original)


def test_dates_of_one_patient_move_together_and_keep_their_distances(original: Dataset) -> None:
    result, _ = deidentified(original)

    def day(value: object) -> datetime:
        return datetime.strptime(str(value)[:8], "%Y%m%d")

    moved = day(result.StudyDate) - day(original.StudyDate)
    assert 365 <= -moved.days <= 3650
    assert day(result.AcquisitionDateTime) - day(original.AcquisitionDateTime) == moved
    later = copy.deepcopy(original)
    later.StudyDate = "20200520"
    again, _ = deidentified(later)
    assert day(again.StudyDate) - day(result.StudyDate) == day("20200520") - day(original.StudyDate)


def test_the_same_input_gives_the_same_output_and_another_secret_another_one(original: Dataset) -> None:
    first, _ = deidentified(original)
    second, _ = deidentified(original)
    other, _ = deidentified(original, secret=b"another secret, also long")
    assert dataset_bytes(first) == dataset_bytes(second)
    assert first.PatientID != other.PatientID
    assert first.StudyInstanceUID != other.StudyInstanceUID


def test_references_between_files_stay_whole(original: Dataset) -> None:
    partner = Dataset()
    partner.ReferencedSOPClassUID, partner.ReferencedSOPInstanceUID = original.SOPClassUID, original.SOPInstanceUID
    original.SourceImageSequence = Sequence([partner])
    result, _ = deidentified(original)
    assert result.SourceImageSequence[0].ReferencedSOPInstanceUID == result.SOPInstanceUID
    assert result.SourceImageSequence[0].ReferencedSOPClassUID == original.SOPClassUID


def test_the_original_is_left_as_it_was(original: Dataset) -> None:
    before = dataset_bytes(original)
    deidentified(original)
    assert dataset_bytes(original) == before


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        Deidentifier(b"short")


def test_real_headers_are_cleaned(shared_data: Path) -> None:
    for path in sorted((shared_data / "dicom-mg").glob("*.dcm")):
        dataset = read_with_pixels(path).dataset
        result, record = deidentified(dataset, key=path.name)
        assert record.changes
        assert not any(element.tag.is_private for element in result)
        assert str(dataset.StudyInstanceUID) not in str(result)
        assert dataset_bytes(result)
