"""Bringing in exams: one pipeline for DICOM, pairs with a manifest, and phantoms.

Reading and checking (`pairs`, `dicom`, `phantoms`) hand drafts to `store`, which writes files and rows of one view or
nothing. `report` keeps a verdict in plain words for every file.
"""
