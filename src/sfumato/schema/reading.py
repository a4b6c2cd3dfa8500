"""YAML read without trust: plain values with the line and column of each, no tags, anchors or guessing of types.

The events of the parser are turned into values one by one, so that every limit is met before what lies beyond it is
made: a composer of nodes calls itself for each bracket, and 50,000 of them end the process.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import yaml

from sfumato.bounded import read_bounded
from sfumato.errors import SchemaError
from sfumato.results.plain import Json

MOST_BYTES = 1 << 25
"""Bytes of a schema or of answers: 16,000 columns described at length, or a million labels."""

MOST_VALUES = 1 << 20
"""Values in one: parsed, each takes some hundreds of bytes."""

MOST_DEPTH = 12
"""Brackets inside each other: the deepest fact stands within six."""

_PARSER: type[yaml.CSafeLoader | yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TEXT_KEYS = frozenset(
    {"categories", "combinations", "nulls", "labels", "other", "name", "target", "low", "high", "column"}
    | {"by", "on", "reason", "public", "drop"}
    | {"from", "times", "plus"}
)
_TYPED = re.compile(
    r"(?P<boolean>true|false)|(?P<null>~|null|)|(?P<integer>[-+]?[0-9]+)"
    r"|(?P<real>[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?)"
)
"""YAML 1.2 core types of text without quotation marks: ``no`` is text, a date is text, ``010`` is ten."""
_MOST_DIGITS = 40
"""Of a number: no bound has more than 19."""
_ONE = "holds a second document; keep one"
_BY_OTHER_MEANS = "tags, anchors and directives have no place in a schema; write the value out"

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Marked:
    """A document as plain values.

    Attributes:
        value: mappings, lists, text, numbers, true/false, None.
        marks: (line, column), both from 1, of the value at each path.
    """

    value: Json
    marks: dict[Path, tuple[int, int]]

    def place(self, path: Sequence[str | int]) -> tuple[int, int]:
        """Where ``path`` is written, or the nearest part above it that is."""
        path = tuple(path)
        while path and path not in self.marks:
            path = path[:-1]
        return self.marks.get(path, (1, 1))


def read_text(path: str | os.PathLike[str]) -> str:
    """The text of a file of at most `MOST_BYTES` in UTF-8, without a byte-order mark.

    Raises:
        SchemaError: larger; said before more is read.
        OSError: it cannot be read.
        UnicodeDecodeError: other bytes than UTF-8.
    """
    return read_bounded(path, MOST_BYTES, _too_large(os.fspath(path))).decode("utf-8-sig")


def read_yaml(text: str, name: str) -> Marked:
    """Parse one YAML document; ``name`` is used in messages.

    Labels (``categories``, ``nulls``, ``combinations`` and the like) stay exactly as written, so that
    ``007`` and ``1.0`` need no quotation marks.

    Raises:
        SchemaError: not YAML, more than one document, an anchor, a tag, a key given twice, or beyond a limit of this
            module.
    """
    if len(text) > MOST_BYTES:
        raise _too_large(name)
    try:
        return _Plain(name).document(yaml.parse(text, Loader=_PARSER))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise SchemaError(f"{name}:{line}:{column}: not valid YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, UnicodeError):
        raise SchemaError(f"{name}: not valid YAML text") from None


def _too_large(name: str) -> SchemaError:
    return SchemaError(f"{name}: larger than {MOST_BYTES >> 20} MiB; a schema holds public facts, not rows")


class _Plain:
    """Turns events into plain values, noting where each stands."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.marks: dict[Path, tuple[int, int]] = {}

    def document(self, events: Iterator[yaml.Event]) -> Marked:
        self.events = events
        next(events)
        start = next(events)
        if isinstance(start, yaml.StreamEndEvent):
            raise SchemaError(f"{self.name}: empty; draft a schema with: sfumato sketch DATA -o {self.name}")
        if isinstance(start, yaml.DocumentStartEvent) and (start.version or start.tags):
            raise self.error(start, _BY_OTHER_MEANS)
        value = self.value(next(events), (), False)
        next(events)
        after = next(events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise self.error(after, _ONE)
        return Marked(value, self.marks)

    def value(self, event: yaml.Event, path: Path, literal: bool) -> Json:
        self.marks[path] = (event.start_mark.line + 1, event.start_mark.column + 1)
        if _of_other_means(event):
            raise self.error(event, _BY_OTHER_MEANS)
        if len(self.marks) > MOST_VALUES:
            raise self.error(event, f"more than {MOST_VALUES:,} values; a schema holds public facts, not rows")
        if isinstance(event, yaml.ScalarEvent):
            return self.scalar(event, literal, "combinations" in path)
        if len(path) >= MOST_DEPTH:
            raise self.error(event, f"nested more than {MOST_DEPTH} deep; no fact of a schema is")
        if isinstance(event, yaml.SequenceStartEvent):
            return self.sequence(path, literal)
        return self.mapping(path)

    def sequence(self, path: Path, literal: bool) -> list[Json]:
        plain: list[Json] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            plain.append(self.value(event, (*path, len(plain)), literal))
        return plain

    def mapping(self, path: Path) -> dict[str, Json]:
        plain: dict[str, Json] = {}
        while not isinstance(named := next(self.events), yaml.MappingEndEvent):
            if _of_other_means(named):
                raise self.error(named, _BY_OTHER_MEANS)
            if not isinstance(named, yaml.ScalarEvent):
                raise self.error(named, "a key must be plain text")
            key = named.value
            if key in plain:
                raise self.error(named, f"{key!r} is given twice; remove one")
            event = next(self.events)
            plain[key] = self.value(event, (*path, key), _is_label(key, path))
            if not isinstance(event, yaml.ScalarEvent):
                self.marks[(*path, key)] = (named.start_mark.line + 1, named.start_mark.column + 1)
        return plain

    def scalar(self, event: yaml.ScalarEvent, literal: bool, combined: bool) -> Json:
        """``literal`` text stays as it is; but for ``null`` in a combination, which is a missing value there."""
        text = event.value
        found = _TYPED.fullmatch(text) if event.implicit[0] else None
        kind = None if found is None else found.lastgroup
        if kind == "null" and (not literal or (combined and text == "null")):
            return None
        if kind is None or literal:
            return text
        if kind == "boolean":
            return text == "true"
        if kind == "real":
            return float(text)
        if len(text) > _MOST_DIGITS:
            raise self.error(event, f"a number of more than {_MOST_DIGITS} digits; bounds lie within +-4e18")
        return int(text)

    def error(self, event: yaml.Event, fix: str) -> SchemaError:
        return SchemaError(f"{self.name}:{event.start_mark.line + 1}:{event.start_mark.column + 1}: {fix}")


def _of_other_means(event: yaml.Event) -> bool:
    """Whether it has an anchor, is an alias of one, or has a tag."""
    return bool(getattr(event, "anchor", None) or getattr(event, "tag", None))


def _is_label(key: str, path: Path) -> bool:
    """Whether the value of ``key`` is a label or a list of labels; a *column* may bear any name, such as ``nulls``.

    In a site's file ``labels`` is a mapping, three deep: labels stand on both sides.
    """
    if key == "replace":  # in an answer to a review
        key, path = str(path[-1]) if path else key, path[:-1]
    if path[:1] == ("columns",) and path[2:] == ("labels",):
        return True
    return (key in _TEXT_KEYS and path != ("columns",)) or (key == "columns" and path[:1] == ("constraints",))
