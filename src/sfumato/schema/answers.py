"""A person's answers to a draft, and what becomes of a column, a part of the table or a constraint by them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Literal, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from sfumato.errors import SchemaError
from sfumato.results.plain import Json
from sfumato.schema.columns import Column, TextColumn
from sfumato.schema.reading import read_text, read_yaml
from sfumato.schema.sources import MEASURABLE, REST, SETTLED, Filled, Review, Reviewer, Statement, Strict

_Stated = TypeVar("_Stated", bound=Statement)

_CHOICES = frozenset({"outside", "other"})
"""What a column says that is no fact; it may be replaced all the same."""

_KEPT = ("name", "nullable", "nulls")
"""What a column keeps when its kind is replaced; a drafted description tells why the old kind was taken."""

_FORMS = frozenset({"public", "drop"})
"""Keys of an answer for a whole line, no fact's name."""

_COLUMN: TypeAdapter[Column] = TypeAdapter(Column)


class Public(Strict):
    """What the draft says may be known: ``{public: WHY}``."""

    public: Filled


class Replacement(Strict):
    """Something else is known: ``{replace: VALUE, reason: WHY}``; the column or the part checks the value."""

    replace: object
    reason: Filled


class Dropped(Strict):
    """The column is not to be learnt, or the constraint is not to hold: ``{drop: WHY}``."""

    drop: Filled


Answer = Public | Replacement | Literal["measure"]


class Answers(Reviewer):
    """All answers of one person on one day; none speaks for more than one line.

    Attributes:
        columns: by name: ``drop``, ``public``, or an answer for each fact (``rest``: those not named).
        constraints: by name, as ``inequality on from, to``.
        file, unit, rows: for the parts of the whole table.
    """

    columns: Mapping[str, Dropped | Public | Mapping[str, Answer]] = Field(default_factory=dict)
    constraints: Mapping[str, Public | Dropped] = Field(default_factory=dict)
    file: Public | Replacement | None = None
    unit: Public | Replacement | None = None
    rows: Public | Replacement | None = None

    @classmethod
    def read(cls, answers: Mapping[str, object] | str | os.PathLike[str]) -> Answers:
        """The answers in a YAML file, or in plain values; SchemaError that names all that is no answer."""
        name, plain = ("answers", answers) if isinstance(answers, Mapping) else (os.fspath(answers), _plain(answers))
        try:
            return cls.model_validate(plain)
        except ValidationError as error:
            raise SchemaError(f"{name}: {_misread(error)}") from None

    def review(self, reason: str, facts: tuple[str, ...] = ()) -> Review:
        """This person's word for some facts of one line, or for all that are open in it."""
        return Review(by=self.by, on=self.on, reason=reason, facts=facts)

    def column(self, column: Column) -> Column:
        """``column`` by its answers; ValueError where they do not fit it."""
        own = self.columns[column.name]
        if isinstance(own, Dropped):
            return TextColumn(name=column.name, reviewed=self.review(own.drop))
        own = {REST: own} if isinstance(own, Public) else own
        for fact in own:
            if fact in column.facts() and column.standing(fact) in SETTLED:
                raise ValueError(f"{fact} is settled already; edit the schema")
        answered = _COLUMN.validate_python(self._fields(column, own))
        unknown = [fact for fact in own if fact not in {REST, *_CHOICES, *answered.facts()}]
        if unknown:
            raise ValueError(f"no fact {unknown[0]!r}; a column of this kind has {', '.join(answered.facts())}")
        return answered

    def _fields(self, column: Column, own: Mapping[str, Answer]) -> dict[str, object]:
        fields = {f: getattr(column, f) for f in type(column).model_fields}
        source = {f: word for f in column.facts() if (word := column.source_of(f)) in SETTLED}
        earlier = column.reviews
        if "kind" in own and isinstance(own["kind"], Replacement):
            fields, source, earlier = {f: fields[f] for f in _KEPT}, {}, ()
        for fact, answer in own.items():
            if isinstance(answer, Replacement):
                fields |= _replaced(fact, answer.replace)
            elif answer == "measure":
                source[fact] = "measured"
                fields |= _opened(fact, fields)
        reviews = (*earlier, *self._reviews(own))
        return {**fields, "source": source or None, "reviewed": reviews[0] if len(reviews) == 1 else reviews or None}

    def _reviews(self, own: Mapping[str, Answer]) -> list[Review]:
        """One review for all facts of one reason; that of the rest names none."""
        facts: dict[str, list[str]] = {}
        for fact, answer in own.items():
            if fact not in _CHOICES and answer != "measure":
                facts.setdefault(_why(answer), []).append(fact)
        return [self.review(why, () if REST in named else tuple(named)) for why, named in facts.items()]

    def statement(self, stated: _Stated, answer: Public | Replacement) -> _Stated:
        """A part of the table, or a constraint, by its answer; ValueError where that does not fit it."""
        if stated.standing in SETTLED:
            raise ValueError("is settled already; edit the schema")
        fields: dict[str, object] = {f: getattr(stated, f) for f in type(stated).model_fields}
        if isinstance(answer, Replacement):
            if not isinstance(answer.replace, Mapping):
                raise ValueError(f"replace one or more of {', '.join(stated.stated())}: {{replace: {{NAME: VALUE}}}}")
            silent = [field for field in stated.stated() if field in stated.model_fields_set - answer.replace.keys()]
            if silent:
                raise ValueError(f"says nothing of {', '.join(silent)}; name all of it in {{replace: {{NAME: VALUE}}}}")
            fields |= answer.replace
        return type(stated).model_validate({**fields, "source": None, "reviewed": self.review(_why(answer))})


def _why(answer: Public | Replacement) -> str:
    return answer.public if isinstance(answer, Public) else answer.reason


def _replaced(fact: str, value: object) -> dict[str, object]:
    if fact in (REST, "name", "source", "reviewed"):
        raise ValueError(f"{fact} cannot be replaced; name one fact")
    if fact == "size":
        if not isinstance(value, list | tuple) or len(value) != 3:
            raise ValueError("a size is [height, width, channels]")
        return dict(zip(("height", "width", "channels"), value, strict=True))
    return {fact: value}


def _opened(fact: str, fields: Mapping[str, object]) -> dict[str, object]:
    """The fields of a column that leave one fact to be measured; rare categories then have a place."""
    if fact not in MEASURABLE:
        raise ValueError(f"{fact} is declared, not measured")
    if fact == "nullable":
        return {fact: False}
    rare = fact == "categories" and fields.get("outside") == "refuse"
    return {fact: None, **({"outside": "other"} if rare else {})}


def _plain(path: str | os.PathLike[str]) -> Json:
    name = os.fspath(path)
    try:
        return read_yaml(read_text(name), name).value
    except OSError as error:
        raise SchemaError(
            f"{name}: {error.strerror}; write one with: sfumato review SCHEMA --template {name}"
        ) from None
    except UnicodeDecodeError:
        raise SchemaError(f"{name}: not UTF-8 text; answers are a YAML file") from None


def _misread(error: ValidationError) -> str:
    """All that is no answer, by its place; which of several forms it misses is left out."""
    said: list[str] = []
    misread: dict[str, None] = {}
    for problem in error.errors():
        section, *where = (str(part) for part in problem["loc"]) if problem["loc"] else ("answers",)
        if section == "columns" and where:
            branch, fact, *_ = (*where[1:], "", "")
            if branch.startswith("dict["):  # the form that has all others in it
                misread[f"{where[0]}: {fact}" if fact and fact not in _FORMS else where[0]] = None
        elif section == "constraints" and where:
            misread[where[0]] = None
        elif section in ("file", "unit", "rows"):
            misread[section] = None
        elif problem["type"] == "extra_forbidden":
            said.append(f"no such key: {section}")
        else:
            said.append(f"{section}: {problem['msg'].removeprefix('Value error, ')}")
    if misread:
        said.append(
            f"no answer for {', '.join(misread)}; write {{public: WHY}}, {{replace: VALUE, reason: WHY}}, measure or "
            "{drop: WHY}"
        )
    return "; ".join(said)
