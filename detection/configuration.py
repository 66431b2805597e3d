"""Configuration of the Mask R-CNN detector: every choice a run makes, checked, and its JSON form.

Imports no torch, so the web process can build its forms from `MaskRCNNConfiguration.schema`. The fields are in
`detection.mask_rcnn_fields`, the named configurations in `detection.preset`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from detection.fields import declared, specification
from detection.mask_rcnn_fields import ADDED_LATER, MaskRCNNFields

VERSION = 1
SCHEMA = "cemlab.mask-rcnn-configuration/1"
FAMILY = "mask_rcnn"


class ConfigurationError(ValueError):
    """A configuration does not follow its schema.

    Attributes
    ----------
    problems : dict of str to str
        Field name to what is wrong and what was expected; the empty name holds a problem of the whole.
    """

    def __init__(self, problems: Mapping[str, str]) -> None:
        self.problems = dict(problems)
        super().__init__("; ".join(f"{name}: {text}" if name else text for name, text in self.problems.items()))


@dataclass(frozen=True)
class MaskRCNNConfiguration(MaskRCNNFields):
    """All choices of one Mask R-CNN training and of the inference that follows it.

    Values are checked on construction; the meaning, unit and limits of each field are in `schema`.

    Raises
    ------
    ConfigurationError
        With one entry per field that is wrong.
    """

    def __post_init__(self) -> None:
        problems = {}
        for name, declaration in declared(type(self)).items():
            problem = declaration.problem(getattr(self, name))
            if problem is not None:
                problems[name] = problem
            elif declaration.kind == "numbers":
                object.__setattr__(self, name, tuple(float(entry) for entry in getattr(self, name)))
            elif declaration.kind == "number":
                object.__setattr__(self, name, float(getattr(self, name)))
        if not problems and self.input_max_size < self.input_min_size:
            problems["input_max_size"] = (
                f"expected at least input_min_size ({self.input_min_size} px), got {self.input_max_size}"
            )
        if not problems and len(self.anchor_sizes) != 5:
            problems["anchor_sizes"] = f"expected 5 sizes, one per pyramid level, got {len(self.anchor_sizes)}"
        if not problems:
            problems |= self._conflicts()
        if problems:
            raise ConfigurationError(problems)

    def _conflicts(self) -> dict[str, str]:
        """Fields that are right alone and wrong together."""
        found = {}
        if self.tiles == "native" and self.input_min_size < self.tile_size:
            found["input_min_size"] = (
                f"expected at least tile_size ({self.tile_size} px) with native sub-images, got {self.input_min_size}"
            )
        if self.schedule == "plateau" and self.warm_up_steps:
            found["warm_up_steps"] = f"expected 0 with the schedule plateau, got {self.warm_up_steps}"
        if self.length == "steps" and self.steps < self.epochs:
            found["steps"] = f"expected at least one an epoch ({self.epochs}), got {self.steps}"
        return found

    @classmethod
    def schema(cls) -> list[dict[str, Any]]:
        """Describe every field for a form (`detection.fields.specification`)."""
        return specification(cls)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form: ``schema``, ``version``, ``family`` and ``values``."""
        values = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        return {"schema": SCHEMA, "version": VERSION, "family": FAMILY, "values": values}

    @classmethod
    def from_dict(cls, body: Mapping[str, Any]) -> MaskRCNNConfiguration:
        """Inverse of `to_dict`; fields that are absent take their default.

        Raises
        ------
        ConfigurationError
            On another schema, an unknown field or a value outside its limits.
        """
        if body.get("schema") != SCHEMA:
            raise ConfigurationError({"": f"expected schema {SCHEMA}, found {body.get('schema')!r}"})
        values = body.get("values")
        if not isinstance(values, Mapping):
            raise ConfigurationError({"": "expected an object under the key 'values'"})
        return cls.from_values(values)

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> MaskRCNNConfiguration:
        """Build from field values alone, as a form or a preset gives them.

        Raises
        ------
        ConfigurationError
            On an unknown field or a value outside its limits.
        """
        known = {entry.name for entry in fields(cls)}
        unknown = {name: "no such field in this version of the configuration" for name in values if name not in known}
        if unknown:
            raise ConfigurationError(unknown)
        return cls(**values)

    def to_json(self) -> str:
        """`to_dict` as text."""
        return json.dumps(self.to_dict(), indent=1)

    @classmethod
    def from_json(cls, body: str) -> MaskRCNNConfiguration:
        """Inverse of `to_json`.

        Raises
        ------
        ConfigurationError
            If the text is not JSON or does not follow the schema.
        """
        try:
            parsed = json.loads(body)
        except json.JSONDecodeError as error:
            raise ConfigurationError({"": f"not JSON: {error}"}) from error
        if not isinstance(parsed, dict):
            raise ConfigurationError({"": "expected a JSON object"})
        return cls.from_dict(parsed)

    def digest(self) -> str:
        """SHA-256 of the canonical JSON form, to tell runs apart.

        Fields that came later and stand at their default are left out, so that a run made before keeps its digest.
        """
        body = self.to_dict()
        defaults = {entry.name: entry.default for entry in fields(self)}
        body["values"] = {
            name: value for name, value in body["values"].items() if name not in ADDED_LATER or value != defaults[name]
        }
        canonical = json.dumps(body, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()
