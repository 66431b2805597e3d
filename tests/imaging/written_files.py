"""DICOM files for the tests of reading: written, then changed in their header."""

from collections.abc import Callable
from pathlib import Path

import pydicom

Write = Callable[..., Path]


def changed(path: Path, **attributes: object) -> Path:
    """Set attributes of a DICOM file; None deletes them."""
    dataset = pydicom.dcmread(path)
    for keyword, value in attributes.items():
        if value is None:
            if keyword in dataset:
                delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    dataset.save_as(path)
    return path
