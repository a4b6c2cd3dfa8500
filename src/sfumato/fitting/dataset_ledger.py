"""Which ledger a data set has: a file beside it, found by the resolved path of the rows."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from sfumato.errors import LedgerError
from sfumato.outputs import is_database
from sfumato.privacy.ledger import Ledger
from sfumato.tables import examples
from sfumato.tables.databases import is_url
from sfumato.tables.source import RowSource

SUFFIX = ".ledger"
ANSWERS = ".answers"
"""What a ledger's name is followed by in that of the folder with the answers of unfinished fits."""
_NAME_ONE = "name the ledger of this data set: ledger=FILE in Python, --ledger FILE on the command line"


@dataclass(frozen=True)
class DatasetLedger:
    """Where the spending of a data set is kept.

    Attributes:
        ledger: the caller's open ledger, the path of its file, or None for one in memory that nothing is added up in.
        public_example: whether the rows are an example that comes with sfumato, which everybody has.
    """

    ledger: Ledger | Path | None
    public_example: bool = False

    @property
    def path(self) -> Path | None:
        """The ledger's file; None in memory."""
        return self.ledger.path if isinstance(self.ledger, Ledger) else self.ledger


def ledger_of(source: RowSource, named: Ledger | str | os.PathLike[str] | None, private: bool) -> DatasetLedger:
    """The ledger that ``source`` is charged to; no row is read.

    Args:
        source: what is fitted: a path, a URL or a frame.
        named: what the caller said; None: the default, which is ``RESOLVED_PATH.ledger`` beside the rows.
        private: whether anything will be charged at all.

    Raises:
        LedgerError: there is no place beside the rows (a frame, a database, a pipe, a folder without write
            permission), a ledger made under another name of the same rows, or no ledger yet where there may be such a
            one: the file has other names (hard links), or the folder holds the ledger of a file that is gone.

    *Formal guarantee.* All spellings of one path (relative, through symbolic links, with a slash at its end) lead to
    one file. No ledger is begun for a file with several names, or beside one whose data are gone, which may have been
    renamed. Copies, and files that were moved to another folder, cannot be told from other data.
    """
    if isinstance(named, Ledger):
        return DatasetLedger(named, named.path is None and examples.is_public(source))
    if named is not None:
        return DatasetLedger(Path(named))
    if not private:
        return DatasetLedger(None)
    return DatasetLedger(None, True) if examples.is_public(source) else DatasetLedger(_beside(source))


def _beside(source: RowSource) -> Path:
    if not isinstance(source, str | os.PathLike):
        raise LedgerError(f"rows in memory have no folder to keep their ledger in; {_NAME_ONE}")
    text = os.fspath(source)
    if is_url(text):
        raise LedgerError(f"a table in a database has no folder to keep its ledger in; {_NAME_ONE}")
    resolved = Path(os.path.realpath(text))
    if resolved.exists() and not resolved.is_file() and not resolved.is_dir():
        raise LedgerError(f"{text}: a pipe or a device has no folder to keep its ledger in; {_NAME_ONE}")
    found = resolved.with_name(resolved.name + SUFFIX)
    _check_no_other(Path(f"{text.rstrip('/') or text}{SUFFIX}"), found)
    folder = found.parent
    if folder.is_dir() and not os.access(folder, os.W_OK | os.X_OK):
        raise LedgerError(f"{folder}: its ledger cannot be kept there (no write permission); {_NAME_ONE}")
    if not os.path.lexists(found):
        _check_not_lost(found)
        _check_one_name(resolved, found)
        _check_not_renamed(resolved, found)
    return found


def _check_not_lost(new: Path) -> None:
    """Answers of unfinished fits lie beside the ledger that they were charged to."""
    answers = new.with_name(new.name + ANSWERS)
    if answers.is_dir() and any(answers.iterdir()):
        raise LedgerError(
            f"{new} is gone, but {answers.name} holds answers that were charged to it: restore the ledger from a copy"
        )


def _check_one_name(data: Path, new: Path) -> None:
    """A file with other names may have its ledger beside one of them."""
    if data.is_file() and data.stat().st_nlink > 1:
        raise LedgerError(
            f"{data} has {data.stat().st_nlink} names (hard links), and a ledger may lie beside another of them: name"
            f" that one with ledger= (--ledger); if none was ever charged for these rows, name {new}"
        )


def _check_not_renamed(data: Path, new: Path) -> None:
    """A ledger whose data are gone may be that of these rows, under an earlier name.

    One without a suffix, as people give to a ledger that they name themselves, counts only where the data have none.
    """
    folder = data.parent
    others = sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else []
    for ledger in others:
        was = ledger.with_name(ledger.name.removesuffix(SUFFIX))
        alike = bool(was.suffix) == bool(data.suffix) or (bool(was.suffix) and data.is_file())
        if alike and not os.path.lexists(was) and is_database(ledger):
            raise LedgerError(
                f"{ledger} is the ledger of {was.name}, which is gone: if {data.name} holds the same rows, rename the"
                f" ledger to {new.name}, or name it with ledger= (--ledger); if it holds other people's, name {new}"
            )


def _check_no_other(unresolved: Path, found: Path) -> None:
    """A ledger beside a symbolic link holds charges of the same rows, which would not be added up."""
    if unresolved.exists() and Path(os.path.realpath(unresolved)) != Path(os.path.realpath(found)):
        raise LedgerError(
            f"{unresolved} holds charges of the same rows, whose ledger is {found}: name the one that counts with"
            " ledger= (--ledger), and keep only that"
        )
