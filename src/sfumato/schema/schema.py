"""The schema of a table, read from and written to YAML, and reviewed."""

from __future__ import annotations

import os
from collections.abc import Mapping

from pydantic import ValidationError

from sfumato.atomic import atomic_write
from sfumato.errors import SchemaError
from sfumato.outputs import SCHEMA
from sfumato.results.plain import Json
from sfumato.schema.answers import Answers
from sfumato.schema.json_schema import JsonSchema, as_written
from sfumato.schema.public_facts import FORMAT, PublicFacts, in_words
from sfumato.schema.reading import Marked, read_text, read_yaml
from sfumato.schema.review import by_line, reviewed, says, template
from sfumato.schema.writing import write_yaml

_TAGS = frozenset(
    {"category", "integer", "real", "boolean", "date", "datetime", "time", "image", "identifier", "text"}
    | {"row", "id", "fixed_combinations", "inequality", "unique", "non_null"}
)
"""What pydantic names a branch of a union by: no key that anybody wrote."""


class Schema(PublicFacts):
    """All public facts about a table, as ``schema.yaml`` holds them.

    >>> from sfumato.schema import IntegerColumn
    >>> Schema(columns=(IntegerColumn(name="age", bounds=(0, 120)),)).names
    ('age',)
    """

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Schema:
        """Read a ``schema.yaml``.

        Raises:
            SchemaError: missing or not readable, or what is wrong and the fix, after file:line:column.
        """
        name = os.fspath(path)
        try:
            text = read_text(name)
        except OSError as error:
            raise SchemaError(f"{name}: {error.strerror}; draft a schema with: sfumato sketch DATA -o {name}") from None
        except UnicodeDecodeError:
            raise SchemaError(f"{name}: not UTF-8 text; a schema is a YAML file") from None
        return cls.parse(text, name)

    @classmethod
    def parse(cls, text: str, name: str = "schema.yaml") -> Schema:
        """Read a schema from YAML text; ``name`` stands in messages. Raises SchemaError as `load` does."""
        marked = read_yaml(text, name)
        try:
            return cls.model_validate(_unfold(marked, name))
        except ValidationError as error:
            raise SchemaError(_explain(error, marked, name)) from None

    def dump(self) -> str:
        """The schema as commented YAML; `parse` gives an equal schema back."""
        return write_yaml(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write :meth:`dump` to ``path``, whole or not at all; OutputError where that fails."""
        with atomic_write(path, SCHEMA) as stream:
            stream.write(self.dump().encode())

    @classmethod
    def json_schema(cls) -> JsonSchema:
        """The format of ``schema.yaml`` as JSON Schema (draft 2020-12)."""
        return as_written(cls.model_json_schema())

    def review(self, answers: Mapping[str, object] | str | os.PathLike[str]) -> Schema:
        """The same with its open facts settled by a person's answers, or by the file (YAML) that holds them.

        Raises:
            SchemaError: an answer is missing, or names no open fact, or does not fit; all of them in one line.
        """
        return reviewed(self, Answers.read(answers), "answers" if isinstance(answers, Mapping) else os.fspath(answers))

    def review_template(self) -> str:
        """A file of answers for :meth:`review` to be filled in: one line for each column with open facts."""
        return template(self)

    def open_lines(self) -> list[tuple[str, str]]:
        """Each line of the schema with open facts, and what it says of them."""
        return [(facts[0].line, says(facts)) for facts in by_line(self.open_facts())]


def _unfold(marked: Marked, name: str) -> dict[str, Json]:
    """From the form people write (columns and unit as mappings) to the fields of `Schema`."""
    value = marked.value
    described = value.get("columns") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(described, dict):
        raise SchemaError(f"{name}:1:1: a schema is a mapping with 'sfumato: {FORMAT}' and 'columns:'")
    if value.get("sfumato") != FORMAT:
        line, column = marked.place(("sfumato",))
        raise SchemaError(f"{name}:{line}:{column}: this version reads 'sfumato: {FORMAT}'; write that line first")
    plain = {k: v for k, v in value.items() if v is not None}
    unit, rows = plain.get("unit"), plain.get("rows")
    if unit == "row":
        plain["unit"] = {"kind": "row"}
    elif isinstance(unit, dict):
        plain["unit"] = {"kind": "id", **unit}
    if rows == "unknown":
        del plain["rows"]
    elif isinstance(rows, int):
        plain["rows"] = {"number": rows}
    columns = []
    for column, facts in described.items():
        if not isinstance(facts, dict) or "name" in facts:
            line, place = marked.place(("columns", column))
            raise SchemaError(
                f"{name}:{line}:{place}: column {column!r}: write its facts like {{kind: integer, bounds: [0, 9]}}"
            )
        columns.append({"name": column, **facts})
    return {**plain, "columns": columns}


def _explain(error: ValidationError, marked: Marked, name: str) -> str:
    first = error.errors()[0]
    where = [p for p in first["loc"] if not (isinstance(p, str) and p in _TAGS)]
    about = ""
    columns = marked.value.get("columns") if isinstance(marked.value, dict) else None
    if where[:1] == ["columns"] and len(where) > 1 and isinstance(where[1], int) and isinstance(columns, dict):
        column = list(columns)[where[1]]
        where[1] = column
        about = f"column {column!r}: "
    line, place = marked.place(where)
    keys = [str(p) for p in where[2 if about else 0 :] if not isinstance(p, int)]
    return f"{name}:{line}:{place}: {about}{'.'.join(keys)}{': ' if keys else ''}{in_words(first)}"
