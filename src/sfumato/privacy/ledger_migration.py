"""Ledgers of format 1, brought to the present format in the transaction that opens them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import replace

from sfumato.privacy.events import Event, PoissonSampledGaussian, to_json
from sfumato.privacy.ledger_account import event_of
from sfumato.privacy.spending import TAIL_SHARE, Spending

_OLD = ("cap", "run", "charge")


def migrate(db: sqlite3.Connection, lay_out: Callable[[], None], draw_id: Callable[[], str]) -> None:
    """Move every run and charge from the tables of format 1 to those that ``lay_out`` makes; within a transaction.

    ``draw_id`` draws the ledger's id, and the leases of runs that were not closed.

    Format 1 composed sampled steps by their loss distributions and charged them in pieces. Here the pieces of one
    training (one rate, one noise) become the one charge that they are, at its cost for the present filter: what was
    charged stays charged, and may exceed what the filter would have let pass. Runs that were not closed are held by
    the process that format 1 knew.
    """
    db.execute("DROP INDEX IF EXISTS charge_of_run")
    db.execute("DROP INDEX IF EXISTS other_charge_of_run")
    for table in _OLD:
        db.execute(f"ALTER TABLE {table} RENAME TO old_{table}")
    lay_out()
    db.execute("INSERT INTO cap SELECT ?, epsilon, delta, unit, neighbours FROM old_cap", (draw_id(),))
    for run, closed, delta in db.execute("SELECT id, closed, delta FROM old_run ORDER BY id").fetchall():
        charges = db.execute("SELECT id, event, at FROM old_charge WHERE run = ? ORDER BY id", (run,)).fetchall()
        events = _merged([(number, event_of(text), at) for number, text, at in charges], TAIL_SHARE * delta)
        steps = sum(e.count for _, e, _ in events if isinstance(e, PoissonSampledGaussian))
        db.execute(
            "INSERT INTO run SELECT id, label, epsilon, delta, unit, neighbours, process, ?, ?, began, closed"
            " FROM old_run WHERE id = ?",
            (None if closed else draw_id(), steps, run),
        )
        for number, event, at in events:
            cost = Spending.of([event])
            row = (number, run, json.dumps(to_json(event)), cost.mu_squared, cost.delta, at)
            db.execute("INSERT INTO charge VALUES (?, ?, ?, ?, ?, ?)", row)
    for table in reversed(_OLD):
        db.execute(f"DROP TABLE old_{table}")


def _merged(charges: Iterable[tuple[int, Event, str]], tail: float) -> list[tuple[int, Event, str]]:
    """The charges, with the pieces of each training in place of the first of them; the trainings share the tail."""
    merged: dict[object, tuple[int, Event, str]] = {}
    for number, event, at in charges:
        if isinstance(event, PoissonSampledGaussian):
            key = (event.sampling_probability, event.noise_multiplier)
            first = merged.get(key)
            if first is not None and isinstance(first[1], PoissonSampledGaussian):
                merged[key] = (first[0], replace(first[1], count=first[1].count + event.count), first[2])
                continue
            merged[key] = (number, event, at)
        else:
            merged[number] = (number, event, at)
    trainings = sum(isinstance(e, PoissonSampledGaussian) for _, e, _ in merged.values())
    return [
        (number, replace(e, tail=tail / trainings) if isinstance(e, PoissonSampledGaussian) else e, at)
        for number, e, at in merged.values()
    ]
