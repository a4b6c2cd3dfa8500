"""A draft of a site's file, from the names of its columns alone: what is alike is proposed, the rest is left open."""

from __future__ import annotations

import difflib
import os
import re
import textwrap
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence

from sfumato.schema.columns import BooleanColumn, CategoryColumn, Column
from sfumato.schema.public_facts import PublicFacts
from sfumato.schema.quantities import NumericColumn
from sfumato.schema.site_mapping import FORMAT, needed
from sfumato.schema.writing import label, scalar
from sfumato.tables import Rows
from sfumato.tables.dialect import Dialect
from sfumato.tables.heading import heading
from sfumato.tables.source import RowSource

_ALIKE = 0.8
"""Share of equal letters from which two names are taken for one: ``marital`` is far from ``status``."""
_MOST_PAIRS = 1 << 18
"""Pairs of names that are compared letter by letter, in seconds; beyond, only those that are the same are proposed."""
_WIDTH = 100
"""Letters of a comment's line."""
_SHORTER = 3
"""Letters from which the beginning of a word may stand for it: ``occ`` for occupation."""
_SAME = {
    "number": ("num", "nr", "no", "n"),
    "sex": ("gender",),
    "years": ("yrs", "year", "yr"),
    "hours": ("hrs", "hour", "hr"),
    "weight": ("wt",),
    "height": ("ht",),
    "date": ("dt",),
    "birth": ("dob", "birthdate"),
    "identifier": ("id", "key"),
    "amount": ("amt",),
    "quantity": ("qty",),
    "temperature": ("temp",),
    "status": ("stat",),
    "country": ("ctry",),
    "per": ("p",),
}
"""Words as people shorten them in the names of columns."""
_WHOLE = {short: word for word, shorter in _SAME.items() for short in shorter}
_HEAD = f"""\
# How this site's table says what the public schema means. Drafted from the names of its columns: no row was looked at.
# A line with `# ?` is open: write the name of your column behind `from:`. Write all else from your code book, never
# from the rows, for what becomes of a cell follows from this file. A column may also have
#   labels: {{w: Female, m: Male}}   your label, and the label of the schema that it stands for; others stay as they are
#   nulls: [k.A., "-9"]            your marks of a missing value (also once for the whole file, beside `columns:`)
#   unit: {{times: 100}}             your 1.80 m is 180 cm; `plus:` adds
#   decimal: ",", thousands: "."   how your numbers are written
#   format: "%d.%m.%Y"             how your dates are written
sfumato: {FORMAT}
"""


def draft_mapping(schema: PublicFacts, source: RowSource) -> str:
    """The text of a ``site.yaml`` to be filled in, for the table of a site.

    Args:
        schema: the public schema.
        source: the site's table: of delimited text its first record is read, of anything else the names of its columns.

    Raises:
        TableError: the table cannot be opened.

    *Formal guarantee.* No row is read, where the first record is a header. Where it is a row, none of its cells is
    shown: a name is written only where one of them is a column of the schema, up to case and punctuation.
    """
    found = heading(source) if isinstance(source, str | os.PathLike) and os.path.isfile(source) else None
    names, dialect = (Rows.open(source, schema.dialect, schema.picture).columns, None) if found is None else found
    proposed = proposals(schema.names, names)
    lines = [_HEAD.rstrip("\n"), *_file(schema, dialect), "columns:"]
    for column in schema.columns:
        lines += _column(column, proposed.get(column.name), column.name in needed(schema))
    return "\n".join([*lines, *_left(names, proposed)]) + "\n"


def proposals(wanted: Sequence[str], given: Sequence[str]) -> dict[str, str]:
    """For names of the schema those of a site that are alike, each once; none where not one is the same.

    >>> proposals(["education-num", "sex", "income"], ["EducationNum", "Gender", "ward"])
    {'education-num': 'EducationNum', 'sex': 'Gender'}
    """
    found = _same(wanted, given)
    rest, left = [w for w in wanted if w not in found], [g for g in given if g not in found.values()]
    if not found or len(rest) * len(left) > _MOST_PAIRS:
        return found
    scores = {(w, g): _likeness(w, g) for w in rest for g in left}
    best: dict[tuple[int, str], float] = {}
    for (w, g), score in scores.items():
        for part in ((0, w), (1, g)):
            best[part] = max(best.get(part, 0.0), score)
    close = [(w, g) for (w, g), score in scores.items() if _ALIKE <= score == best[0, w] == best[1, g]]
    once = Counter(part for w, g in close for part in ((0, w), (1, g)))
    return found | {w: g for w, g in close if once[0, w] == once[1, g] == 1}


def _same(wanted: Sequence[str], given: Sequence[str]) -> dict[str, str]:
    """Those that are the same, or that alone are the same but for case, punctuation and how words are shortened."""
    own, theirs, there = Counter(map(_key, wanted)), Counter(map(_key, given)), set(given)
    by_key = {_key(g): g for g in given}
    alone = (w for w in wanted if w in there or own[_key(w)] == theirs[_key(w)] == 1)
    return {w: w if w in there else by_key[_key(w)] for w in alone}


def _key(name: str) -> str:
    return "".join(_words(name))


def _likeness(one: str, other: str) -> float:
    """From 0 to 1: a share of equal letters; `_ALIKE` at least where the words of one begin those of the other."""
    a, b = _words(one), _words(other)
    letters = difflib.SequenceMatcher(None, _key(one), _key(other), autojunk=False).ratio()
    begun = len(a) == len(b) and all(map(_begins, a, b))
    return max(letters, _ALIKE) if begun else letters


def _begins(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return long == short or (len(short) >= _SHORTER and long.startswith(short))


def _words(name: str) -> list[str]:
    """Without accents, in lower case, ``HoursPerWeek`` taken apart, and written out where they are shortened."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    parted: list[str] = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", plain)
    return [_WHOLE.get(word.lower(), word.lower()) for word in parted]


def _file(schema: PublicFacts, dialect: Dialect | None) -> list[str]:
    """How the file is written, where its header shows something else than the schema says."""
    if dialect is None or (dialect.delimiter, dialect.codec) == (schema.dialect.delimiter, schema.dialect.codec):
        return []
    stated = ", ".join(f"{key}: {scalar(str(value))}" for key, value in dialect.bare().items())
    return [f"file: {{{stated}}}  # as the header line shows; also charset, quote and header, as in a schema"]


def _column(column: Column, name: str | None, wanted: bool) -> Iterator[str]:
    said = f"{column.kind}{_about(column)}"
    yield from (f"  # {line}" for line in textwrap.wrap(said, _WIDTH, break_long_words=False, break_on_hyphens=False))
    if name is not None:
        yield f"  {scalar(column.name)}: {{from: {label(name)}}}"
    else:
        yield f"  {scalar(column.name)}: {{from: }}  # ?" if wanted else f"  # {scalar(column.name)}: not needed"


def _about(column: Column) -> str:
    if isinstance(column, NumericColumn):
        return f" in {label(column.unit)}" if column.unit else ""
    if isinstance(column, CategoryColumn) and column.categories:
        return f": {', '.join(map(label, column.categories))}"
    if isinstance(column, BooleanColumn):
        return f": {', '.join(map(label, column.labels or ('false', 'true')))}"
    return ""


def _left(names: Sequence[str], proposed: dict[str, str]) -> list[str]:
    """The columns that stay out, or why none is named."""
    if not proposed:
        return [
            "# No column of the file is named like one of the schema, so none is shown: if its first line is a row,",
            "# write `file: {header: false}`.",
        ]
    left = [label(name) for name in names if name not in proposed.values()]
    return [f"# Not used: {line}" for line in textwrap.wrap(", ".join(left), _WIDTH, break_long_words=False)]
