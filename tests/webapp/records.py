"""Builders of real rows for tests: people, projects, exams with images and lesions (image files only where asked)."""

from __future__ import annotations

import hashlib
from itertools import count
from typing import Any

import numpy as np
from PIL import Image as PillowImage

from webapp.accounts.models import Membership, Project, User
from webapp.annotations.models import Annotation, Lesion
from webapp.cases.models import Exam, Image, ImageKind, Patient, Site, View
from webapp.core import files
from webapp.datasets import services as datasets
from webapp.datasets.models import DatasetVersion
from webapp.datasets.splitting import SplitSettings

_serial = count(1)
ROLES = ("observer", "radiologist", "curator", "researcher", "admin")
PASSWORD = "correct horse battery staple"


def make_project(slug: str = "study") -> Project:
    """A project without members."""
    return Project.objects.create(slug=slug, name=slug.capitalize())


def make_member(project: Project | None, role: str, name: str = "") -> User:
    """A person with a role; an outsider where `project` is None."""
    user = User.objects.create_user(username=name or f"{role}-{next(_serial)}", password=PASSWORD)
    if project is not None:
        Membership.objects.create(project=project, user=user, role=role)
    return user


def make_exam(
    project: Project,
    *,
    site: str = "A",
    lesions: tuple[tuple[str, str], ...] = (("cluster", "malignant"),),
    views: tuple[tuple[str, str], ...] = (("R", "CC"), ("R", "MLO"), ("L", "CC"), ("L", "MLO")),
    patient: Patient | None = None,
    with_files: bool = False,
    shape: tuple[int, int] = (96, 64),
    seed: int = 0,
    box: tuple[float, float, float, float] | None = None,
) -> Exam:
    """An exam whose lesions lie in the right breast, each outlined on every view of it (in `box` where given)."""
    serial = next(_serial)
    where, _ = Site.objects.get_or_create(project=project, code=site)
    if patient is None:
        patient = Patient.objects.create(
            project=project, site=where, pseudonym=f"P{serial:05d}", source_key=_digest("patient", serial)
        )
    exam = Exam.objects.create(
        project=project, patient=patient, number=serial, source_key=_digest("exam", serial), complete=True
    )
    made = []
    for laterality, position in views:
        view = View.objects.create(exam=exam, laterality=laterality, position=position)
        made.append(view)
        for kind in ImageKind.values:
            make_image(view, kind, shape=shape, with_file=with_files, seed=seed + serial)
    for number, (lesion_type, malignancy) in enumerate(lesions, start=1):
        lesion = Lesion.objects.create(
            exam=exam, laterality="R", number=number, lesion_type=lesion_type, malignancy=malignancy
        )
        for view in made:
            if view.laterality == "R":
                outline(lesion, view, box or (10.0 * number, 20.0, 10.0 * number + 8, 32.0))
    return exam


def make_image(view: View, kind: str, *, shape: tuple[int, int], with_file: bool, seed: int) -> Image:
    """An image row, with an 8-bit picture of a bright half disc behind it where asked."""
    name = files.new_name("images", ".png")
    digest = _digest("image", view.pk, kind)
    if with_file:
        path = files.write_with(name, lambda draft: breast_picture(shape, view.laterality, seed).save(draft))
        digest = files.sha256(path)
    return Image.objects.create(
        view=view,
        kind=kind,
        file=name,
        format="png",
        source_hash=_digest("source", view.pk, kind),
        sha256=digest,
        rows=shape[0],
        columns=shape[1],
        bits_stored=8,
        window_low=0,
        window_high=255,
    )


def breast_picture(shape: tuple[int, int], laterality: str, seed: int) -> PillowImage.Image:
    """A textured half ellipse against the chest wall (left edge for the left breast)."""
    rows, columns = shape
    row, column = np.mgrid[0:rows, 0:columns].astype(float)
    inside = ((row - rows / 2) / (0.48 * rows)) ** 2 + (column / (0.9 * columns)) ** 2 < 1
    texture = np.random.default_rng(seed).normal(0, 12, shape)
    pixels = np.where(inside, np.clip(120 + texture, 1, 255), 0).astype(np.uint8)
    return PillowImage.fromarray(pixels if laterality == "L" else pixels[:, ::-1].copy())


def outline(lesion: Lesion, view: View, box: tuple[float, float, float, float]) -> Annotation:
    """A rectangular outline of a lesion on a view."""
    x1, y1, x2, y2 = box
    return Annotation.objects.create(
        lesion=lesion, view=view, polygons=[[[x1, y1], [x2, y1], [x2, y2], [x1, y2]]], x1=x1, y1=y1, x2=x2, y2=y2
    )


def make_frozen_version(
    project: Project, curator: User, exams: list[Exam], *, name: str = "Set", **split: Any
) -> DatasetVersion:
    """A frozen dataset version with a drawn split."""
    version = datasets.create_dataset(actor=curator, project=project, name=name)
    datasets.add_exams(actor=curator, version=version, exams=exams)
    datasets.draw(actor=curator, version=version, settings=SplitSettings(**split))
    return datasets.freeze(actor=curator, version=version)


def _digest(*parts: object) -> str:
    return hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()
