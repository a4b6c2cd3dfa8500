"""The format of ``schema.yaml`` as JSON Schema, for editors that check and complete while one writes."""

from __future__ import annotations

from typing import Any, TypeAlias

from sfumato.results.plain import Json

JsonSchema: TypeAlias = dict[str, Any]  # as pydantic types what it describes
_LABELS = ("categories", "nulls", "labels", "combinations")


def as_written(described: JsonSchema) -> JsonSchema:
    """From pydantic's description of the model to the form people write: columns by name, a unit in words.

    Args:
        described: ``Schema.model_json_schema()``; not changed.
    """
    definitions = {name: _definition(body) for name, body in described["$defs"].items()}
    properties = dict(described["properties"])
    properties["columns"] = {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": properties["columns"]["items"],
    }
    properties["unit"] = {"oneOf": [{"const": "row"}, {"$ref": "#/$defs/IdUnit"}], "default": "row"}
    count = [{"const": "unknown"}, {"type": "integer", "minimum": 0}, {"$ref": "#/$defs/RowCount"}]
    properties["rows"] = {"oneOf": count, "default": "unknown"}
    properties["nulls"] = _loose(properties["nulls"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **described,
        "$defs": definitions,
        "properties": properties,
        "required": ["sfumato", "columns"],
    }


def _definition(body: JsonSchema) -> JsonSchema:
    """Names are keys, kinds of columns must be said, and labels may look like numbers."""
    own = {k: _loose(v) if k in _LABELS else v for k, v in body.get("properties", {}).items() if k != "name"}
    if "column" in own:
        own.pop("kind")
    required = [k for k in body.get("required", ()) if k != "name"] + (["kind"] if "kind" in own else [])
    return {**body, "properties": own, "required": required}


def _loose(part: Json) -> Json:
    """The same with every text also allowed to be written as a number or true/false, for labels are read as written."""
    if isinstance(part, list):
        return [_loose(p) for p in part]
    if not isinstance(part, dict):
        return part
    return {k: ["string", "number", "boolean"] if (k, v) == ("type", "string") else _loose(v) for k, v in part.items()}
