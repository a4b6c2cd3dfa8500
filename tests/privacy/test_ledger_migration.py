"""Ledgers of format 1 keep every charge, at what it costs under the present filter."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from sfumato.errors import LedgerError, Overdraft
from sfumato.privacy import process
from sfumato.privacy.events import DiscreteGaussian, Event, Gaussian, PoissonSampledGaussian, Threshold, to_json
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger
from sfumato.privacy.spending import TAIL_SHARE, Spending

FORMAT_1 = """
CREATE TABLE cap (epsilon REAL NOT NULL, delta REAL NOT NULL, unit TEXT NOT NULL, neighbours TEXT NOT NULL);
CREATE TABLE run (
    id INTEGER PRIMARY KEY AUTOINCREMENT, label TEXT NOT NULL, epsilon REAL NOT NULL, delta REAL NOT NULL,
    unit TEXT NOT NULL, neighbours TEXT NOT NULL, reserved REAL NOT NULL, process TEXT NOT NULL,
    mu_squared REAL NOT NULL DEFAULT 0, delta_spent REAL NOT NULL DEFAULT 0, others INTEGER NOT NULL DEFAULT 0,
    began TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')), closed TEXT);
CREATE TABLE charge (
    id INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL REFERENCES run, event TEXT NOT NULL,
    closed_form INTEGER NOT NULL, at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')));
CREATE INDEX charge_of_run ON charge (run);
CREATE INDEX other_charge_of_run ON charge (run) WHERE NOT closed_form;
PRAGMA application_id = 0x53464D31;
PRAGMA user_version = 1;
"""
CAP = Guarantee(3.0, 1e-6)
TABLES: list[Event] = [DiscreteGaussian(60.0), Threshold(60.0, 500, 1e-10), DiscreteGaussian(80.0, 2, 3)]
PIECES: list[Event] = [PoissonSampledGaussian(0.05, 5.0, 12)] * 8


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Run 1 (closed) asked for tables; run 2 trained between two tables, in eight pieces, and was killed."""
    path = tmp_path / "people.ledger"
    gone = {"host": "h", "pid": 1, "started": "boot:1"}
    db = sqlite3.connect(path)
    db.executescript(FORMAT_1)
    db.execute("INSERT INTO cap VALUES (3.0, 1e-6, 'row', 'add/remove')")
    for label, where, closed in (("first", gone, "2026-01-02"), ("second", process.here() | {"pid": 2**22 + 1}, None)):
        db.execute(
            "INSERT INTO run (label, epsilon, delta, unit, neighbours, reserved, process, began, closed)"
            " VALUES (?, 1.0, 1e-7, 'row', 'add/remove', 0.04, ?, '2026-01-01', ?)",
            (label, json.dumps(where), closed),
        )
    for run, event in [*((1, e) for e in TABLES), *((2, e) for e in [TABLES[0], *PIECES, Gaussian(30.0)])]:
        fields = {k: v for k, v in to_json(event).items() if k not in ("tail", "delta") or isinstance(event, Threshold)}
        db.execute(
            "INSERT INTO charge (run, event, closed_form, at) VALUES (?, ?, 1, 'then')", (run, json.dumps(fields))
        )
    db.commit()
    db.close()
    return path


def test_every_charge_is_kept_and_a_training_becomes_one(old: Path) -> None:
    training = PoissonSampledGaussian(0.05, 5.0, 96, tail=TAIL_SHARE * 1e-7)
    with Ledger.open(old) as ledger:
        assert ledger.cap == CAP
        first, second = ledger.summary()["runs"]
        assert first["events"] == [to_json(e) for e in TABLES]
        assert second["events"] == [to_json(e) for e in (TABLES[0], training, Gaussian(30.0))]
        assert (first["state"], second["state"]) == ("closed", "dead")
        assert (first["label"], first["began"], first["closed"]) == ("first", "2026-01-01", "2026-01-02")
        run = ledger.resume(2)
        assert run.steps == 96
        spent = run.position
        assert spent.before == Spending.of(TABLES)
        assert spent.after.mu_squared == pytest.approx(Spending.of([*TABLES, *run.events]).mu_squared)
        with pytest.raises(Overdraft):
            run.charge(Gaussian(5.0))
    with Ledger.open(old) as again:
        assert again.id == spent.ledger
        assert again.begin(Guarantee(0.1, 1e-9), "next").id == 3


def test_a_ledger_that_cannot_be_moved_stays_as_it_was(old: Path) -> None:
    db = sqlite3.connect(old)
    db.execute("UPDATE charge SET event = '{}' WHERE id = 2")
    db.commit()
    db.close()
    before = old.read_bytes()
    with pytest.raises(LedgerError, match="holds a charge that cannot be read"):
        Ledger.open(old)
    assert old.read_bytes() == before


def test_the_layout_is_that_of_a_new_ledger(old: Path, tmp_path: Path) -> None:
    Ledger.open(old).close()
    Ledger.open(tmp_path / "new").close()

    def layout(path: Path) -> list[tuple]:
        with sqlite3.connect(path) as db:
            found = db.execute("SELECT type, name, sql FROM sqlite_master ORDER BY name").fetchall()
            marks = [db.execute(f"PRAGMA {name}").fetchone() for name in ("application_id", "user_version")]
        db.close()
        return [*found, *marks]

    assert layout(old) == layout(tmp_path / "new")
