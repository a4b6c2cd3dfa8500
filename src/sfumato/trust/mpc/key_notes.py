"""What a party should know of its keys before it brings them: what others may write otherwise, and what can be guessed.

Notes are for the people of the party alone, and quote no key: they count, and show forms in which a letter stands for
any letter and a digit for any digit, where many keys have them.
"""
# pyarrow.compute makes its functions when it is imported:
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sfumato.trust.mpc.keys import alike
from sfumato.trust.mpc.persons import Persons

_LOOSE = {
    "capital letters": ("", ""),
    "zeros in front": (r"^0+(\d)", r"\1"),
    "an ending .0": (r"^(\d+)\.0+$", r"\1"),
    "spaces, dots, hyphens and slashes": (r"[\s./_-]+", ""),
}
"""Ways in which one key is written twice: what is replaced by what before two are compared; nothing: any capital."""
_FORM = ((r"\p{Nd}", "0"), (r"\p{Lu}", "A"), (r"[\p{Ll}\p{Lt}\p{Lm}\p{Lo}]", "a"))
"""Digits, capital letters and others: what a form is made of."""
_SHARED, _FEWEST, _SHOWN, _LONGEST = 0.05, 20, 3, 40
"""A form is shown where a twentieth of all keys have it, twenty at the least: the first three, up to forty signs."""
_DATE = r"^(0000[-./]?00[-./]?00|00[-./]00[-./]0000)$"
_DIGIT, _LETTER = 1.0, math.log10(26)
"""Powers of ten that a sign of a form stands for."""
_GUESSABLE = 12.0
"""Powers of ten: a number of so many digits is no secret from who tries them, and none from who knows how they come."""


def key_notes(raw: pa.ChunkedArray) -> tuple[str, ...]:
    """Notes on the keys of a table, one of each row, as they are written; null of nobody."""
    return tuple(_notes(raw.combine_chunks()))


def list_notes(raw: pa.ChunkedArray, persons: Persons) -> tuple[str, ...]:
    """Notes on the keys of a table, one of each row, where a list says who the persons are; null of nobody."""
    return tuple(_listed(raw.combine_chunks(), persons.keys))


def _listed(raw: pa.StringArray, persons: pa.StringArray) -> Iterator[str]:
    """Who is on the list, and is not found there for how the key is written."""
    if raw.null_count:
        yield f"{raw.null_count:,} rows have no key: they take no part"
    strangers = raw.filter(pc.invert(pc.is_in(raw, value_set=persons))).drop_null()
    if len(strangers):
        yield f"{len(strangers):,} rows have a key that is not on the list of persons: they are left out"
    ways = (("spaces around it or a Unicode form", alike), *((what, partial(_loosely, what=what)) for what in _LOOSE))
    for what, written in ways:
        found = pc.is_in(written(strangers), value_set=written(persons))
        if pc.any(found).as_py():
            yield f"{pc.sum(found).as_py():,} of these rows have a key that is on the list but for {what}"
        strangers = strangers.filter(pc.invert(found))


def _notes(raw: pa.StringArray) -> Iterator[str]:
    keys = alike(raw)
    missing = keys.null_count
    if missing:
        yield f"{missing:,} rows have no key: they take no part"
    written = pc.sum(pc.not_equal(raw, keys)).as_py() or 0
    if written:
        yield f"{written:,} keys have spaces around them, or another Unicode form: they are taken without"
    known = pc.unique(keys.drop_null())
    for what in _LOOSE:
        counts = pc.value_counts(_loosely(known, what)).field("counts").to_numpy()
        twins = int(counts[counts > 1].sum())
        if twins:
            yield (
                f"{twins:,} keys differ from another one in nothing but {what}: are they one person, and how do others"
                " write them?"
            )
    numbers = pc.match_substring_regex(known, r"^\d+$")
    if pc.any(pc.and_(numbers, pc.starts_with(known, "0"))).as_py() and _lengths(known.filter(numbers)) > 1:
        yield "some keys are numbers with zeros in front, and of several lengths: were zeros lost on the way?"
    if pc.any(pc.match_substring_regex(known, r"^\d+\.0+$")).as_py():
        yield "some keys are numbers that end in .0: others write them without, and would not be found"
    yield from _forms(known)


def _loosely(keys: pa.StringArray, what: str) -> pa.StringArray:
    """Keys without what makes no difference here."""
    pattern, by = _LOOSE[what]
    return pc.replace_substring_regex(keys, pattern, by) if pattern else pc.utf8_lower(keys)


def _lengths(keys: pa.StringArray) -> int:
    return len(pc.unique(pc.utf8_length(keys)))


def _forms(known: pa.StringArray) -> Iterator[str]:
    """The forms that most keys have, and whether these can be guessed."""
    forms = known
    for pattern, by in _FORM:
        forms = pc.replace_substring_regex(forms, pattern, by)
    counted = pc.value_counts(forms)
    names, counts = counted.field("values").to_pylist(), counted.field("counts").to_numpy()
    often = counts >= max(_FEWEST, _SHARED * len(known))
    order = [i for i in np.argsort(-counts, kind="stable") if often[i] and len(names[i]) <= _LONGEST][:_SHOWN]
    if order:
        shown = ", ".join(names[i] for i in order)
        yield f"most keys look like {shown} (0 a digit, A a capital letter, a any other): compare that by telephone"
    dates = pc.match_substring_regex(pa.array(names, pa.string()), _DATE).to_numpy(zero_copy_only=False)
    guessed = dates | np.array([_powers(name) < _GUESSABLE for name in names])
    if counts[guessed].sum() * 2 > len(known):
        yield (
            "MOST KEYS CAN BE GUESSED (a date, a short number or a short word): a party that does not follow the"
            " protocol can bring guesses, and learn which of them both others know"
        )


def _powers(form: str) -> float:
    """Powers of ten of keys that one form has at most."""
    return _DIGIT * form.count("0") + _LETTER * sum(form.count(sign) for sign in "Aa")
