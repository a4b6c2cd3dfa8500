"""A schema as YAML for people: short columns on one line, long lists folded, and a comment where something is to do."""

from __future__ import annotations

import re
from collections.abc import Iterable

from sfumato.results.plain import Json
from sfumato.schema.columns import Column
from sfumato.schema.public_facts import PublicFacts
from sfumato.schema.sources import Statement

_WIDTH = 110
"""Letters of a line, beyond which a mapping is written on several."""
_TAIL = ("unit", "nullable", "nulls", "outside", "type", "description")
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+<>=()$&;@^%-]*(?: [A-Za-z0-9_./+<>=()$&;@^%-]+)*")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
_RESOLVED = re.compile(r"~|null|true|false|[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_HEAD = """\
# What may be said in public about the table. Every fact (the kind, the values, "never missing", ...) is one of
#   public      known without looking at the rows: a code book, a law, common knowledge
#   measured    bounds, categories or nullable, left open here; paid for from epsilon when a model is fitted
#   unreviewed  taken from the rows by `sfumato sketch`: nobody has said yet that it may be known
# A word at the end of a line speaks for all facts of that line; `{bounds: measured, rest: public}` for each by name.
"""
_REVIEW = """\
# TO REVIEW: {count} facts below are open; one row can decide each. A model that rests on them gets no certificate.
# For each line: correct what you know better, and write in place of `source: unreviewed`
#   source: public                                if you could have written all of the line without the rows, or
#   reviewed: {{by: YOU, on: DATE, reason: WHY}}    if you looked, and say why all of it may be known.
# Or delete `bounds`/`categories` and write `source: {{bounds: measured, rest: public}}`.
# `sfumato review` asks for the same with a file of answers.
"""


def write_yaml(schema: PublicFacts) -> str:
    """The schema as commented YAML text."""
    fields = schema.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    lines = [_HEAD.rstrip("\n")]
    count = len(schema.unreviewed())
    if count:
        lines.append(_REVIEW.format(count=count).rstrip("\n"))
    lines += [f"sfumato: {schema.format}", *_top(schema), "", "columns:"]
    for column, facts in zip(schema.columns, fields["columns"], strict=True):
        lines += _column(column, facts)
    if schema.constraints:
        lines += ["", "constraints:"]
        for constraint in schema.constraints:
            lines += _item({"kind": constraint.kind, **_stated(constraint)})
    return "\n".join(lines) + "\n"


def _top(schema: PublicFacts) -> list[str]:
    unit = schema.unit
    if unit.kind == "row":
        lines = ["unit: row  # whose presence is protected; for several rows per person: {column: ID, max_rows: 10}"]
    else:
        lines = [f"unit: {_flow(_stated(unit))}  # all rows of one id are protected"]
    if schema.file is not None:
        lines.append(f"file: {_flow(_stated(schema.file, whole=True))}  # how the CSV is written down")
    lines.append(f"rows: {'unknown' if schema.rows is None else _flow(_stated(schema.rows))}")
    if schema.target is not None:
        lines.append(f"target: {scalar(schema.target)}")
    lines.append(f"nulls: [{', '.join(map(label, schema.nulls))}]  # texts that stand for a missing value")
    return lines


def _stated(part: Statement, whole: bool = False) -> dict[str, Json]:
    """Its fields that differ from the default, or all, and last where they come from."""
    fields = part.stated() if whole else {}
    fields |= part.model_dump(mode="json", exclude_defaults=True)
    where = {key: fields.pop(key) for key in ("source", "reviewed") if key in fields}
    return {**fields, **where}


def _column(column: Column, facts: dict[str, Json]) -> list[str]:
    tail = {key: facts[key] for key in _TAIL if key in facts}
    where = {key: facts[key] for key in ("source", "reviewed") if key in facts}
    own = {key: value for key, value in facts.items() if key not in ("name", *where, *_TAIL)}
    ordered = {"kind": column.kind, **own, **tail, **where}
    line = f"  {scalar(column.name)}: {_flow(ordered)}"
    if len(line) <= _WIDTH:
        return [line]
    return [f"  {scalar(column.name)}:", *_block(ordered, "    ")]


def _item(fields: dict[str, Json]) -> list[str]:
    line = f"  - {_flow(fields)}"
    if len(line) <= _WIDTH:
        return [line]
    first, *rest = _block(fields, "    ")
    return [f"  - {first.lstrip()}", *rest]


def _block(fields: dict[str, Json], indent: str) -> list[str]:
    lines: list[str] = []
    for key, value in fields.items():
        line = f"{indent}{key}: {value_in_words(key, value)}"
        if len(line) <= _WIDTH or not isinstance(value, list):
            lines.append(line)
        elif value and isinstance(value[0], list | dict):
            lines += [f"{indent}{key}:", *(f"{indent}  - {value_in_words(key, row)}" for row in value)]
        else:
            lines += [f"{indent}{key}: [", *_folded([label(str(x)) for x in value], indent + "  "), f"{indent}]"]
    return lines


def _folded(texts: Iterable[str], indent: str) -> list[str]:
    lines, line = [], indent
    for text in texts:
        if len(line) + len(text) + 2 > _WIDTH and line.strip():
            lines.append(line.rstrip())
            line = indent
        line += f"{text}, "
    return [*lines, line.rstrip()]


def _flow(fields: dict[str, Json]) -> str:
    return "{" + ", ".join(f"{k}: {value_in_words(k, v)}" for k, v in fields.items()) + "}"


def value_in_words(key: str, value: Json) -> str:
    """The value of a key as YAML on one line."""
    if isinstance(value, dict):
        return _flow(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(value_in_words(key, x) for x in value) + "]"
    if isinstance(value, str):
        return label(value) if key in ("categories", "nulls", "labels", "combinations", "other") else scalar(value)
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else repr(value)


def label(text: str) -> str:
    """A label as YAML: numbers stand bare, for labels are read exactly as written."""
    return text if _PLAIN.fullmatch(text) and text.lower() not in _WORDS else _quoted(text)


def scalar(text: str) -> str:
    """Any other text as YAML, in quotation marks where it might be read as something else."""
    return text if _PLAIN.fullmatch(text) and not _RESOLVED.fullmatch(text) else _quoted(text)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else _escape(c) for c in escaped) + '"'


def _escape(character: str) -> str:
    if character == "\t":
        return "\\t"
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
