"""The verdict on every file of an import, in plain words, kept as it grows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from django.utils import timezone

from webapp.cases.importing.errors import Refused
from webapp.cases.importing.store import Stored
from webapp.cases.models import Exam, ImportBatch, ImportFile, Verdict

_FLUSH_AT = 50
_LONGEST = 500
_COUNTS = ("patients", "exams", "views", "images", "imported", "unchanged")


def shown_name(name: str) -> str:
    """The last part of a path, without control characters: folders are often named after patients."""
    base = PurePosixPath(name.replace("\\", "/")).name or "unnamed"
    return "".join(character if character.isprintable() else "?" for character in base)[:255]


@dataclass
class Report:
    """Counts of one call and its verdicts; rows are written in small groups so that the page can follow."""

    batch: ImportBatch
    counts: Counter[str] = field(default_factory=Counter)
    failed: list[dict[str, str]] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)
    exams: set[int] = field(default_factory=set)
    deidentification: Counter[str] = field(default_factory=Counter)
    _rows: list[ImportFile] = field(default_factory=list)
    _index: int = 0

    def stored(self, result: Stored, names: dict[str, str]) -> None:
        """A view was stored or known already; `names` gives the file of each image kind."""
        self.counts["patients"] += result.new_patient
        self.counts["exams"] += result.new_exam
        self.counts["views"] += result.new_view
        self.counts["images"] += len(result.imported)
        self.counts["imported"] += len(result.imported)
        self.counts["unchanged"] += len(result.unchanged)
        self.exams.add(result.exam.pk)
        for kind, name in names.items():
            verdict = Verdict.IMPORTED if kind in result.imported else Verdict.UNCHANGED
            self._add(name, verdict, exam=result.exam)

    def known(self, name: str, exam: Exam) -> None:
        """A file whose image is stored already."""
        self.counts["unchanged"] += 1
        self.exams.add(exam.pk)
        self._add(name, Verdict.UNCHANGED, exam=exam)

    def count_deidentification(self, record: dict[str, Any]) -> None:
        """Add one record to the summary: how many files, and how often each action was taken."""
        self.deidentification["files"] += 1
        self.deidentification["private attributes removed"] += record["private_removed"]
        self.deidentification["overlays removed"] += record["overlays_removed"]
        for change in record["changes"]:
            self.deidentification[change["action"]] += change["count"]

    def refused(self, name: str, reason: Refused, *, exam: Exam | None = None) -> None:
        """A file was not taken."""
        self.counts["refused"] += 1
        words = f"{reason} {reason.advice}".strip()
        self.failed.append({"file": shown_name(name), "reason": words})
        self._add(name, Verdict.REFUSED, reason.group, str(reason), reason.advice, exam=exam)

    def ask(self, name: str, reason: str, advice: str, *, waiting: str = "") -> None:
        """Only a person can say what a file is."""
        self.counts["asked"] += 1
        self.asked.append({"file": shown_name(name), "reason": f"Needs a person: {reason} {advice}".strip()})
        self._add(name, Verdict.ASK, "Kind of image unknown", reason, advice, waiting=waiting)

    def ignored(self, name: str, reason: str) -> None:
        """A file that belongs to the export but is no image (a DICOMDIR, a text)."""
        self.counts["ignored"] += 1
        self._add(name, Verdict.IGNORED, "Not images", reason)

    def _add(
        self,
        name: str,
        verdict: Verdict,
        group: str = "",
        reason: str = "",
        advice: str = "",
        *,
        exam: Exam | None = None,
        waiting: str = "",
    ) -> None:
        self._index += 1
        self._rows.append(
            ImportFile(
                batch=self.batch,
                index=self._index,
                name=shown_name(name),
                verdict=verdict,
                group=group[:60],
                reason=reason[:_LONGEST],
                advice=advice[:_LONGEST],
                exam=exam,
                waiting=waiting,
            )
        )
        if len(self._rows) >= _FLUSH_AT:
            self.flush()

    def flush(self) -> None:
        """Write the verdicts collected so far."""
        ImportFile.objects.bulk_create(self._rows)
        self._rows.clear()

    def finish(self, *, stopped: str = "", adds: bool = False) -> None:
        """Write what is left and the summary.

        `stopped` says why the import ended early; with `adds` the counts are added to those of the batch, and the
        files asked about are counted anew.
        """
        self.flush()
        summary: dict[str, Any] = {key: self.counts[key] for key in (*_COUNTS, "refused", "asked", "ignored")}
        removed = dict(self.deidentification)
        if adds:
            former = self.batch.summary
            summary = {key: value + former.get(key, 0) for key, value in summary.items()}
            summary["asked"] = ImportFile.objects.filter(batch=self.batch, verdict=Verdict.ASK).count()
            removed = dict(Counter(former.get("deidentification", {})) + self.deidentification)
        self.batch.summary = {**summary, "deidentification": removed, "stopped": stopped}
        self.batch.finished = timezone.now()
        self.batch.save(update_fields=["summary", "finished"])

    def as_dict(self) -> dict[str, Any]:
        """The one object that ``--json`` prints."""
        return {**{key: self.counts[key] for key in _COUNTS}, "failed": [*self.failed, *self.asked]}
