"""What a kind of input is to the fuzzer."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Files = Mapping[str, bytes]
"""An input: its files by name, which may hold folders (``cat/1.png``)."""


@dataclass(frozen=True)
class Valid:
    """Inputs that are right, as bytes; the hostile ones are made from them.

    Attributes:
        files: by name.
    """

    files: Files

    def __getitem__(self, name: str) -> bytes:
        return self.files[name]


@dataclass(frozen=True)
class Kind:
    """One kind of input.

    Attributes:
        name: of the kind.
        make: a hostile input: the files that differ from the valid ones, by name.
        attempt: what is done with the folder that holds them; in a forked child.
        commands: command lines of ``sfumato`` to be run in that folder.
        weight: how many inputs there are of it, beside the others.
    """

    name: str
    make: Callable[[Valid, random.Random], dict[str, bytes]]
    attempt: Callable[[Path], None]
    commands: Sequence[Sequence[str]]
    weight: int = 1


def write(files: Files, folder: Path) -> None:
    """Write the files of an input into ``folder``."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
