"""The OpenAPI schema as a page reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Field:
    """A parameter, or a field of a body or an answer."""

    name: str
    type: str
    description: str
    required: bool


@dataclass(frozen=True)
class Operation:
    """One method of one address."""

    id: str
    method: str
    path: str
    summary: str
    description: str
    parameters: list[Field]
    body: list[Field]
    answer: list[Field]
    paged: bool
    refusals: list[tuple[str, str]]


@dataclass(frozen=True)
class Group:
    """Operations of one tag."""

    name: str
    operations: list[Operation]


def groups(schema: dict[str, Any]) -> list[Group]:
    """Operations by tag, in the order of the schema."""
    found: dict[str, list[Operation]] = {}
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            found.setdefault(operation["tags"][0], []).append(_operation(schema, path, method, operation))
    return [Group(name, operations) for name, operations in found.items()]


def _operation(schema: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> Operation:
    responses = operation["responses"]
    success = next(code for code in responses if code.startswith("2"))
    answer = _resolved(schema, _json(responses[success]))
    paged = "results" in answer.get("properties", {}) and "count" in answer.get("properties", {})
    if paged:
        answer = _resolved(schema, answer["properties"]["results"]["items"])
    return Operation(
        id=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation.get("summary", ""),
        description=operation.get("description", ""),
        parameters=[
            Field(
                one["name"],
                _type(schema, one["schema"]),
                one.get("description") or one["schema"].get("description", ""),
                one.get("required", False),
            )
            for one in operation.get("parameters", [])
        ],
        body=_fields(schema, _resolved(schema, _json(operation.get("requestBody", {})))),
        answer=_fields(schema, answer),
        paged=paged,
        refusals=[(code, body.get("description", "")) for code, body in responses.items() if not code.startswith("2")],
    )


def _json(body: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = body.get("content", {}).get("application/json", {}).get("schema", {})
    return content


def _resolved(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """What a reference points at."""
    while True:
        parts = node.get("allOf", [])
        if "$ref" in node:
            node = schema["components"]["schemas"][node["$ref"].rsplit("/", 1)[1]]
        elif len(parts) == 1:
            node = parts[0]
        else:
            return node


def _fields(schema: dict[str, Any], node: dict[str, Any], prefix: str = "", depth: int = 3) -> list[Field]:
    """Fields of an object, those of objects inside it behind them with a dotted name."""
    rows = []
    required = node.get("required", [])
    for name, given in node.get("properties", {}).items():
        inner = _resolved(schema, given)
        nested = _resolved(schema, inner["items"]) if "items" in inner else inner
        label = f"{prefix}{name}"
        words = given.get("description") or inner.get("description", "")
        rows.append(Field(label, _type(schema, given), words.split("\n* ")[0], name in required))
        if depth and nested.get("properties"):
            rows += _fields(schema, nested, f"{label}{'[]' if 'items' in inner else ''}.", depth - 1)
    return rows


def _type(schema: dict[str, Any], given: dict[str, Any]) -> str:
    node = _resolved(schema, given)
    if "oneOf" in node:
        return " or ".join(dict.fromkeys(_type(schema, one) for one in node["oneOf"]))
    if "enum" in node:
        return ", ".join("null" if value is None else str(value) or "empty" for value in node["enum"])
    word: str = node.get("type", "any")
    if word == "array":
        word = f"list of {_type(schema, node['items'])}"
    elif node.get("format") in ("date", "date-time"):
        word = node["format"]
    return f"{word} or null" if given.get("nullable") else word
