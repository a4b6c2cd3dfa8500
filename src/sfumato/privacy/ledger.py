"""The ledger: what was ever spent on one data set, in one SQLite file shared by all runs and processes.

A charge is on disk before the answer it pays for exists: after a kill or a power cut the one file holds every charge
that was acknowledged (a write-ahead log would hold charges in a second file, which a copy can forget). The file holds
no statistic of the rows. What was spent is the sum of what the charged events cost, found again by every process that
opens the file; the costs that stand in it can only raise it.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from sfumato.errors import LedgerError, Overdraft
from sfumato.privacy import process
from sfumato.privacy.events import Event, to_json
from sfumato.privacy.guarantee import Guarantee, check_promise
from sfumato.privacy.ledger_account import Account, cost_of, event_of, guarantee_of, process_of
from sfumato.privacy.ledger_file import FORMAT, clear_errors, connect, draw_id
from sfumato.privacy.position import Position
from sfumato.privacy.spending import Spending, reserved
from sfumato.privacy.statement import AccountStatement, Begun, statement

DEFAULT_CAP = Guarantee(epsilon=10, delta=1e-5)
"""What a data set may cost in all when nobody said otherwise."""


class Ledger:
    """One data set's account; open it with :meth:`open`.

    Attributes:
        path: its file; None in memory.
        id: 32 hexadecimal digits that name it, drawn when it was made; a copy of the file bears the same.
        cap: most that all runs together may cost.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path | None, id_: str, cap: Guarantee) -> None:
        self._connection, self.path, self.id, self.cap = connection, path, id_, cap
        self._account = Account()
        self._lock = threading.RLock()
        weakref.finalize(self, connection.close)

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str] | None = None,
        cap: Guarantee | None = None,
        *,
        create: bool = True,
        timeout: float = 60.0,
    ) -> Ledger:
        """Open the ledger at ``path``, or a new one in memory for ``None``.

        Args:
            path: the file; made when missing, unless ``create`` is False.
            cap: most that all runs together may cost, fixed when the file is made. Default: ``DEFAULT_CAP`` for a
                file, no cap in memory. A cap other than the file's own is refused.
            create: whether a missing file is made, beside its place and then moved there: it is whole or not there.
            timeout: seconds to wait for other processes.

        Raises ``LedgerError``: no such file, unwritable, empty (what a full disk leaves), damaged (every fact stands
        twice in the file, and both are compared), not a ledger, locked, a newer format, another cap;
        ``SfumatoError``: a cap above ``guarantee.MOST_EPSILON`` or with a delta above ``guarantee.MOST_DELTA``.
        """
        file = None if path is None else Path(path)
        fresh = cap or (Guarantee(float("inf")) if file is None else DEFAULT_CAP)
        check_promise(fresh)
        connection, id_, found = connect(file, fresh, timeout, create)
        if cap is not None and found != cap:
            connection.close()
            raise LedgerError(
                f"{file} was made with a cap of epsilon {found.epsilon:g}, delta {found.delta:g} per {found.unit};"
                " leave the cap out, or name another file"
            )
        return cls(connection, file, id_, found)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """An exclusive transaction: committed durably at the end, rolled back on any exception."""
        with self._lock, clear_errors(self.path):
            self._account.read(self._connection)  # costs of DP-SGD take a while, so the file is not yet locked
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def begin(self, guarantee: Guarantee, label: str) -> Run:
        """Begin a run that may spend up to ``guarantee``, and reserve that much of the cap while it lives.

        Raises ``Overdraft`` when the cap has no room for it, ``LedgerError`` when the unit of the cap is another, or
        that of an earlier run, ``SfumatoError`` when its epsilon or the cap's is above ``guarantee.MOST_EPSILON``, or
        its delta above ``guarantee.MOST_DELTA``.
        """
        check_promise(guarantee)
        check_promise(self.cap)
        if self.cap.private and not guarantee.private:
            raise Overdraft(f"a run without guarantee does not fit under the data set's cap of {_words(self.cap)}")
        with self._transaction() as db:
            self._check_units(db, guarantee)
            if self.cap.private and not (self._spent(db) + reserved(guarantee)).within(self.cap):
                raise Overdraft(
                    f"{_words(guarantee)} does not fit: other runs leave too little of the data set's cap of"
                    f" {_words(self.cap)}"
                )
            lease = draw_id()
            row = db.execute(
                "INSERT INTO run (label, epsilon, delta, unit, neighbours, process, lease)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (label, *asdict(guarantee).values(), json.dumps(process.here()), lease),
            )
            return Run(self, int(row.lastrowid or 0), guarantee, lease)

    def resume(self, run: int, elsewhere: bool = False) -> Run:
        """Take over the interrupted run of that number, with all it has charged; its reservation stands again.

        Args:
            run: its number.
            elsewhere: the caller's word that its holder on another host (or in another container) has ended, which
                cannot be seen from here.

        Raises ``LedgerError`` when there is no such run, when it was closed, when its holder still lives (also in this
        process: it must be closed or released first), or when that cannot be told and ``elsewhere`` was not said.

        *Formal guarantee.* One holder at a time: the lease of the last one is void from here on, so that its next
        charge fails, and so does the keeping of an answer that it was making.
        """
        with self._transaction() as db:
            row = db.execute(
                "SELECT closed, lease, process, epsilon, delta, unit, neighbours FROM run WHERE id = ?", (run,)
            ).fetchone()
            if row is None:
                raise LedgerError(f"the ledger holds no run {run}")
            closed, held, where, *guarantee = row
            if closed is not None:
                raise LedgerError(f"run {run} was closed; begin a new one")
            self._check_units(db, guarantee_of(guarantee))
            if held is not None:
                _check_gone(run, process_of(where), elsewhere)
            lease = draw_id()
            db.execute("UPDATE run SET process = ?, lease = ? WHERE id = ?", (json.dumps(process.here()), lease, run))
            return Run(self, run, guarantee_of(guarantee), lease)

    def _check_units(self, db: sqlite3.Connection, guarantee: Guarantee) -> None:
        """That a cap, the run under it and all that was charged to it before have one unit.

        A run per person says nothing per row, also with one row a person: without that row another of hers is read in
        its place, which moves a sum by two records where one was charged. Nor does a run per row say much per person.
        """
        if not self.cap.private:
            return
        if guarantee.unit != self.cap.unit:
            raise LedgerError(
                f"the cap of {self._name()} protects each {self.cap.unit}; a guarantee per {guarantee.unit} cannot"
                " count towards it: name another ledger, or make one with a cap per"
                f" {guarantee.unit} (sfumato ledger FILE --cap-epsilon E --unit {guarantee.unit})"
            )
        others = db.execute(
            "SELECT unit FROM run WHERE unit != ? AND id IN (SELECT run FROM charge) LIMIT 1", (self.cap.unit,)
        ).fetchone()
        if others is not None:
            raise LedgerError(
                f"{self._name()} has a cap per {self.cap.unit} and charges of an older version per {others[0]}, which"
                " cannot be added up: name another ledger, and count what both have spent"
            )

    def _name(self) -> str:
        return "the ledger in memory" if self.path is None else str(self.path)

    def _spent(self, db: sqlite3.Connection, without: int = -1) -> Spending:
        """All runs but one together: a live run at what it reserved or charged, whichever is more."""
        self._account.read(db)
        total = self._account.total(without)
        for run, closed, lease, where, *guarantee in db.execute(
            "SELECT id, closed, lease, process, epsilon, delta, unit, neighbours FROM run WHERE id != ?", (without,)
        ).fetchall():
            if _state(closed, lease, where) == "live":
                own, kept = self._account.of(run), reserved(guarantee_of(guarantee))
                total += Spending(max(kept.mu_squared - own.mu_squared, 0.0), max(kept.delta - own.delta, 0.0))
        return total

    def _charge(self, run: Run, events: tuple[Event, ...]) -> None:
        costs = [Spending.of([event]) for event in events]  # of DP-SGD it takes a while, so the file is not yet locked
        more = sum(costs, Spending())
        with self._transaction() as db:
            self._check(db, run)
            self._account.read(db)
            own = self._account.of(run.id) + more
            if not own.within(run.guarantee):
                raise Overdraft(f"nothing was released: the run's {_words(run.guarantee)} does not cover it")
            if self.cap.private and not (own + self._spent(db, without=run.id)).within(self.cap):
                raise Overdraft(f"nothing was released: the data set's cap of {_words(self.cap)} does not cover it")
            db.executemany(
                "INSERT INTO charge (run, event, mu_squared, delta) VALUES (?, ?, ?, ?)",
                [(run.id, json.dumps(to_json(e)), c.mu_squared, c.delta) for e, c in zip(events, costs, strict=True)],
            )

    def _begin_steps(self, run: Run, last: int) -> None:
        with self._transaction() as db:
            self._check(db, run)
            db.execute("UPDATE run SET steps = ? WHERE id = ?", (last, run.id))

    def _steps(self, run: int) -> int:
        with self._lock, clear_errors(self.path):
            return int(self._connection.execute("SELECT steps FROM run WHERE id = ?", (run,)).fetchone()[0])

    @contextmanager
    def _held(self, run: Run) -> Iterator[None]:
        with self._transaction() as db:
            self._check(db, run)
            yield

    def _check(self, db: sqlite3.Connection, run: Run) -> None:
        """That the run goes on and this is its holder."""
        found = db.execute("SELECT closed, lease FROM run WHERE id = ?", (run.id,)).fetchone()
        if found is None or found[0] is not None:
            raise LedgerError("this run is closed; begin a new one")
        if found[1] != run._lease:
            raise LedgerError(
                f"nothing was released: run {run.id} was taken over by another process, or given back by this one"
            )

    def _close(self, run: Run) -> None:
        with self._transaction() as db:
            db.execute(
                "UPDATE run SET lease = NULL, closed = strftime('%Y-%m-%dT%H:%M:%fZ')"
                " WHERE id = ? AND lease = ? AND closed IS NULL",
                (run.id, run._lease),
            )

    def _release(self, run: Run) -> None:
        with self._transaction() as db:
            db.execute("UPDATE run SET lease = NULL WHERE id = ? AND lease = ?", (run.id, run._lease))

    def _position(self, run: int) -> Position:
        with self._transaction() as db:
            self._account.read(db)
            before = self._account.total(run)
            return Position(self.id, run, self.cap, before, before + self._account.of(run))

    def _events(self, run: int) -> tuple[Event, ...]:
        with self._lock, clear_errors(self.path):
            rows = self._connection.execute("SELECT event FROM charge WHERE run = ? ORDER BY id", (run,))
            return tuple(event_of(text) for (text,) in rows.fetchall())

    def summary(self) -> AccountStatement:
        """What was promised and spent, as plain mappings: the cap, the total, and every run with its events.

        ``state`` is ``live``, ``closed``, ``dead`` (its process is gone, or gave it back; what it charged counts) or
        ``elsewhere`` (held on another host, which cannot be seen from here). Raises ``LedgerError`` where a charge was
        booked for less than its event costs.
        """
        with self._lock, clear_errors(self.path):
            runs = self._connection.execute(
                "SELECT id, label, epsilon, delta, unit, neighbours, process, lease, began, closed FROM run ORDER BY id"
            ).fetchall()
            charges = self._connection.execute(
                "SELECT run, event, mu_squared, delta FROM charge ORDER BY id"
            ).fetchall()
        events = [(run, event_of(text), booked) for run, text, *booked in charges]
        counted = [(run, event, cost_of(run, event, booked)) for run, event, booked in events]
        return statement(FORMAT, self.id, self.cap, [_begun(*run) for run in runs], counted)

    def close(self) -> None:
        """Close the file; what was charged stays."""
        with self._lock:
            self._connection.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class Run:
    """One run's right to spend up to its guarantee, held by one holder at a time; made by :meth:`Ledger.begin`.

    Attributes:
        id: its number in the ledger.
        guarantee: the most it may spend.
    """

    def __init__(self, ledger: Ledger, id_: int, guarantee: Guarantee, lease: str) -> None:
        self._ledger, self.id, self.guarantee, self._lease = ledger, id_, guarantee, lease

    def charge(self, *events: Event) -> None:
        """Pay for releases that are about to be made: all of ``events``, or none.

        Durable when this returns, so call it *before* the answer exists. Raises ``Overdraft`` when the run's guarantee
        or the data set's cap would be exceeded, ``LedgerError`` when the ledger cannot be written, the run is closed or
        somebody else holds it by now; then nothing was charged, and nothing may be released.

        *Formal guarantee.* With every release preceded by its charge, all releases of the run together are
        (epsilon, delta)-DP for ``guarantee``, and all runs together for the ledger's cap, also when each event is
        chosen after seeing earlier answers: ``Spending`` is a valid privacy filter (the proof is in
        ``sampled_gaussian.mu``). A DP-SGD is one event, charged whole before its first step.
        """
        self._ledger._charge(self, events)

    def begin_steps(self, last: int) -> None:
        """Note, durably and before they are taken, that steps of DP-SGD up to the ``last`` of the run may be seen."""
        self._ledger._begin_steps(self, last)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep the run while something is read or written that belongs to its holder alone: an answer, a checkpoint.

        Nobody can take the run over meanwhile. Raises ``LedgerError`` at once when somebody has.
        """
        with self._ledger._held(self):
            yield

    @property
    def ledger(self) -> str:
        """The ``id`` of its ledger."""
        return self._ledger.id

    @property
    def steps(self) -> int:
        """How many steps of DP-SGD, of all its trainings, the run began."""
        return self._ledger._steps(self.id)

    @property
    def events(self) -> tuple[Event, ...]:
        """What was charged, in order."""
        return self._ledger._events(self.id)

    @property
    def position(self) -> Position:
        """What the run added to its ledger so far."""
        return self._ledger._position(self.id)

    def release(self) -> None:
        """Give the run back without ending it: it can be resumed, also by this process."""
        self._ledger._release(self)

    def close(self) -> None:
        """End the run: what it reserved but did not charge is free again.

        Closing twice does nothing, nor does closing a run that somebody else holds by now.
        """
        self._ledger._close(self)

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _state(closed: str | None, lease: str | None, where: str) -> str:
    if closed is not None:
        return "closed"
    facts = process_of(where)
    if lease is None or (process.visible(facts) and not process.alive(facts)):
        return "dead"
    return "live" if process.visible(facts) else "elsewhere"


def _begun(
    run: int, label: str, epsilon: float, delta: float, unit: str, neighbours: str, where: str, lease: str | None,
    began: str, closed: str | None,
) -> Begun:  # fmt: skip
    guarantee = guarantee_of((epsilon, delta, unit, neighbours))
    return Begun(run, label, _state(closed, lease, where), began, closed, guarantee)


def _check_gone(run: int, facts: process.HolderProcess, elsewhere: bool) -> None:
    """That the holder of the run has ended, as far as it can be told."""
    if process.alive(facts):
        whose = "this process" if facts == process.here() else f"process {facts['pid']}"
        raise LedgerError(f"run {run} still goes on in {whose}; end that first")
    if not process.visible(facts) and not elsewhere:
        raise LedgerError(
            f"run {run} was last held by process {facts['pid']} on {facts['host']}, which cannot be seen from here:"
            " make sure that it has ended, then take the run over with take_over (--take-over)"
        )


def _words(guarantee: Guarantee) -> str:
    return f"epsilon {guarantee.epsilon:g} at delta {guarantee.delta:g} per {guarantee.unit}"
