"""What may be written over: nothing that a command reads, no ledger, no key, and else only files of the same kind.

The kind of a file is identified by its first bytes, never by its name.
"""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sfumato.errors import OutputError
from sfumato.written import is_marked

_HEAD = 1 << 20
"""Bytes that are looked at: all of a schema, the start of a table."""
_SQLITE, _SQLITE_IN_USE = b"SQLite format 3\0", ("-journal", "-wal", "-shm")
_PRIVATE_KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_SETTLED = re.compile(rb"\bsource: *(public|measured|\{)|\breviewed:")
_SCHEMA = re.compile(rb"^sfumato: schema/", re.MULTILINE)
_MAGIC = {
    ".parquet": b"PAR1",
    ".arrow": b"ARROW1",
    ".feather": b"ARROW1",
    ".gz": b"\x1f\x8b",
    ".npz": b"PK\x03\x04",
    ".png": b"\x89PNG\r\n\x1a\n",
}
_MARKUP = (b"<", b"sfumato:", b"CERTIFICATE", b"NO CERTIFICATE", b"-----BEGIN", b"{", b"%PDF", b"PK\x03\x04")
_KEPT = (b'{"__metadata__":{"journal":"{', b'{"__metadata__":{"mark":"{')
"""How answers and the state of a training begin, behind the eight bytes of a length."""
_CONTROLS = re.compile(rb"[\x01-\x08\x0b\x0e-\x1f\x7f]")
"""Bytes that no line of a table in a charset of one byte a character has."""
LEDGER = ".ledger"
"""What the name of a data set's ledger ends with."""


@dataclass(frozen=True)
class Kind:
    """What a command writes.

    Attributes:
        name: for people.
        ours: whether a file with this path and these first bytes is one, and so may be replaced.
        marked: whether people have files that look the same, so that sfumato marks those that it writes.
    """

    name: str
    ours: Callable[[Path, bytes], bool]
    marked: bool = False


def _draft(_path: Path, head: bytes) -> bool:
    """A schema in which no fact was settled yet; its comments name the words."""
    facts = b"\n".join(line.split(b" #")[0] for line in head.split(b"\n") if not line.startswith(b"#"))
    return bool(_SCHEMA.search(head)) and not _SETTLED.search(facts)


def _table(path: Path, head: bytes) -> bool:
    magic = _MAGIC.get(path.suffix.lower())
    if magic is not None:
        return head.startswith(magic) and not MODEL.ours(path, head)  # a saved model is a zip as well
    return _is_text(head) and not head.lstrip().startswith(_MARKUP)


def _is_text(head: bytes) -> bool:
    """Whether it can be a table in a charset that tables are written in; a key of raw bytes or a program is not."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _decodes(head, "utf-16")
    if b"\0" in head:
        return False
    return _decodes(head, "utf-8") or (b"\n" in head and not _CONTROLS.search(head))


def _decodes(head: bytes, charset: str) -> bool:
    try:
        codecs.getincrementaldecoder(charset)().decode(head, final=len(head) < _HEAD)
    except UnicodeDecodeError:
        return False
    return True


def _begins(*starts: bytes) -> Callable[[Path, bytes], bool]:
    return lambda _, head: head.startswith(starts)


def _holds(text: bytes, within: int = 4096) -> Callable[[Path, bytes], bool]:
    return lambda _, head: text in head[:within]


MODEL = Kind("saved model", _holds(b'"sfumato": "artifact"', 512))
REPORT = Kind("report of sfumato", _holds(b'<meta name="generator" content="sfumato">'))
CERTIFICATE = Kind(
    "certificate as text", lambda _, head: head.startswith((b"CERTIFICATE  sfumato/", b"NO CERTIFICATE. "))
)
SCHEMA = Kind("schema", lambda _, head: bool(_SCHEMA.search(head)) and not head.startswith(b"PK"))
DRAFT = Kind("schema whose facts nobody has settled yet", _draft)
TABLE = Kind("table", _table, marked=True)
PICTURE = Kind("picture", _begins(_MAGIC[".png"]), marked=True)
COMPARISON = Kind("comparison of a federation", _holds(b'"sfumato": "comparison/1"', 512))
NEW = Kind("file that may be replaced", lambda _path, _head: False)
"""What a person or another program relies on: a key, answers to be filled in."""
KEPT = Kind("log of answers", lambda _, head: head[8:].startswith(_KEPT))
"""What a fit keeps for its next try."""
PREPAID = Kind("count of steps that a site has paid for", _begins(b'{"sfumato": "prepaid"'))
"""What a site keeps beside its ledger while a training lasts."""


def check_output(
    path: str | os.PathLike[str], kind: Kind, inputs: Iterable[Any] = (), overwrite: bool | None = None
) -> None:
    """Refuse a place where something lies that must stay; devices and pipes keep nothing.

    Args:
        path: where something of ``kind`` will be written.
        kind: what it is.
        inputs: what the command reads or adds to; those that are no paths are passed over.
        overwrite: whether a file of ``kind`` may be replaced that sfumato did not write, or that was changed since;
            None where nobody can say so.

    Raises:
        OutputError: it is an input, or lies in one that is a folder; it is a ledger, a database or a private key; a
            data set with a ledger beside it; or a file that is not of ``kind``, or not known as ours.
    """
    target = Path(os.path.realpath(path))
    read = [Path(os.path.realpath(other)) for other in inputs if isinstance(other, str | os.PathLike)]
    for other in read:
        _check_apart(path, target, other)
    _check_no_journal(path, target, read)
    if not os.path.isfile(target) or os.path.getsize(target) == 0:
        return
    try:
        with target.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise OutputError(f"cannot write {os.fspath(path)}: it cannot be looked at ({error.strerror})") from None
    found = _precious(target, head)
    if found is not None:
        raise OutputError(
            f"cannot write {os.fspath(path)}: it is {found}, which nothing may replace; name another file"
        )
    if not kind.ours(target, head):
        raise OutputError(
            f"cannot write {os.fspath(path)}: it exists, and is no {kind.name}; name another file, or delete it first"
        )
    if kind.marked and not overwrite and not is_marked(target):
        word = "" if overwrite is None else ", or take --overwrite (overwrite=True in Python)"
        raise OutputError(
            f"cannot write {os.fspath(path)}: it exists, and is not known as an output of sfumato that nobody"
            f" changed or used as data; name another file, delete it first{word}"
        )


def _check_apart(path: str | os.PathLike[str], target: Path, other: Path) -> None:
    if same_file(target, other):
        raise OutputError(
            f"{os.fspath(path)} is read or added to by this command, and would be overwritten; name another file"
        )
    if other.is_dir() and target.is_relative_to(other):
        raise OutputError(f"cannot write {os.fspath(path)}: it lies in a folder that this command reads: name another")


def _check_no_journal(path: str | os.PathLike[str], target: Path, read: Iterable[Path]) -> None:
    """Refuse the names of the files that SQLite makes beside a database, there or not: it deletes what it finds."""
    base, dash, rest = target.name.rpartition("-")
    if f"{dash}{rest}" not in _SQLITE_IN_USE or not base:
        return
    database = target.with_name(base)
    if is_database(database) or (database in read and not os.path.exists(database)):  # a ledger, or one to be made
        raise OutputError(
            f"cannot write {os.fspath(path)}: SQLite keeps what it is about to write to {base} under this name, and"
            " would delete it; name another file"
        )


def is_database(path: Path) -> bool:
    """Whether a file is one of SQLite, as a ledger is."""
    try:
        if not os.path.isfile(path):
            return False
        with path.open("rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except OSError:
        return False


def same_file(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file, by whatever names."""
    try:
        return os.path.samefile(one, other)
    except OSError:  # one of them is not there
        return os.path.realpath(one) == os.path.realpath(other)


def _precious(target: Path, head: bytes) -> str | None:
    """What a file is that must never be replaced, whatever it is named."""
    if head.startswith(_SQLITE):
        return "a ledger or another database"
    if _PRIVATE_KEY.search(head):
        return "a private key"
    if target.with_name(target.name + LEDGER).exists():
        return f"a data set (its ledger, {target.name}{LEDGER}, lies beside it)"
    return None
