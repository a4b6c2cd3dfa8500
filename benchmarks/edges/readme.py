"""The code blocks of the README, and the extras that each names, so that a fresh environment can run them."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from sfumato.extras import EXTRAS

_BLOCK = re.compile(r"^```(python|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_EXTRA = re.compile(r"sfumato\[([a-z,]+)\]")
_ALL = {"all": EXTRAS.keys()}


@dataclass(frozen=True)
class Block:
    """One block that a reader would run.

    Attributes:
        language: ``python`` or ``console``.
        text: what stands in it.
    """

    language: str
    text: str

    @property
    def extras(self) -> frozenset[str]:
        """The extras that it says to install; ``all`` is each."""
        named = (name for found in _EXTRA.findall(self.text) for name in found.split(","))
        return frozenset(extra for name in named for extra in _ALL.get(name, (name,)))

    def commands(self, python: Path) -> list[list[str]]:
        """What to run with the interpreter of an environment; installing is done already."""
        if self.language == "python":
            return [[str(python), "-c", self.text]]
        lines = [line.removeprefix("$ ").split("  #")[0].strip() for line in self.text.splitlines() if line[:2] == "$ "]
        program = str(python.with_name("sfumato"))
        return [[program, *shlex.split(line)[1:]] for line in lines if line.startswith("sfumato ")]


def blocks(readme: Path) -> list[Block]:
    """The blocks in order; without those that set up the checkout itself (``make``)."""
    found = [Block(*parts) for parts in _BLOCK.findall(readme.read_text(encoding="utf-8"))]
    return [block for block in found if not re.search(r"^\$ make ", block.text, re.MULTILINE)]
