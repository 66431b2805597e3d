"""Patients, exams, views, images and the imports they came from."""

from webapp.cases.models.exam import Exam
from webapp.cases.models.image import Image, ImageKind
from webapp.cases.models.import_batch import ImportBatch, ImportFile, Verdict
from webapp.cases.models.patient import Patient
from webapp.cases.models.site import Site
from webapp.cases.models.terms import Laterality, Origin, ViewPosition
from webapp.cases.models.view import View

__all__ = [
    "Exam",
    "Image",
    "ImageKind",
    "ImportBatch",
    "ImportFile",
    "Laterality",
    "Origin",
    "Patient",
    "Site",
    "Verdict",
    "View",
    "ViewPosition",
]
