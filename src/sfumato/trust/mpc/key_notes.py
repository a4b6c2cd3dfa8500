"""What a party should know of its keys before it brings them: what others may write otherwise, and what can be guessed.

Notes are for the people of the party alone, and quote no key: they count, and show forms in which a letter stands for
any letter and a digit for any digit, where many keys have them.
"""
# pyarrow.compute makes its functions when it is imported:
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sfumato.trust.mpc.keys import alike

_LOOSE = {
    "capital letters": (("", ""),),
    "zeros in front": ((r"^0+(\d)", r"\1"),),
    "an ending .0": ((r"^(\d+)\.0+$", r"\1"),),
    "spaces, dots, hyphens and slashes": ((r"[\s./_-]+", ""),),
}
"""Ways in which one key is written twice: what is replaced by what before two are compared."""
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


def _notes(raw: pa.StringArray) -> Iterator[str]:
    keys = alike(raw)
    missing = keys.null_count
    if missing:
        yield f"{missing:,} rows have no key: they take no part"
    written = pc.sum(pc.not_equal(raw, keys)).as_py() or 0
    if written:
        yield f"{written:,} keys have spaces around them, or another Unicode form: they are taken without"
    known = pc.unique(keys.drop_null())
    for what, replaced in _LOOSE.items():
        twins = _twins(known, replaced)
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


def _twins(known: pa.StringArray, replaced: tuple[tuple[str, str], ...]) -> int:
    """How many keys are some other one's as well, once they are written loosely."""
    loose = known
    for pattern, by in replaced:
        loose = pc.replace_substring_regex(loose, pattern, by) if pattern else pc.utf8_lower(loose)
    counts = pc.value_counts(loose).field("counts").to_numpy()
    return int(counts[counts > 1].sum())


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
