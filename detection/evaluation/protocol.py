"""The rules under which a number was obtained."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args
from typing import Protocol as Structural

from detection.evaluation.errors import ProtocolError, ProtocolMismatch

SCHEMA = "cemlab.evaluation-protocol/2"
_IMPLIED: dict[str, dict[str, Any]] = {
    "cemlab.evaluation-protocol/1": {"linked": "any view", "unit_score": "max", "interval": "percentile"},
}
"""What earlier schemas left unsaid, by schema."""

MatchingRule = Literal["greedy", "hungarian", "argmax_lesion", "any_overlap"]
DuplicateRule = Literal["ignore", "fp", "report"]
ClassRule = Literal["malignancy", "malignancy and type", "none"]
OverlapOf = Literal["box", "mask"]
Level = Literal["lesion on a view"]
LinkRule = Literal["any view", "all views"]
UnitScore = Literal["max", "mean", "noisy-or"]
ResamplingUnit = Literal["patient", "image"]
IntervalMethod = Literal["logit-t", "percentile"]

_CHOICES: dict[str, tuple[str, ...]] = {
    "iou_of": get_args(OverlapOf),
    "matching": get_args(MatchingRule),
    "duplicates": get_args(DuplicateRule),
    "class_aware": get_args(ClassRule),
    "level": get_args(Level),
    "linked": get_args(LinkRule),
    "unit_score": get_args(UnitScore),
    "resampling": get_args(ResamplingUnit),
    "interval": get_args(IntervalMethod),
}
_MATCHING_WORDS = {
    "greedy": "one-to-one, greedy by score",
    "hungarian": "one-to-one, most pairs then highest total IoU",
    "argmax_lesion": "one-to-one, each finding tried on its best lesion only",
    "any_overlap": "a finding is credited with every lesion it overlaps",
}
_DUPLICATE_WORDS = {
    "ignore": "duplicates ignored",
    "fp": "duplicates count as false positives",
    "report": "duplicates left out of precision and reported beside it",
}
_CLASS_WORDS = {
    "malignancy": ", and benign or malignant agrees",
    "malignancy and type": ", and both benign or malignant and the lesion type agree",
    "none": " (benign or malignant need not agree)",
}


@dataclass(frozen=True)
class Protocol:
    """How findings are matched with lesions and how intervals are drawn.

    The defaults are those of S000 section 2.3 (score and intersection over union both higher than 0.1,
    benign or malignant class right), completed by declared choices (see docs/metrics.md).

    Attributes
    ----------
    score_above, iou_above : float
        Strict lower bounds, in [0, 1).
    iou_of : {"box", "mask"}
        What the overlap is measured on: boxes, or pixels inside the outlines (the box where there is no outline).
    top : int
        Number of highest-scoring findings kept on an image.
    matching : {"greedy", "hungarian", "argmax_lesion", "any_overlap"}
    duplicates : {"ignore", "fp", "report"}
        What a further finding on an already found lesion does to precision.
    class_aware : {"malignancy", "malignancy and type", "none"}
        What must agree between a finding and a lesion.
    level : {"lesion on a view"}
        The unit that the main numbers count; `levels` counts others from the same outcomes.
    linked : {"any view", "all views"}
        Where a lesion that is annotated on several views must be found to be found as one lesion (`levels`).
    unit_score : {"max", "mean", "noisy-or"}
        Score of a breast or a patient from the highest scores of its views (`levels`).
    resampling : {"patient", "image"}
        The unit that is resampled for intervals.
    interval : {"logit-t", "percentile"}
        How an interval follows from the resamples (see `intervals.bootstrap_interval`): their standard error with
        Student's t on the logit scale, or their percentiles as in S004.
    resamples : int
        Number of bootstrap resamples, at least 100.
    confidence : float
        Level of the intervals, in (0, 1).
    seed : int
        Seed of the resampling, not negative.

    Raises
    ------
    ProtocolError
        If a value is unknown or out of range.
    """

    score_above: float = 0.1
    iou_above: float = 0.1
    iou_of: OverlapOf = "box"
    top: int = 5
    matching: MatchingRule = "greedy"
    duplicates: DuplicateRule = "ignore"
    class_aware: ClassRule = "malignancy"
    level: Level = "lesion on a view"
    linked: LinkRule = "any view"
    unit_score: UnitScore = "max"
    resampling: ResamplingUnit = "patient"
    interval: IntervalMethod = "logit-t"
    resamples: int = 2000
    confidence: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if not isinstance(value, str) or value not in choices:
                expected = " or ".join(repr(choice) for choice in choices)
                raise ProtocolError(f"Protocol field '{name}': expected {expected}, found {value!r}.")
        for name in ("score_above", "iou_above"):
            # stored as float so that 0 and 0.0 give one digest
            object.__setattr__(self, name, _number(name, getattr(self, name), lowest_included=True))
        object.__setattr__(self, "confidence", _number("confidence", self.confidence, lowest_included=False))
        for name, lowest in (("top", 1), ("resamples", 100), ("seed", 0)):
            _whole_number(name, getattr(self, name), lowest)

    def to_json(self) -> dict[str, Any]:
        """JSON-ready dictionary with every field and the schema."""
        return {"schema": SCHEMA, **asdict(self)}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Protocol:
        """Read what `to_json` wrote, now or under an earlier schema: what that left unsaid is filled in.

        Raises
        ------
        ProtocolError
            If the schema is unknown, a field is missing or unknown, or a value is refused.
        """
        if not isinstance(body, Mapping):
            raise ProtocolError(f"Protocol: expected an object, found {type(body).__name__}.")
        schema = body.get("schema")
        if schema != SCHEMA and schema not in _IMPLIED:
            raise ProtocolError(f"Protocol: expected schema '{SCHEMA}', found {schema!r}.")
        body = {**_IMPLIED.get(schema, {}), **body}
        names = {field.name for field in fields(cls)}
        given = set(body) - {"schema"}
        if unknown := sorted(given - names):
            raise ProtocolError(f"Protocol: unknown field '{unknown[0]}'; known are {', '.join(sorted(names))}.")
        if missing := sorted(names - given):
            raise ProtocolError(f"Protocol: field '{missing[0]}' is missing; a stored protocol is complete.")
        return cls(**{name: body[name] for name in names})

    def digest(self) -> str:
        """SHA-256 (hexadecimal) of the canonical JSON; equal digests mean equal rules."""
        return digest_of(self.to_json())

    def sentence(self) -> str:
        """One line for the foot of a figure or the head of an export."""
        return f"Counted per {self.level}; {self.matching_words()}; {self.interval_words(self.resampling)}."

    def matching_words(self) -> str:
        """When a lesion is found, as a part of a sentence."""
        return (
            f"found when score > {self.score_above:g} and "
            f"{self.overlap_words()}{_CLASS_WORDS[self.class_aware]}; {self.kept_words()}; "
            f"{_MATCHING_WORDS[self.matching]}; {_DUPLICATE_WORDS[self.duplicates]}"
        )

    def overlap_words(self) -> str:
        """How much overlap is asked for, as a part of a sentence."""
        stand_in = " (the box where there is no outline)" if self.iou_of == "mask" else ""
        return f"{self.iou_of} IoU > {self.iou_above:g}{stand_in}"

    def kept_words(self) -> str:
        """How many findings count, as a part of a sentence."""
        return f"best {self.top} finding{'' if self.top == 1 else 's'} an image"

    def interval_words(self, unit: str) -> str:
        """How intervals are drawn when whole units (patients or images) are resampled, as a part of a sentence."""
        return (
            f"{self.confidence * 100:g} % {self.interval} intervals from {self.resamples:,} resamples of {unit}s, "
            f"seed {self.seed}"
        )


def digest_of(body: Mapping[str, Any]) -> str:
    """SHA-256 (hexadecimal) of a stored protocol of any schema, in canonical JSON."""
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


class CarriesProtocol(Structural):
    """Anything that remembers the protocol it was obtained under."""

    @property
    def protocol(self) -> Protocol: ...


def require_same_protocol(*items: Protocol | CarriesProtocol) -> None:
    """Refuse to set numbers side by side that follow different rules.

    Raises
    ------
    ProtocolMismatch
        If the digests differ; the message names the fields and their values.
    """
    protocols = [item if isinstance(item, Protocol) else item.protocol for item in items]
    for other in protocols[1:]:
        first = protocols[0]
        if other.digest() == first.digest():
            continue
        differences = [
            f"{field.name} ({getattr(first, field.name)!r} and {getattr(other, field.name)!r})"
            for field in fields(Protocol)
            if getattr(first, field.name) != getattr(other, field.name)
        ]
        raise ProtocolMismatch(
            f"These results follow different protocols and cannot be compared: {', '.join(differences)}. "
            "Evaluate them again under one protocol."
        )


def _number(name: str, value: object, *, lowest_included: bool) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1:
        if value > 0:
            return float(value)
        if lowest_included:
            return 0.0
    span = "at least 0" if lowest_included else "more than 0"
    raise ProtocolError(f"Protocol field '{name}': expected a number of {span} and below 1, found {value!r}.")


def _whole_number(name: str, value: object, lowest: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < lowest:
        raise ProtocolError(f"Protocol field '{name}': expected a whole number of at least {lowest}, found {value!r}.")
