"""Importing DICOM files: every file gets a verdict, every view that can be stored is stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from pathlib import Path

from django.conf import settings

from imaging.attributes import text
from imaging.deidentification import Deidentifier, Record
from imaging.dicom_header import read_with_pixels
from imaging.errors import ImagingError
from imaging.sandbox import Sandbox
from webapp.cases.importing import keys
from webapp.cases.importing.drafts import ExamDraft, ImageDraft, LesionDraft, PatientDraft, ViewDraft
from webapp.cases.importing.errors import Refused
from webapp.cases.importing.examined import Examined, examine
from webapp.cases.importing.pairing import Grouped, contradictions, group_views
from webapp.cases.importing.report import Report
from webapp.cases.importing.sources import SourceFile
from webapp.cases.importing.store import existing_view, store_view
from webapp.cases.models import Image, ImportBatch, Origin

Progress = Callable[[float, str], None]
READING_SHARE = 0.7
"""Share of the progress bar for reading; the rest is de-identifying and storing."""


@dataclass
class DicomImport:
    """One import of DICOM files.

    `stated_kinds` holds what a person said about files whose header does not tell, by source hash. `keep` is asked
    to put an undecided file aside and returns the name it waits under.
    """

    batch: ImportBatch
    report: Report
    progress: Progress
    should_stop: Callable[[], bool]
    origin: str = Origin.REAL.value
    stated_kinds: dict[str, str] = field(default_factory=dict)
    keep: Callable[[Examined], str] | None = None

    def run(self, files: list[SourceFile]) -> None:
        """Read all files, then store view by view.

        Raises
        ------
        StorageFull
        """
        examined = self._read(files)
        contradicting = contradictions(examined)
        usable = []
        for file in examined:
            if file.patient_key in contradicting:
                self.report.refused(file.source.name, _two_people(contradicting[file.patient_key]))
            else:
                usable.append(file)
        views = group_views(usable)
        for count, view in enumerate(views, start=1):
            if self.should_stop():
                return
            self._store(view)
            self.progress(
                READING_SHARE + (1 - READING_SHARE) * count / len(views), f"storing view {count} of {len(views)}"
            )

    def _read(self, files: list[SourceFile]) -> list[Examined]:
        examined = []
        hashes: Counter[str] = Counter()
        with Sandbox() as sandbox:
            for count, file in enumerate(files, start=1):
                if self.should_stop():
                    return []
                found = self._examine(file, hashes, sandbox)
                if found is not None:
                    examined.append(found)
                self.progress(READING_SHARE * count / len(files), f"reading file {count} of {len(files)}")
        return examined

    def _examine(self, file: SourceFile, hashes: Counter[str], sandbox: Sandbox) -> Examined | None:
        """The file's facts, or None once its verdict is in the report."""
        try:
            if file.is_litter:
                self.report.ignored(file.name, "A file of the disc or the operating system.")
                return None
            if file.is_link:
                raise Refused("Link", "This is a link to another place.", "Give the file itself.")
            try:
                source_hash = keys.keyed_file(file.path)
            except OSError as error:
                raise Refused("Unreadable file", "The file cannot be opened.", "Check its permissions.") from error
            hashes[source_hash] += 1
            if hashes[source_hash] > 1:
                self.report.ignored(file.name, "A copy of another file of this import.")
                return None
            if self._known(file, source_hash):
                return None
            found = examine(file, source_hash, sandbox, stated_kind=self.stated_kinds.get(source_hash, ""))
        except Refused as reason:
            self.report.refused(file.name, reason)
            return None
        if found.kind == "unknown":
            waiting = self.keep(found) if self.keep else ""
            advice = (
                "Say on the report page which it is."
                if self.keep
                else "Hand the file in on the Import page, where you can look at it and say which it is."
            )
            self.report.ask(
                file.name, f"{found.laterality} {found.position}: {found.kind_reason}", advice, waiting=waiting
            )
            return None
        return found

    def _known(self, file: SourceFile, source_hash: str) -> bool:
        stored = (
            Image.objects.filter(view__exam__project=self.batch.project, source_hash=source_hash)
            .select_related("view__exam__patient")
            .first()
        )
        if stored is None:
            return False
        exam = stored.view.exam
        if exam.patient.site_id != self.batch.site_id:
            raise Refused(
                "Stored under another site",
                f"The same file is stored already as {exam}, of another site.",
                "Import it under its own site.",
            )
        self.report.known(file.name, exam)
        return True

    def _store(self, view: Grouped) -> None:
        for file, reason in view.left_out:
            self.report.refused(file.source.name, reason)
        if not view.chosen:
            return
        try:
            drafts, records = [], []
            for file in view.chosen:
                draft, record = self.prepared(file)
                drafts.append(draft)
                records.append(record)
            whole = self.view_draft(view.chosen, drafts)
            whole = self._without_conflicts(whole)
            if not whole.images:
                return
            result = store_view(
                project=self.batch.project, site=self.batch.site, author=self.batch.created_by, draft=whole
            )
            self.report.stored(result, {image.kind: image.name for image in whole.images})
            for record in records:
                self.report.count_deidentification(record.as_json())
        except Refused as reason:
            for file in view.chosen:
                self.report.refused(file.source.name, reason)

    def _without_conflicts(self, draft: ViewDraft) -> ViewDraft:
        """Leave out images whose place is taken by another file, with the reason; the others go on."""
        stored = existing_view(self.batch.project, self.batch.site, draft)
        taken = {image.kind for image in stored.images.all()} if stored is not None else set()
        if stored is None or not taken:
            return draft
        for image in draft.images:
            if image.kind in taken:
                self.report.refused(
                    image.name,
                    Refused(
                        "Other image stored",
                        f"{draft.words} {image.kind.replace('_', ' ')} of {stored.exam} is stored already from another "
                        "file.",
                        "Stored images are never replaced. Check which of the two is right.",
                    ),
                    exam=stored.exam,
                )
        kept = [image for image in draft.images if image.kind not in taken]
        return ViewDraft(**{**vars(draft), "images": kept})

    def prepared(self, file: Examined) -> tuple[ImageDraft, Record]:
        """De-identify one file, ready to be stored.

        Raises
        ------
        Refused
            If an identifying value would survive.
        """
        secret = str(settings.DEIDENTIFICATION_SECRET).encode()
        try:
            original = read_with_pixels(file.source.path).dataset
            # The open file behind the data set cannot be copied along with it, and is read to its end.
            original.buffer = None
            clean, record = Deidentifier(secret).apply(
                original, patient_key=file.patient_key, pseudonym=keys.pseudonym(file.patient_key)
            )
        except ImagingError as error:
            raise Refused("De-identification failed", error.message, "Nothing of this view was stored.") from error
        facts = file.facts
        spacing = facts["spacing_mm"]
        given = self.batch.spacing_mm
        if spacing is None and given is not None:
            spacing = (given, given)
        draft = ImageDraft(
            kind=file.kind,
            name=file.source.name,
            write=partial(_save, clean),
            suffix=".dcm",
            format="dicom",
            source_hash=file.source_hash,
            rows=facts["rows"],
            columns=facts["columns"],
            bits_stored=facts["bits_stored"],
            spacing_mm=(spacing[0], spacing[1]) if spacing else None,
            window=file.window,
            thumbnail=file.thumbnail,
            photometric=facts["photometric"],
            vendor=facts["vendor"],
            sop_uid=text(clean, "SOPInstanceUID"),
            deidentification=record.as_json(),
            attributes={
                "source_format": facts["format"],
                "spacing_source": facts["spacing_source"] or ("given at import" if spacing else ""),
                "kind_rule": "said by a person" if file.source_hash in self.stated_kinds else facts["kind_rule"],
                "notes": facts["notes"],
                "study_date": text(clean, "StudyDate"),
                "device": " ".join(filter(None, (text(clean, "Manufacturer"), text(clean, "ManufacturerModelName")))),
            },
        )
        return draft, record

    def view_draft(
        self,
        files: list[Examined],
        images: list[ImageDraft],
        lesions: list[LesionDraft] | None = None,
        attributes: dict[str, object] | None = None,
    ) -> ViewDraft:
        """Put the files of one view together."""
        first = files[0]
        # The recombined picture has little tissue to tell a side by, so the low-energy image speaks where there is one.
        speaker = next((file for file in files if file.kind == "low_energy"), first)
        return ViewDraft(
            patient=PatientDraft(
                first.patient_key,
                keys.pseudonym(first.patient_key),
                age=first.age,
                identity={fact: value for file in files for fact, value in file.identity.items()},
            ),
            exam=ExamDraft(
                first.study_key,
                date=_date(str(images[0].attributes["study_date"])),
                device=str(images[0].attributes["device"]),
                attributes={"source": "DICOM"},
            ),
            laterality=first.laterality,
            position=first.position,
            origin=self.origin,
            images=images,
            lesions=lesions or [],
            attributes={**(attributes or {}), "attention": speaker.attention},
        )


def _save(dataset: object, path: Path) -> None:
    dataset.save_as(path, enforce_file_format=True)  # type: ignore[attr-defined]


def _date(written: str) -> date | None:
    try:
        return date.fromisoformat(written)
    except ValueError:
        return None


def _two_people(fact: str) -> Refused:
    return Refused(
        "Two people under one identifier",
        f"Files of this import carry the same patient identifier but differ in {fact}.",
        "Two people may share the identifier, or one entry is wrong. None was stored: correct it at the source.",
    )
