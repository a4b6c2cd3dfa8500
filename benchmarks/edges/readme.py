"""The code blocks of the README and the documentation, the extras that each names, and which of them run where."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sfumato.extras import EXTRAS

_BLOCK = re.compile(r"^```(python|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_EXTRA = re.compile(r"sfumato\[([a-z,]+)\]")
APART = frozenset({"he", "mpc"})
"""Extras that ``[all]`` leaves out: sums under encryption are there to be compared, and what finds common persons of
parties is not there for each platform."""
_ALL = {"all": EXTRAS.keys() - APART}

ELSEWHERE = {
    "make ": "the checkout itself: CI runs it",
    "git clone": "needs an address",
    "pip install": "the environment is made with what is named",
    "export ": "a setting of the shell",
    ".venv/bin/python -m benchmarks": "a benchmark",
    "postgresql://": "needs a server, which tests/journeys/test_database.py starts",
    "sfumato site ": "needs several machines, which tests/journeys/test_institutions.py makes of processes",
    "sfumato federation ": "needs them too",
    "sfumato party ": "needs several machines, which tests/journeys/test_parties.py makes of processes",
    "sfumato mpc ": "needs them too",
    " --site ": "needs fingerprints that sites told, which tests/journeys/test_institutions.py has",
    "hospital.csv": "needs tables of parties or owners, which tests/fitting/test_parties.py and test_servers.py make",
    "ibis.postgres": "needs a server, which tests/trust/test_database.py starts",
    "/usr/share/datasets": "needs a package of Debian, whose images tests/journeys/test_images.py fits",
    "fashion.sfm": "made from that package, as in tests/journeys/test_images.py",
}
"""What no test of the documentation runs, and why, by a part of its text."""
WITH_THE_WHEEL = ("--model gan", "--model diffusion")
"""Networks of the README, which take a minute each: CI runs them where the wheel is installed."""


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

    @property
    def lines(self) -> list[str]:
        """What a reader gives to the shell, or the whole program, without what runs elsewhere."""
        shown = [line[2:].split("  #")[0].strip() for line in self.text.splitlines() if line.startswith("$ ")]
        steps = [self.text] if self.language == "python" else shown
        return [step for step in steps if not any(part in _without_comments(step) for part in ELSEWHERE)]

    def commands(self, python: Path, without: Sequence[str] = ()) -> list[list[str]]:
        """What to run with the interpreter of an environment, but for steps ``without`` which it is to be tried."""
        programs = {"python": str(python), "sfumato": str(python.with_name("sfumato"))}
        steps = [step for step in self.lines if not any(part in step for part in without)]
        if self.language == "python":
            return [[str(python), "-c", step] for step in steps]
        return [[programs[word], *rest] for word, *rest in map(shlex.split, steps)]


def _without_comments(step: str) -> str:
    """What runs of a step: a comment that says what to install does not make a program one that installs."""
    return "\n".join(line.split("  # ")[0] for line in step.splitlines())


def blocks(page: Path) -> list[Block]:
    """The blocks of a page in order."""
    return [Block(*parts) for parts in _BLOCK.findall(page.read_text(encoding="utf-8"))]
