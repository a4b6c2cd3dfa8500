"""How the numbers of a column are written: a fact with a source. ``encoding.numerals`` reads them."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

DecimalSign: TypeAlias = Literal[".", ","]
GroupSign: TypeAlias = Literal[".", ",", " ", "'", "\u00a0", "\u202f", "\u2019"]


class Numeral(NamedTuple):
    """How numbers are written in text: the sign before decimals, and the one between groups of three digits."""

    decimal: DecimalSign = "."
    thousands: GroupSign | None = None

    def spelt(self, value: object) -> str:
        """A Python number as text of this form; other values by ``str``."""
        plain = isinstance(value, int | float) and not isinstance(value, bool)
        return str(value).replace(".", self.decimal) if plain else str(value)


PLAIN = Numeral()
