"""Typed results as plain JSON values: dictionaries exist only where something is written or printed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
"""A value that JSON can hold."""


def sorted_json(value: Mapping[str, Json]) -> bytes:
    """The bytes by which a JSON object is hashed and signed: names in order, no spaces.

    >>> sorted_json({"b": 1, "a": None})
    b'{"a":null,"b":1}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def as_dict(result: DataclassInstance) -> dict[str, Json]:
    """The fields of a dataclass by name, all the way down: tuples become lists, and an optional nested one its own.

    Raises:
        TypeError: a field holds something that JSON cannot.
    """
    return {f.name: as_json(getattr(result, f.name)) for f in fields(result)}


def as_json(value: object) -> Json:
    """One value of a result in plain form."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return as_dict(value)
    if isinstance(value, Mapping):
        return {str(name): as_json(item) for name, item in value.items()}
    if isinstance(value, Sequence):
        return [as_json(item) for item in value]
    raise TypeError(f"a result holds a value of type {type(value).__name__}, which JSON has not")
