"""How a question becomes bytes: a short header in JSON, then raw little-endian arrays, and one form for each question.

``sfumato question 1``, a line end, the header's length (four bytes, little-endian), the header, the arrays one behind
the other. The header has no spaces, its keys in order, and names kind, fields and arrays (name, type, shape). Bytes
are read only where writing what was read gives them again: so equal questions are equal bytes, and there is no room
for a key given twice, for bytes behind the end, or for a number written in another way.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeAlias

import numpy as np

from sfumato.errors import QuestionError
from sfumato.results.plain import Json

PublicArrays: TypeAlias = Mapping[str, np.ndarray]
"""Arrays by name that anybody may see."""

MAGIC = b"sfumato question 1\n"
MOST_BYTES = 1 << 28
"""Of a question: sixty million parameters of a network."""
_MOST_HEADER = 1 << 16
"""Bytes of a header: a few numbers and the shapes of a few arrays."""
_MOST_ARRAYS, _MOST_AXES = 64, 4
"""Of a question, and of an array: several times what any question has."""
_TYPES = ("<f4", "<f8", "<i4", "<i8", "|b1", "|u1")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_LARGEST = 1e30
"""Of a number in an array: far beyond any use, and within single precision."""
_LENGTH = struct.Struct("<I")


def frozen(arrays: PublicArrays) -> PublicArrays:
    """Copies that nobody can change, little-endian and contiguous, in order of their names.

    Raises:
        QuestionError: a name, a type or a shape that a question cannot hold, or a number that is not finite.
    """
    if len(arrays) > _MOST_ARRAYS:
        raise QuestionError(f"a question holds at most {_MOST_ARRAYS} arrays, not {len(arrays)}")
    kept = {}
    for name in sorted(arrays):
        array = np.asarray(arrays[name])
        little = array.astype(array.dtype.newbyteorder("<"), order="C", copy=True)
        if not _NAME.fullmatch(name) or little.dtype.str not in _TYPES or little.ndim > _MOST_AXES:
            raise QuestionError(f"a question holds no array {name!r} of type {little.dtype} in {little.ndim} axes")
        if little.dtype.kind == "f" and not (np.abs(little) <= _LARGEST).all():  # NaN compares as false
            raise QuestionError(f"array {name!r} of a question holds a number that is not finite, or beyond 1e30")
        little.setflags(write=False)
        kept[name] = little
    return MappingProxyType(kept)


def packed(kind: str, fields: Mapping[str, Json], arrays: PublicArrays) -> bytes:
    """The bytes of a question."""
    shapes = [{"name": n, "shape": list(arrays[n].shape), "type": arrays[n].dtype.str} for n in sorted(arrays)]
    header = json.dumps(
        {"arrays": shapes, "fields": fields, "kind": kind}, sort_keys=True, separators=(",", ":"), allow_nan=False
    ).encode("ascii")
    return b"".join([MAGIC, _LENGTH.pack(len(header)), header, *(arrays[n].tobytes() for n in sorted(arrays))])


class Unpacked:
    """What the bytes of a question hold, asked for by name and kind; QuestionError where it is not so.

    Attributes:
        kind: of the question.
        arrays: all of them, finite.
    """

    def __init__(self, kind: str, fields: Mapping[str, Json], arrays: PublicArrays) -> None:
        self.kind, self._fields, self.arrays = kind, fields, arrays

    def whole(self, name: str) -> int:
        """A whole number."""
        value = self._fields.get(name)
        if type(value) is not int:
            raise QuestionError(f"{name} of a question {self.kind!r} must be a whole number")
        return value

    def real(self, name: str) -> float:
        """A finite number with a point."""
        value = self._fields.get(name)
        if type(value) is not float or not math.isfinite(value):
            raise QuestionError(f"{name} of a question {self.kind!r} must be a finite number")
        return value

    def text(self, name: str) -> str:
        """A text."""
        value = self._fields.get(name)
        if type(value) is not str:
            raise QuestionError(f"{name} of a question {self.kind!r} must be a text")
        return value

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self._fields.get(name)
        if type(value) is not bool:
            raise QuestionError(f"{name} of a question {self.kind!r} must be true or false")
        return value

    def array(self, name: str, kind: str, axes: int = 1) -> np.ndarray:
        """An array of one type and number of axes."""
        found = self.arrays.get(name)
        if found is None or found.dtype.str != kind or found.ndim != axes:
            raise QuestionError(f"a question {self.kind!r} needs an array {name!r} of type {kind} in {axes} axes")
        return found


def unpacked(data: bytes) -> Unpacked:
    """The parts of a question; QuestionError where the bytes are none, or hold more than a question may."""
    if len(data) > MOST_BYTES:
        raise QuestionError(f"a question has at most {MOST_BYTES} bytes, not {len(data)}")
    start = len(MAGIC) + _LENGTH.size
    if len(data) < start or not data.startswith(MAGIC):
        raise QuestionError("these bytes are no question, or one of another version of sfumato")
    (length,) = _LENGTH.unpack_from(data, len(MAGIC))
    if length > min(_MOST_HEADER, len(data) - start):
        raise QuestionError("the header of a question is longer than it may be")
    header = _header(data[start : start + length])
    if set(header) != {"arrays", "fields", "kind"} or not isinstance(header["kind"], str):
        raise QuestionError("the header of a question holds kind, fields and arrays")
    if not isinstance(header["fields"], dict) or not isinstance(header["arrays"], list):
        raise QuestionError("the header of a question holds kind, fields and arrays")
    return Unpacked(header["kind"], header["fields"], _arrays(header["arrays"], data[start + length :]))


def _header(text: bytes) -> dict[str, Json]:
    try:
        found = json.loads(text.decode("ascii"), parse_constant=_no_number)
    except (ValueError, RecursionError):  # no ASCII, no JSON, numbers of thousands of digits, nests without end
        raise QuestionError("the header of a question cannot be read") from None
    if not isinstance(found, dict):
        raise QuestionError("the header of a question holds kind, fields and arrays")
    return found


def _no_number(name: str) -> float:
    raise ValueError(name)


def _arrays(shapes: list[Json], body: bytes) -> PublicArrays:
    if len(shapes) > _MOST_ARRAYS:
        raise QuestionError(f"a question holds at most {_MOST_ARRAYS} arrays, not {len(shapes)}")
    found, start = {}, 0
    for entry in shapes:
        name, kind, shape = _shape(entry)
        size = np.dtype(kind).itemsize * math.prod(shape)  # whole numbers of any length: no overflow
        if size > len(body) - start:
            raise QuestionError(f"array {name!r} of a question is longer than what was sent")
        found[name] = np.frombuffer(body, kind, math.prod(shape), start).reshape(shape)
        start += size
        if kind == "|b1" and (found[name].view(np.uint8) > 1).any():
            raise QuestionError(f"array {name!r} of a question holds something else than true and false")
    if start != len(body):
        raise QuestionError(f"a question ends {len(body) - start} bytes before what was sent does")
    return frozen(found)


def _shape(entry: Json) -> tuple[str, str, tuple[int, ...]]:
    if not isinstance(entry, dict) or set(entry) != {"name", "shape", "type"}:
        raise QuestionError("an array of a question has a name, a shape and a type")
    name, kind, shape = entry["name"], entry["type"], entry["shape"]
    if not isinstance(name, str) or kind not in _TYPES or not isinstance(shape, list) or len(shape) > _MOST_AXES:
        raise QuestionError("an array of a question has a name, a shape and a type")
    if not all(type(n) is int and 0 <= n <= MOST_BYTES for n in shape):
        raise QuestionError(f"array {name!r} of a question has an absurd shape")
    return name, kind, tuple(n for n in shape if type(n) is int)
