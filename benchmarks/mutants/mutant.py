"""One mistake in one file of the shipped code, and the test that must turn red by it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "sfumato"


class StaleMutant(ValueError):  # noqa: N818 - names what is wrong with the list, not with the program
    """The text to be replaced is not in the code exactly once: the mutant is to be kept true with it."""


@dataclass(frozen=True)
class Mutant:
    """A small patch of the shipped code.

    Attributes:
        name: what the mistake does, in a few words.
        file: path below ``src/sfumato``.
        old: text that stands there exactly once.
        new: what it becomes.
        why: how a good engineer could come to write it.
        test: node id of the test, or tests by spaces, one of which must fail.
    """

    name: str
    file: str
    old: str
    new: str
    why: str
    test: str

    def applied(self, package: Path = PACKAGE) -> str:
        """The whole file of ``package`` with the mistake in it; StaleMutant unless ``old`` stands there once."""
        path = package / self.file
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        found = text.count(self.old)
        if found != 1:
            raise StaleMutant(f"mutant {self.name!r}: {self.file} holds its old text {found} times, not once")
        return text.replace(self.old, self.new)

    def plant(self, package: Path) -> None:
        """Write the mistake into a copy of the package."""
        text = self.applied(package)
        (package / self.file).write_text(text, encoding="utf-8")
