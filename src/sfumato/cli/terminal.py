"""What a command says: one JSON object on stdout for machines, text and a progress bar for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from sfumato.cli import streams
from sfumato.errors import OutputError, SfumatoError
from sfumato.printable import printable
from sfumato.progress import Progress, Silent, bars

if TYPE_CHECKING:
    from sfumato import Guarantee

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]

DELTA = 1e-9
"""Where a command is told no other: below one in the people of most countries."""


def answer(result: Mapping[str, object], text: str, as_json: bool, saved: bool = False) -> None:
    """Print the result of a command: as JSON for machines, else the text, a line of which shows all that it holds.

    Args:
        result: for machines; in ASCII, so that any charset and any terminal will do.
        text: for people.
        as_json: which of the two.
        saved: whether the command's work lies in files, so that it is done also where nobody can be told.

    Raises:
        OutputError: standard output cannot be written to, and what was to be printed is all there is.
        BrokenPipeError: likewise, because its reader went away.
    """
    lines = "\n".join(printable(line) for line in text.rstrip("\n").split("\n"))
    reason = streams.write(json.dumps(result, allow_nan=False) if as_json else lines, sys.stdout)
    if reason is None or (saved and streams.nobody_reads(reason)):
        return
    if saved:
        note(f"sfumato: all is saved; only the answer could not be printed: {reason}")
        return
    if streams.broken_pipe(reason):
        raise BrokenPipeError
    raise OutputError(f"cannot write to standard output: {reason}")


def note(text: str) -> None:
    """Tell people something on stderr, where that can be written to."""
    streams.write(printable(text), sys.stderr)


@contextmanager
def progress(quiet: bool = False) -> Iterator[Progress]:
    """Bars on stderr (:func:`sfumato.progress.bars`); nothing where stderr is no terminal, or it is to be ``quiet``."""
    if quiet or not sys.stderr.isatty():
        yield Silent()
        return
    with bars(streams.terminal()) as drawn:
        yield drawn


def guarantee(epsilon: float, delta: float, unit: str = "row") -> Guarantee:
    """The guarantee of two options; SfumatoError where they are out of range."""
    import sfumato as sf

    try:
        return sf.Guarantee(epsilon, delta, unit)
    except ValueError as e:
        raise sf.SfumatoError(f"--epsilon/--delta: {e}") from None


def conditions(given: Sequence[str]) -> dict[str, str]:
    """``COL=VALUE`` options as a mapping; SfumatoError where one has no ``=`` or names a column twice."""
    found: dict[str, str] = {}
    for text in given:
        column, equals, value = text.partition("=")
        if not equals or not column:
            raise SfumatoError(f"--given {text!r}: write COL=VALUE, for instance --given income='>50K'")
        if column in found:
            raise SfumatoError(f"--given names column {column!r} twice; give one value per column")
        found[column] = value
    return found


def held(told: Sequence[str]) -> dict[str, list[str]]:
    """``PARTY=COL,COL`` arguments as a mapping from party to its columns; two for one party are an error."""
    found: dict[str, list[str]] = {}
    for text in told:
        name, _, columns = text.partition("=")
        names = [column.strip() for column in columns.split(",") if column.strip()]
        if not (name and names):
            raise SfumatoError(f"{text!r}: write PARTY=COLUMN,COLUMN")
        if name in found:
            raise SfumatoError(f"{name}: its columns are given twice; give them all at once")
        found[name] = names
    return found


def fingerprints(told: Sequence[str]) -> dict[str, str]:
    """``NAME=FINGERPRINT`` arguments as a mapping from site to what it told; two for one site are an error."""
    found: dict[str, str] = {}
    for text in told:
        name, _, fingerprint = text.partition("=")
        if not (name and fingerprint):
            raise SfumatoError(f"{name!r}: write NAME=FINGERPRINT")
        if found.setdefault(name, fingerprint) != fingerprint:
            raise SfumatoError(f"{name}: two fingerprints are given; a site has one")
    return found
