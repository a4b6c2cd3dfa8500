"""Ways to damage bytes, numbers and text, of any kind of input."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

TEXTS = (
    "",
    "\0",
    "a\0b",
    "\x1b[2J\x1b[H",
    "\r",
    "\u202e",
    "\ufeff",
    "\ud800",
    "x" * 70_000,
    "=1+1",
    "../../x",
    "\x7f",
    "é",
)
"""Texts that terminals, parsers and file systems stumble over."""

NUMBERS = (
    0,
    -1,
    1,
    2**31,
    2**62,
    2**63,
    2**64,
    -(2**63),
    10**40,
    10**4000,
    1e300,
    -1e300,
    1e-320,
    0.5,
    float("nan"),
    float("inf"),
)
"""Numbers at the edges of their types, and beyond."""

_LENGTHS = (1, 2, 4, 8, 100, 4096)


def flipped(data: bytes, rng: random.Random) -> bytes:
    """One to eight bits turned."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def cut(data: bytes, rng: random.Random) -> bytes:
    """The end lost, or the start."""
    at = rng.randrange(len(data))
    return data[:at] if rng.random() < 0.8 else data[at:]


def overwritten(data: bytes, rng: random.Random) -> bytes:
    """A stretch replaced by zeros, ones, or what is anything."""
    at, length = rng.randrange(len(data)), rng.choice(_LENGTHS)
    kind = rng.randrange(3)
    new = bytes([0, 255][kind] for _ in range(length)) if kind < 2 else rng.randbytes(length)
    return data[:at] + new + data[at + length :]


def inserted(data: bytes, rng: random.Random) -> bytes:
    """Bytes that do not belong there."""
    at = rng.randrange(len(data) + 1)
    new = rng.choice(
        (b"\0", b"\n", b'"', b"\r", b"\xff", b"\xef\xbb\xbf", b"[" * 5000, b"{" * 5000, b"0" * 5000, rng.randbytes(50))
    )
    return data[:at] + new + data[at:]


def doubled(data: bytes, rng: random.Random) -> bytes:
    """A stretch twice, or in another place."""
    a, b = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    at = rng.randrange(len(data) + 1)
    return data[:at] + data[a:b] + data[at:]


ANY: tuple[Callable[[bytes, random.Random], bytes], ...] = (flipped, cut, overwritten, inserted, doubled)


def damaged(data: bytes, rng: random.Random) -> bytes:
    """The bytes, damaged in one to three of these ways."""
    for _ in range(rng.randint(1, 3)):
        data = rng.choice(ANY)(data, rng) if data else rng.randbytes(9)
    return data


def strange(rng: random.Random) -> Any:
    """A value that fits nowhere: a number, a text, nothing, something deep, something long."""
    deep: Any = []
    for _ in range(rng.choice((3, 30, 300))):
        deep = [deep] if rng.random() < 0.5 else {"a": deep}
    return rng.choice(
        (rng.choice(NUMBERS), rng.choice(TEXTS), None, True, [], {}, deep, [0] * 3000, {str(i): i for i in range(999)})
    )


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value inside a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = []
    for key, inner in items:
        found += [(*path, key), *places(inner, (*path, key))]
    return found


def edited(document: Any, rng: random.Random) -> None:
    """Change a document of lists and objects in place: values replaced, left out, renamed or put elsewhere."""
    for _ in range(rng.randint(1, 3)):
        found = places(document)
        if not found:
            return
        parent = document
        *above, last = rng.choice(found)
        for key in above:
            parent = parent[key]
        act = rng.random()
        if act < 0.2:
            del parent[last]
        elif act < 0.3 and isinstance(parent, dict):
            parent[rng.choice(TEXTS)] = parent.pop(last)
        elif act < 0.4 and isinstance(parent, list):
            parent.append(parent[last])
        else:
            parent[last] = strange(rng)
