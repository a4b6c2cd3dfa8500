"""The ledger's file: its tables, its format number, and SQLite's errors in words a user can act on."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from sfumato.errors import LedgerError
from sfumato.privacy.guarantee import Guarantee

FORMAT = 2
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
CREATE INDEX cost_of_run ON charge (run, mu_squared, delta);
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {FORMAT};
"""


def draw_id() -> str:
    """A ledger's id, or a lease: 128 random bits, so that no two are ever the same."""
    return secrets.token_hex(16)


def connect(file: Path | None, cap: Guarantee, timeout: float) -> tuple[sqlite3.Connection, str, Guarantee]:
    """Open the file (None: memory), laying it out with ``cap`` if it is empty; the connection, its id and its cap.

    The journal is SQLite's rollback journal with ``synchronous=EXTRA``: a committed transaction survives a kill and a
    power cut, in this one file.
    """
    with clear_errors(file):
        connection = sqlite3.connect(
            ":memory:" if file is None else file, timeout, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA synchronous = EXTRA")
            return connection, *_prepare(connection, file, cap)
        except BaseException:
            connection.close()
            raise


def _prepare(db: sqlite3.Connection, file: Path | None, cap: Guarantee) -> tuple[str, Guarantee]:
    """Check the format, or lay out an empty database or an older format in one transaction; the file's id and cap."""
    db.execute("BEGIN IMMEDIATE")
    try:
        application = db.execute("PRAGMA application_id").fetchone()[0]
        version = db.execute("PRAGMA user_version").fetchone()[0]
        tables = db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]
        if application == 0 and version == 0 and tables == 0:
            _lay_out(db)
            db.execute("INSERT INTO cap VALUES (?, ?, ?, ?, ?)", (draw_id(), *asdict(cap).values()))
        elif application != APPLICATION:
            raise LedgerError(f"{file} is a database, but no sfumato ledger")
        elif version > FORMAT:
            raise LedgerError(f"{file} has ledger format {version}; this version reads up to {FORMAT}: upgrade sfumato")
        elif version < FORMAT:
            from sfumato.privacy.ledger_migration import migrate

            migrate(db, lambda: _lay_out(db), draw_id)
        id_, *found = db.execute("SELECT ledger, epsilon, delta, unit, neighbours FROM cap").fetchone()
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    return id_, Guarantee(*found)


def _lay_out(db: sqlite3.Connection) -> None:
    for statement in _SCHEMA.split(";"):
        db.execute(statement)


@contextmanager
def clear_errors(file: Path | None) -> Iterator[None]:
    """Turn SQLite's errors into one line that names the file and the mend."""
    try:
        yield
    except sqlite3.OperationalError as error:
        code = error.sqlite_errorcode & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise LedgerError(f"the ledger {file} is locked by another process; try again when it is done") from error
        if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
            raise LedgerError(f"the ledger {file} cannot be written; check the folder and its permissions") from error
        raise LedgerError(f"the ledger {file} cannot be used: {error}") from error
    except sqlite3.DatabaseError as error:
        raise LedgerError(f"{file} is no ledger, or it is damaged: {error}; restore it from a copy") from error
