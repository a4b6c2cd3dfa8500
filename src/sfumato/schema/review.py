"""The review of a draft: which facts are open, and what becomes of them by a person's answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import ValidationError

from sfumato.errors import SchemaError
from sfumato.schema.answers import Answers, Dropped, Public, Replacement
from sfumato.schema.columns import Column
from sfumato.schema.constraints import Constraint
from sfumato.schema.public_facts import PublicFacts, constraint_name
from sfumato.schema.sources import Fact, Statement
from sfumato.schema.writing import scalar, value_in_words

Facts = TypeVar("Facts", bound=PublicFacts)
_Stated = TypeVar("_Stated", bound=Statement)
_Part = TypeVar("_Part")
_SHOWN_LINES, _SHOWN_FACTS, _SHOWN_LETTERS = 8, 4, 100
"""How much of a long list stands in one line."""

_TEMPLATE = """\
# Answers to `sfumato review`: one for each line that is open, and none for all at once.
#   NAME: {public: WHY}     all open facts of the line may be known, as the draft says
#   NAME: {bounds: {replace: [0, 120], reason: WHY}, rest: {public: WHY}}
#   NAME: {categories: measure, rest: {public: WHY}}     bounds, categories or nullable: paid for from epsilon
#   NAME: {drop: WHY}       not learnt at all
by: ""  # who answers
on: ""  # the day, as 2026-01-31
"""


def reviewed(schema: Facts, answers: Answers, name: str) -> Facts:
    """``schema`` with its open facts settled by ``answers``; ``name`` stands in messages.

    Raises:
        SchemaError: answers that are missing, unknown or do not fit, all of them in one message.
    """
    reviewing = _Reviewing(answers)
    fields = {f: getattr(schema, f) for f in type(schema).model_fields}
    changed = {**fields, "columns": reviewing.columns(schema), "constraints": reviewing.constraints(schema)}
    changed |= reviewing.parts(schema)
    result = reviewing.tried("schema", lambda: type(schema)(**changed), schema)
    for facts in by_line(result.open_facts()):
        reviewing.problems.setdefault(facts[0].line, f"no answer for {_listed(facts)}")
    if reviewing.problems:
        raise SchemaError(f"{name}: " + "; ".join(f"{line}: {said}" for line, said in reviewing.problems.items()))
    return result


@dataclass
class _Reviewing:
    """Answers applied line by line; what does not fit is noted, so that all of it can be told at once."""

    answers: Answers
    problems: dict[str, str] = field(default_factory=dict)

    def tried(self, line: str, change: Callable[[], _Part], before: _Part) -> _Part:
        """What ``change`` gives, or ``before`` where it does not fit."""
        try:
            return change()
        except ValidationError as error:
            self.problems[line] = error.errors()[0]["msg"].removeprefix("Value error, ")
        except ValueError as error:
            self.problems[line] = str(error)
        return before

    def columns(self, schema: PublicFacts) -> tuple[Column, ...]:
        own = self.answers.columns
        self._lacking(own, schema.names)
        return tuple(
            self.tried(c.name, lambda c=c: self.answers.column(c), c) if c.name in own else c for c in schema.columns
        )

    def constraints(self, schema: PublicFacts) -> tuple[Constraint, ...]:
        own = self.answers.constraints
        self._lacking(own, [constraint_name(rule) for rule in schema.constraints])
        kept: list[Constraint] = []
        for rule in schema.constraints:
            name = constraint_name(rule)
            answer = own.get(name)
            if not isinstance(answer, Dropped):
                kept.append(rule if answer is None else self._statement(name, rule, answer))
        return tuple(kept)

    def parts(self, schema: PublicFacts) -> dict[str, Statement]:
        """The answered parts of the whole table, by name."""
        own = {part: getattr(self.answers, part) for part in ("file", "unit", "rows")}
        stated = {part: getattr(schema, part, None) for part, answer in own.items() if answer is not None}
        self._lacking(stated, [part for part, said in stated.items() if isinstance(said, Statement)])
        return {p: self._statement(p, said, own[p]) for p, said in stated.items() if isinstance(said, Statement)}

    def _statement(self, line: str, stated: _Stated, answer: Public | Replacement) -> _Stated:
        return self.tried(line, lambda: self.answers.statement(stated, answer), stated)

    def _lacking(self, answered: Iterable[str], known: Iterable[str]) -> None:
        self.problems |= dict.fromkeys(sorted(set(answered) - set(known)), "the schema has no such line")


def template(schema: PublicFacts) -> str:
    """A file of answers to be filled in: each open line, with what the draft says of it."""
    parts: list[str] = []
    sections: dict[str, list[str]] = {"columns": [], "constraints": []}
    for facts in by_line(schema.open_facts()):
        answer = f'{scalar(facts[0].line)}: {{public: ""}}  # {says(facts)}\n'
        if facts[0].part in ("column", "constraint"):
            sections[f"{facts[0].part}s"].append(f"  {answer}")
        else:
            parts.append(answer)
    return _TEMPLATE + "".join(parts) + "".join(f"{k}:\n{''.join(rows)}" for k, rows in sections.items() if rows)


def open_in_words(facts: Iterable[Fact]) -> str:
    """Why a schema cannot be certified, all its open lines in one, and what to write."""
    lines = by_line(facts)
    shown = [
        f"{own[0].line} ({_listed(own)})" if own[0].part == "column" else own[0].line for own in lines[:_SHOWN_LINES]
    ]
    more = len(lines) - len(shown)
    return (
        f"{sum(map(len, lines))} facts of the schema are unreviewed or have no source: {'; '.join(shown)}"
        f"{f'; and {more} more lines' if more else ''}. Write in each of these lines 'source: public' if all of it is "
        "known without the rows, or 'reviewed: {by: YOU, on: DATE, reason: WHY}', or use `sfumato review`; or fit with "
        "--no-certificate"
    )


def says(facts: Iterable[Fact]) -> str:
    """What the schema says of the facts of one line: ``kind integer, bounds [0, 9], ...``."""
    text = ", ".join(
        f"{'' if f.fact == f.part else f'{f.fact} '}{value_in_words(f.fact, f.value)}"
        for f in facts
        if f.value is not None
    )
    return text if len(text) <= _SHOWN_LETTERS else f"{text[:_SHOWN_LETTERS]} ..."


def by_line(facts: Iterable[Fact]) -> list[list[Fact]]:
    """The facts of each line of the schema together; a column may bear the name of a part of the table."""
    lines: dict[tuple[str, str], list[Fact]] = {}
    for fact in facts:
        lines.setdefault((fact.part, fact.line), []).append(fact)
    return list(lines.values())


def _listed(facts: list[Fact]) -> str:
    more = len(facts) - _SHOWN_FACTS
    return f"{', '.join(f.fact for f in facts[:_SHOWN_FACTS])}{f' and {more} more' if more > 0 else ''}"
