"""How the numbers of a column are written: a fact with a source. ``encoding.numerals`` reads them."""

from __future__ import annotations

from typing import Any, NamedTuple


class Numeral(NamedTuple):
    """How numbers are written in text: the sign before decimals, and the one between groups of three digits."""

    decimal: str = "."
    thousands: str | None = None

    def spelt(self, value: Any) -> str:
        """A Python number as text of this form; other values by ``str``."""
        plain = isinstance(value, int | float) and not isinstance(value, bool)
        return str(value).replace(".", self.decimal) if plain else str(value)


PLAIN = Numeral()
