"""The ledger's file: its tables, its format number, and SQLite's errors in words a user can act on."""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from urllib.parse import quote

from sfumato.atomic import appear
from sfumato.errors import LedgerError
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger_account import guarantee_of

FORMAT = 2
"""Of the file; earlier ones are moved to it when they are opened."""
APPLICATION = 0x53464D31  # in the SQLite header: tells a ledger from any other database

_SCHEMA = f"""
CREATE TABLE cap (
    ledger TEXT NOT NULL, epsilon REAL NOT NULL, delta REAL NOT NULL, unit TEXT NOT NULL, neighbours TEXT NOT NULL);
CREATE TABLE run (
    id INTEGER PRIMARY KEY AUTOINCREMENT, label TEXT NOT NULL, epsilon REAL NOT NULL, delta REAL NOT NULL,
    unit TEXT NOT NULL, neighbours TEXT NOT NULL, process TEXT NOT NULL, lease TEXT, steps INTEGER NOT NULL DEFAULT 0,
    began TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')), closed TEXT);
CREATE TABLE charge (
    id INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL REFERENCES run, event TEXT NOT NULL,
    mu_squared REAL NOT NULL, delta REAL NOT NULL, at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')));
CREATE INDEX cap_again ON cap (ledger, epsilon, delta, unit, neighbours);
CREATE INDEX run_again ON run (id, label, epsilon, delta, unit, neighbours, process, lease, steps, began, closed);
CREATE INDEX charge_again ON charge (run, id, event, mu_squared, delta, at);
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {FORMAT};
"""
"""The indices hold every fact once more, so that a bit that was turned in one of the two places is found."""

_JOURNALS = {
    "-journal": (bytes.fromhex("d9d505f920a163d7"), bytes(8)),
    "-wal": (bytes.fromhex("377f0682"), bytes.fromhex("377f0683")),
}
"""How the files begin that SQLite makes beside a database; a rollback journal with zeros until it is written out."""
_OLDER = {"cost_of_run": "CREATE INDEX cost_of_run ON charge (run, mu_squared, delta)"}
"""What files of this format from earlier versions hold in place of the indices above, which they are given."""


def draw_id() -> str:
    """A ledger's id, or a lease: 128 random bits, so that no two are ever the same."""
    return secrets.token_hex(16)


def connect(
    file: Path | None, cap: Guarantee, timeout: float, create: bool
) -> tuple[sqlite3.Connection, str, Guarantee]:
    """Open the file (None: memory), made with ``cap`` if it is missing; the connection, its id and its cap.

    The journal is SQLite's rollback journal with ``synchronous=EXTRA``: a committed transaction survives a kill and a
    power cut, in this one file.
    """
    with clear_errors(file):
        if file is None:
            connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            _fill(connection, cap)
        else:
            _check_place(file, create)
            if not file.exists():
                appear(file, lambda part: _make(part, cap))
            connection = sqlite3.connect(
                _uri(file, "rw"), timeout, isolation_level=None, check_same_thread=False, uri=True
            )
        try:
            connection.execute("PRAGMA synchronous = EXTRA")
            return connection, *_checked(connection, file)
        except BaseException:
            connection.close()
            raise


def _uri(file: Path, mode: str) -> str:
    """Absolute, lest SQLite read a meaning into the name."""
    return f"file:{quote(os.fsencode(os.path.realpath(file)))}?mode={mode}"


def _check_place(file: Path, create: bool) -> None:
    _check_journals(file)
    if not file.exists():
        if not create:
            raise LedgerError(f"no ledger at {file}")
        if os.path.islink(file):
            raise LedgerError(
                f"{file} is a link to {os.path.realpath(file)}, which is not there: mount or restore it; no ledger is"
                " begun behind a link"
            )
    elif not file.is_file():
        raise LedgerError(f"{file} is no file, and a ledger is one")
    elif file.stat().st_size == 0:
        raise LedgerError(
            f"{file} is empty, as a full disk leaves a ledger: restore it from a copy; if nothing was ever charged to"
            " it, delete it"
        )


def _check_journals(file: Path) -> None:
    """Refuse what SQLite would delete, or play back into a new file: it takes what bears these names for its own."""
    place = Path(os.path.realpath(file))
    for end, starts in _JOURNALS.items():
        beside = place.with_name(place.name + end)
        head = b""
        with suppress(OSError), beside.open("rb") as stream:  # another process may have ended with it just now
            head = stream.read(8)
        if head and not place.exists():
            raise LedgerError(
                f"there is no ledger at {file}, but {beside.name}, in which SQLite keeps what it is about to write:"
                " restore the ledger, or move that file away"
            )
        if head and not head.startswith(starts):
            raise LedgerError(f"{beside} lies where SQLite keeps its journal, and would be deleted: move it away")


def _make(part: Path, cap: Guarantee) -> None:
    connection = sqlite3.connect(_uri(part, "rwc"), isolation_level=None, uri=True)
    try:
        connection.execute("PRAGMA synchronous = EXTRA")
        _fill(connection, cap)
    finally:
        connection.close()


def _fill(db: sqlite3.Connection, cap: Guarantee) -> None:
    with _transaction(db):
        _lay_out(db)
        db.execute("INSERT INTO cap VALUES (?, ?, ?, ?, ?)", (draw_id(), *asdict(cap).values()))


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _checked(db: sqlite3.Connection, file: Path | None) -> tuple[str, Guarantee]:
    """The file's id and cap, once every byte that counts was found to be whole; older files are brought up to date."""
    with _transaction(db):
        application = db.execute("PRAGMA application_id").fetchone()[0]
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if application != APPLICATION:
            raise LedgerError(f"{file} is a database, but no sfumato ledger")
        if version > FORMAT:
            raise LedgerError(f"{file} has ledger format {version}; this version reads up to {FORMAT}: upgrade sfumato")
        if version not in (1, FORMAT):
            raise LedgerError(f"{file} is damaged (it is of a format that never was); restore it from a copy")
        (found,) = db.execute("PRAGMA integrity_check(1)").fetchone()
        if found != "ok":
            raise LedgerError(f"{file} is damaged ({' '.join(found.split())}); restore it from a copy")
        if version == 1:
            from sfumato.privacy.ledger_migration import migrate

            migrate(db, lambda: _lay_out(db), draw_id)
        _check_layout(db, file)
        caps = db.execute("SELECT ledger, epsilon, delta, unit, neighbours FROM cap").fetchall()
        if len(caps) != 1:
            raise LedgerError(f"{file} is damaged (it holds {len(caps)} caps); restore it from a copy")
    id_, *cap = caps[0]
    return id_, guarantee_of(cap)


def _check_layout(db: sqlite3.Connection, file: Path | None) -> None:
    """That the tables are those of a ledger and no charge is gone from their end; adds the indices where they lack."""
    wanted = {text.split()[2]: text for text in _statements() if text.startswith("CREATE")}
    rows = db.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'")
    found = {str(name): " ".join(str(text).split()) for name, text in rows.fetchall()}
    for name, text in wanted.items():
        if name not in found and text.startswith("CREATE INDEX"):
            db.execute(text)
            found[name] = text
    if {name: text for name, text in found.items() if _OLDER.get(name) != text} != wanted:
        raise LedgerError(f"{file} is damaged (its tables are not those of a ledger); restore it from a copy")
    given = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'charge'").fetchone() or (0,)
    if given != db.execute("SELECT IFNULL(MAX(id), 0) FROM charge").fetchone():
        raise LedgerError(f"{file} is damaged (it lacks its last charges); restore it from a copy")
    _check_no_gap(db, file)
    orphans = db.execute("SELECT COUNT(*) FROM charge WHERE run NOT IN (SELECT id FROM run)").fetchone()[0]
    if orphans:
        raise LedgerError(f"{file} is damaged (it holds charges of no run); restore it from a copy")


def _check_no_gap(db: sqlite3.Connection, file: Path | None) -> None:
    """That no charge is gone from between the others; only pieces of a training were ever joined to an earlier one."""
    gap = db.execute(
        "SELECT MIN(id) FROM charge AS later WHERE id > 1 AND NOT EXISTS (SELECT 1 FROM charge WHERE id = later.id - 1)"
    ).fetchone()[0]
    if (
        gap is not None
        and not db.execute(
            "SELECT COUNT(*) FROM charge WHERE id < ? AND event LIKE '%PoissonSampledGaussian%'", (gap,)
        ).fetchone()[0]
    ):
        raise LedgerError(f"{file} is damaged (it lacks charges between others); restore it from a copy")


def _statements() -> list[str]:
    return [" ".join(text.split()) for text in _SCHEMA.split(";") if text.strip()]


def _lay_out(db: sqlite3.Connection) -> None:
    for statement in _statements():
        db.execute(statement)


@contextmanager
def clear_errors(file: Path | None) -> Iterator[None]:
    """Turn SQLite's errors into one line that names the file and the fix."""
    try:
        yield
    except sqlite3.OperationalError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # Python's own have none
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise LedgerError(f"the ledger {file} is locked by another process; try again when it is done") from error
        if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
            raise LedgerError(f"the ledger {file} cannot be written; check the folder and its permissions") from error
        raise LedgerError(f"the ledger {file} cannot be used: {error}") from error
    except sqlite3.DatabaseError as error:
        raise LedgerError(f"{file} is no ledger, or it is damaged: {error}; restore it from a copy") from error
    except UnicodeDecodeError as error:  # SQLite quotes a name that is none
        raise LedgerError(f"{file} is damaged; restore it from a copy") from error
    except OSError as error:
        raise LedgerError(
            f"the ledger {file} cannot be used: {error.strerror or error}; check the folder and its permissions"
        ) from error
