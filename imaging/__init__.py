"""Ground floor: DICOM and CEM pairs, breast geometry, preprocessing, contours and masks (no Django, no torch)."""
