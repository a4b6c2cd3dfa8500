"""The review of a draft: which facts are open, and a person's answers to them."""

from __future__ import annotations

from collections.abc import Iterable

from sfumato.schema.schema import Fact

_SHOWN_LINES, _SHOWN_FACTS = 8, 4
"""How much of a long list stands in a message of one line."""


def open_in_words(facts: Iterable[Fact]) -> str:
    """Why a schema cannot be certified, all its open lines in one, and what to write."""
    lines: dict[str, list[str]] = {}
    for fact in facts:
        lines.setdefault(fact.name or fact.part, []).append(fact.fact)
    shown = [_line(name, own) for name, own in list(lines.items())[:_SHOWN_LINES]]
    more = len(lines) - len(shown)
    count = sum(map(len, lines.values()))
    return (
        f"{count} facts of the schema are unreviewed or have no source: {'; '.join(shown)}"
        f"{f'; and {more} more lines' if more else ''}. Write in each of these lines 'source: public' if all of it is "
        "known without the rows, or 'reviewed: {by: YOU, on: DATE, reason: WHY}', or use `sfumato review`; or fit with "
        "--no-certificate"
    )


def _line(name: str, facts: list[str]) -> str:
    if facts in (["unit"], ["rows"], ["file"], ["constraint"]):
        return name
    more = len(facts) - _SHOWN_FACTS
    return f"{name} ({', '.join(facts[:_SHOWN_FACTS])}{f' and {more} more' if more > 0 else ''})"
