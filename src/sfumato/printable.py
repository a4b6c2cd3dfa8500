"""Text of any origin, made safe to show: no name in it can move the cursor, hide letters or turn them round."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Categories of Unicode: controls, formats (direction, zero width), parts of characters, unassigned, line ends."""
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0").union(
    map(chr, range(0xFE00, 0xFE10)), map(chr, range(0xE0100, 0xE01F0))
)
"""Letters and marks that show nothing."""


def printable(text: object) -> str:
    """``text`` on one line, with all that cannot be seen, or moves what can, written as ``\\x1b`` or ``\\u202e``.

    >>> printable("ok\\x1b[2J\\u202eDILAV")
    'ok\\\\x1b[2J\\\\u202eDILAV'
    """
    plain = str(text)
    return plain if plain.isascii() and plain.isprintable() else "".join(map(_shown, plain))


def printable_parts(value: Any) -> Any:
    """The same for all texts, names included, in nested mappings and sequences."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, Mapping):
        return {printable(key): printable_parts(part) for key, part in value.items()}
    return [printable_parts(part) for part in value] if isinstance(value, list | tuple) else value


def _shown(letter: str) -> str:
    if unicodedata.category(letter) not in _UNSEEN and letter not in _INVISIBLE:
        return letter
    code = ord(letter)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
