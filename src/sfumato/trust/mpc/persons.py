"""The list of persons whose columns the parties hold: declared public, in an order that all of them keep."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # pyright: ignore[reportMissingTypeStubs]

from sfumato.bounded import read_bounded
from sfumato.errors import FederationError

MOST_PERSONS = 1 << 26
"""Counts of so many and their noise lie far within a ring of 32 bits."""
_MOST_BYTES = 1 << 32
"""Of a file of keys: sixty bytes for each of so many."""


@dataclass(frozen=True, eq=False)
class Persons:
    """The keys of persons, each once, in ascending order of their UTF-8 bytes.

    That somebody is on it is told to whoever sees it, and protected by nothing.

    Attributes:
        keys: (n,) text, no null.
    """

    keys: pa.StringArray

    @classmethod
    def of(cls, keys: Iterable[str]) -> Persons:
        """From keys in any order; FederationError where one stands twice or is empty, or there are none or too many."""
        try:
            found = sorted(keys, key=str.encode)
        except (TypeError, UnicodeEncodeError):
            raise FederationError("the keys of persons are texts that UTF-8 can write: write numbers as text") from None
        if not 1 <= len(found) <= MOST_PERSONS:
            raise FederationError(f"a list of persons has 1 to {MOST_PERSONS:,} keys, not {len(found):,}")
        if not all(found) or any(one == other for one, other in pairwise(found)):
            raise FederationError("a list of persons has each key once, and none that is empty")
        return cls(pa.array(found, pa.string()))

    @classmethod
    def load(cls, path: str | Path) -> Persons:
        """From a file of UTF-8 text with a key on each line; FederationError where it is none."""
        place = Path(path)
        try:
            beyond = FederationError(f"{place}: larger than any list of persons")
            text = read_bounded(place, _MOST_BYTES, beyond).decode("utf-8-sig")
        except OSError as error:
            raise FederationError(
                f"{place}: {error.strerror}; name a file with the key of a person on each line"
            ) from None
        except UnicodeDecodeError:
            raise FederationError(f"{place}: not UTF-8 text; write the key of a person on each line") from None
        try:
            return cls.of(line for line in text.replace("\r\n", "\n").split("\n") if line)
        except FederationError as error:
            raise FederationError(f"{place}: {error}") from None

    def __len__(self) -> int:
        return len(self.keys)

    def __repr__(self) -> str:
        return f"<list of {len(self):,} persons>"

    @cached_property
    def digest(self) -> str:
        """SHA-256 over all keys with their lengths, in hexadecimal digits."""
        running = hashlib.sha256(b"sfumato persons 1")
        for key in self.keys.to_pylist():
            data = key.encode()
            running.update(len(data).to_bytes(4, "little") + data)
        return running.hexdigest()

    def places(self, keys: pa.Array) -> np.ndarray:
        """Where each of these keys (n,) stands; -1 for null, and for whoever is not on the list."""
        found = pc.index_in(keys, value_set=self.keys)
        return pc.fill_null(found, -1).to_numpy(zero_copy_only=False).astype(np.int64)
