"""What the rows of a ledger's file say, and what its runs were charged: found again from the events, never believed."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from typing import TypeAlias

from sfumato.errors import LedgerError
from sfumato.privacy.events import Event, from_json
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.process import HolderProcess
from sfumato.privacy.spending import Spending

LedgerCell: TypeAlias = "int | float | str | bytes | None"
"""What a cell of the file may hold, whatever it should hold."""

LEAST_BOOKED = 0.95
"""Part of an event's cost that its charge must show: what another version of the accountant may find, and no less."""


class Account:
    """The sum of each run's charges. Each charge is read and priced once, so that a charge costs as much as the first.

    *Formal guarantee.* A charge counts as what its event costs, or as what was booked for it where that is more: no
    figure that stands in the file can lower what was spent.
    """

    def __init__(self) -> None:
        self._last = 0
        self._runs: defaultdict[int, Spending] = defaultdict(Spending)

    def read(self, db: sqlite3.Connection) -> None:
        """Take in the charges that were made since the last time; LedgerError where one cannot be true."""
        found = db.execute(
            "SELECT id, run, event, mu_squared, delta FROM charge WHERE id > ? ORDER BY id", (self._last,)
        )
        for number, run, text, *booked in found.fetchall():
            self._runs[run] += cost_of(run, event_of(text), booked)
            self._last = number

    def of(self, run: int) -> Spending:
        """What one run was charged."""
        return self._runs[run]

    def total(self, without: int) -> Spending:
        """What all runs but one were charged."""
        return sum((charged for run, charged in self._runs.items() if run != without), Spending())


def cost_of(run: int, event: Event, booked: Sequence[LedgerCell]) -> Spending:
    """What a charge counts as; LedgerError where what was booked is no cost, or less than the event costs."""
    costs = [part for part in booked if isinstance(part, float | int) and part >= 0]
    if len(costs) < len(booked):
        raise LedgerError(f"run {run} holds a charge whose cost is no number; restore the file from a copy")
    cost = Spending.of([event])
    mu_squared, delta = costs
    if mu_squared < LEAST_BOOKED * cost.mu_squared or delta < LEAST_BOOKED * cost.delta:
        raise LedgerError(f"run {run} holds a charge that was booked for less than it costs; restore the file")
    return Spending(max(mu_squared, cost.mu_squared), max(delta, cost.delta))


def event_of(text: str) -> Event:
    """The event of a charge; LedgerError where it is none."""
    try:
        return from_json(json.loads(text))
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise LedgerError(f"the ledger holds a charge that cannot be read: {error}; restore it from a copy") from None


def guarantee_of(fields: Sequence[LedgerCell]) -> Guarantee:
    """The promise of a run or of the cap; LedgerError where it is none."""
    try:
        match fields:
            case [int() | float() as epsilon, int() | float() as delta, str() as unit, "add/remove"]:
                return Guarantee(epsilon, delta, unit)
    except ValueError:
        pass  # a number out of range
    raise LedgerError("the ledger holds a promise that is none; restore it from a copy")


def process_of(text: str) -> HolderProcess:
    """Which process held a run; LedgerError where none is named."""
    try:
        facts = json.loads(text)
        if isinstance(facts["pid"], int) and isinstance(facts["host"], str):
            return facts
    except (ValueError, TypeError, LookupError, RecursionError):
        pass
    raise LedgerError("the ledger holds a run whose process cannot be read; restore it from a copy")
