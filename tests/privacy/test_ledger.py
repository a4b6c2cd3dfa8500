"""The ledger: charged before released, never overdrawn, never lost."""

from __future__ import annotations

import json
import math
import os
import sqlite3
import stat
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from sfumato.encoding.codec import Codec
from sfumato.errors import LedgerError, Overdraft
from sfumato.privacy import accounting
from sfumato.privacy.events import (
    DiscreteGaussian,
    Exponential,
    Gaussian,
    PoissonSampledGaussian,
    Threshold,
    from_json,
)
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import DEFAULT_CAP, Ledger
from sfumato.privacy.spending import Spending
from sfumato.progress import Silent
from sfumato.schema import Schema
from sfumato.tables import Rows
from sfumato.trust.gathering import gather
from sfumato.trust.setting import Query

ONE = Guarantee(1.0, 1e-9)


def nth_part(guarantee: Guarantee, n: int) -> Gaussian:
    """An event of which a guarantee affords exactly ``n``."""
    return Gaussian(math.sqrt(n) / accounting.mu_for(guarantee) * (1 + 1e-9))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "people.ledger"


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_run_spends_exactly_its_guarantee(path: Path, in_memory: bool) -> None:
    with Ledger.open(None if in_memory else path) as ledger:
        run = ledger.begin(ONE, "fit")
        for _ in range(20):
            run.charge(nth_part(ONE, 20))
        with pytest.raises(Overdraft, match=r"nothing was released: the run's epsilon 1 at delta 1e-09 per row"):
            run.charge(Gaussian(100.0))
        assert run.events == (nth_part(ONE, 20),) * 20
        assert Spending.of(run.events).mu == pytest.approx(accounting.mu_for(ONE))
        assert 0.98 < accounting.epsilon(run.events, ONE.delta) <= 1


def test_several_events_are_charged_together_or_not_at_all() -> None:
    run = Ledger.open().begin(ONE, "fit")
    with pytest.raises(Overdraft):
        run.charge(Gaussian(100.0), Gaussian(1.0))
    assert run.events == ()
    run.charge(Gaussian(100.0), DiscreteGaussian(100.0))
    assert len(run.events) == 2


def test_the_cap_holds_over_runs_and_processes(path: Path) -> None:
    cap = Guarantee(2.0, 1e-9)
    for _ in range(3):  # three times (1, 1e-9) compose to (1.77, 1e-9)
        with Ledger.open(path, cap) as ledger, ledger.begin(ONE, "fit") as run:
            run.charge(nth_part(ONE, 1))
    with Ledger.open(path) as ledger:
        assert ledger.cap == cap
        with pytest.raises(Overdraft, match=r"does not fit: other runs leave too little of the data set's cap"):
            ledger.begin(ONE, "fit")
        ledger.begin(Guarantee(0.1, 1e-9), "a small one")


def test_a_live_run_reserves_and_a_closed_one_gives_back(path: Path) -> None:
    ledger = Ledger.open(path, ONE)
    first = ledger.begin(ONE, "fit")
    first.charge(nth_part(ONE, 4))
    with pytest.raises(Overdraft):
        ledger.begin(Guarantee(0.5, 1e-9), "fit")
    first.close()
    first.close()
    second = ledger.begin(Guarantee(0.5, 1e-9), "fit")
    second.charge(nth_part(Guarantee(0.5, 1e-9), 1))
    with pytest.raises(LedgerError, match="this run is closed"):
        first.charge(Gaussian(1000.0))


def test_sampled_steps_and_thresholds_count_towards_run_and_cap(path: Path) -> None:
    ledger = Ledger.open(path, Guarantee(1.2, 1e-6))
    promise = Guarantee(1.0, 1e-6)
    z = accounting.poisson_noise_multiplier(0.05, 100, accounting.mu_for(promise), 1e-8)
    steps = PoissonSampledGaussian(0.05, z, 100, tail=1e-8)
    run = ledger.begin(promise, "fit --model vae")
    run.charge(steps)
    more = (replace(steps, count=5), Exponential(0.5), Threshold(900.0, 9000, 2e-7), Threshold(1e9, 10**10, 2e-7))
    for much in more:
        with pytest.raises(Overdraft):
            run.charge(much)
    run.close()
    with pytest.raises(Overdraft):
        ledger.begin(promise, "again")
    rest = ledger.begin(Guarantee(0.3, 1e-6), "little")
    rest.charge(Gaussian(20.0))
    spent = ledger.summary()["epsilon_spent"]
    assert 1.0 < spent <= 1.2


def test_dp_sgd_without_a_tail_costs_as_much_as_on_all_records() -> None:
    run = Ledger.open().begin(Guarantee(1.0, 1e-6), "fit")
    with pytest.raises(Overdraft):
        run.charge(PoissonSampledGaussian(0.05, 5.0, 100))
    run.charge(PoissonSampledGaussian(0.05, 5.0, 100, tail=1e-8))


def test_defaults_and_the_statement_of_account(path: Path) -> None:
    with Ledger.open(path) as ledger:
        assert ledger.cap == DEFAULT_CAP == Guarantee(10, 1e-5)
        run = ledger.begin(ONE, "fit adult.csv")
        run.charge(DiscreteGaussian(40.0, count=2))
        said = json.loads(json.dumps(ledger.summary()))
    assert said["cap"] == {"epsilon": 10, "delta": 1e-5, "unit": "row", "neighbours": "add/remove"}
    (entry,) = said["runs"]
    assert entry["label"] == "fit adult.csv"
    assert entry["state"] == "live"
    assert entry["events"] == [{"mechanism": "DiscreteGaussian", "sigma": 40.0, "sensitivity": 1, "count": 2}]
    assert entry["in_words"] == ["2 tables of counts with integer Gaussian noise, sigma 40"]
    assert entry["epsilon_composed"] == pytest.approx(accounting.epsilon(run_events(path), 1e-9))
    assert entry["epsilon_spent"] == pytest.approx(Spending.of(run_events(path)).epsilon(1e-9))
    assert entry["epsilon_composed"] < entry["epsilon_spent"] < said["cap"]["epsilon"]


def test_a_charge_that_was_booked_for_less_than_it_costs_is_found(path: Path) -> None:
    with Ledger.open(path) as ledger:
        run = ledger.begin(ONE, "fit")
        run.charge(Gaussian(100.0))
        ledger.summary()
        ledger._connection.execute("UPDATE charge SET mu_squared = mu_squared / 2")
        with pytest.raises(LedgerError, match="run 1 holds a charge that was booked for less than it costs"):
            ledger.summary()


def test_a_run_says_what_it_added_to_its_ledger(path: Path) -> None:
    cap = Guarantee(5.0, 1e-6)
    with Ledger.open(path, cap) as ledger, ledger.begin(ONE, "first") as first:
        first.charge(nth_part(ONE, 1))
        second = ledger.begin(ONE, "second")
        second.charge(nth_part(ONE, 2), Threshold(1e6, 10**7, 1e-12))
        found, empty = second.position, ledger.begin(Guarantee(0.1), "third").position
        assert (found.ledger, found.run, found.cap) == (ledger.id, 2, cap)
        assert found.before == Spending.of(first.events)
        assert found.after.mu_squared == pytest.approx(1.5 * accounting.mu_for(ONE) ** 2, rel=1e-6)
        assert found.after.delta == 1e-12
        assert found.epsilon_before is not None
        assert found.epsilon_after is not None
        assert 0 < found.epsilon_before < found.epsilon_after < cap.epsilon
        assert empty.before == empty.after == found.after
    assert len(Ledger.open(path).id) == 32
    assert Ledger.open(path).id == found.ledger != Ledger.open().id


def run_events(path: Path) -> tuple:
    with sqlite3.connect(path) as db:
        texts = [json.loads(text) for (text,) in db.execute("SELECT event FROM charge")]
    db.close()
    return tuple(from_json(t) for t in texts)


def test_a_run_without_guarantee_needs_a_ledger_without_cap(path: Path) -> None:
    with pytest.raises(Overdraft, match="a run without guarantee does not fit"):
        Ledger.open(path).begin(Guarantee(math.inf), "baseline")
    Ledger.open().begin(Guarantee(math.inf), "baseline").charge(Gaussian(1e-3))


@pytest.mark.parametrize(("cap", "run"), [("patient", "row"), ("row", "patient"), ("patient", "family")])
def test_a_cap_and_its_runs_have_one_unit(path: Path, cap: str, run: str) -> None:
    ledger = Ledger.open(path, Guarantee(1, 1e-9, unit=cap))
    with pytest.raises(LedgerError, match=f"people.ledger protects each {cap}; a guarantee per {run} cannot count"):
        ledger.begin(Guarantee(0.5, 1e-9, unit=run), "fit")
    assert ledger.summary()["runs"] == []
    ledger.begin(Guarantee(0.5, 1e-9, unit=cap), "fit").charge(Gaussian(100.0))
    Ledger.open().begin(Guarantee(0.5, 1e-9, unit=run), "fit")  # no cap: nothing is added up


def test_charges_of_another_unit_close_a_ledger(path: Path) -> None:
    """Those that an older version took in: what they cost per row is not known."""
    ledger = Ledger.open(path, Guarantee(1, 1e-9))
    with ledger.begin(Guarantee(0.2, 1e-9), "older") as older:
        ledger._connection.execute("UPDATE run SET unit = 'patient'")
        ledger.begin(Guarantee(0.2, 1e-9), "nothing was charged yet").close()
        older.charge(Gaussian(100.0))
        older.release()
    with pytest.raises(LedgerError, match="has a cap per row and charges of an older version per patient"):
        ledger.begin(Guarantee(0.2, 1e-9), "fit")
    with pytest.raises(LedgerError, match="protects each row; a guarantee per patient"):
        ledger.resume(older.id)


def test_a_run_per_person_says_nothing_per_row() -> None:
    """What a cap per row would promise of it: one row less moves two counts by one, where one was charged."""
    schema = Schema.parse(
        "sfumato: schema/1\nunit: {column: who, max_rows: 1, source: public}\nrows: unknown\ncolumns:\n"
        "  who: {kind: identifier, source: public}\n  x: {kind: category, categories: [a, b], source: public}\n"
    )

    def counts(who: list[int], x: str) -> np.ndarray:
        rows = Rows.open(pa.table({"who": who, "x": list(x)}))
        return gather(rows, Codec.from_schema(schema), Silent()).table(Query((0,)))

    moved = counts([1, 1, 2], "abb") - counts([1, 2], "bb")
    assert sorted(moved.ravel()) == [-1, 1]


def test_another_cap_is_refused(path: Path) -> None:
    Ledger.open(path, ONE).close()
    with pytest.raises(LedgerError, match="was made with a cap of epsilon 1, delta 1e-09 per row"):
        Ledger.open(path, Guarantee(5, 1e-9))


def test_a_missing_ledger_is_not_made_when_asked_to_read(path: Path) -> None:
    with pytest.raises(LedgerError, match="no ledger at"):
        Ledger.open(path, create=False)
    assert not path.exists()


@pytest.mark.parametrize("content", [b"id,age\n1,40\n" * 400, os.urandom(5000)])
def test_not_a_database(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(LedgerError, match="is no ledger, or it is damaged"):
        Ledger.open(path)
    assert path.read_bytes() == content


def test_another_database(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE t (a)")
    db.commit()
    db.close()
    with pytest.raises(LedgerError, match="is a database, but no sfumato ledger"):
        Ledger.open(path)


def test_a_newer_format(path: Path) -> None:
    Ledger.open(path).close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(LedgerError, match="has ledger format 99; this version reads up to 2: upgrade sfumato"):
        Ledger.open(path)


def test_a_damaged_ledger(path: Path) -> None:
    with Ledger.open(path) as ledger:
        run = ledger.begin(ONE, "fit")
        for _ in range(200):
            run.charge(Gaussian(1e4))
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xff" * 4096 + whole[8192:])
    with pytest.raises(LedgerError, match="is damaged"):
        Ledger.open(path)


def test_a_charge_of_an_unknown_mechanism(path: Path) -> None:
    with Ledger.open(path) as ledger:
        run = ledger.begin(ONE, "fit")
        run.charge(Gaussian(1e4))
        ledger._connection.execute('UPDATE charge SET event = \'{"mechanism": "Magic"}\'')
        with pytest.raises(LedgerError, match="a charge that cannot be read: unknown mechanism"):
            ledger.summary()


def test_a_folder_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="cannot be written; check the folder"):
        Ledger.open(tmp_path / "nowhere" / "people.ledger")


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes anywhere")
def test_an_unwritable_file(path: Path) -> None:
    Ledger.open(path).close()
    path.chmod(stat.S_IRUSR)
    with pytest.raises(LedgerError, match="cannot be written"):
        Ledger.open(path)


def test_a_ledger_locked_by_somebody_else(path: Path) -> None:
    Ledger.open(path).close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(LedgerError, match="is locked by another process; try again"):
            Ledger.open(path, timeout=0.1)
    finally:
        other.close()


def test_threads_share_one_run(path: Path) -> None:
    ledger = Ledger.open(path)
    run, won = ledger.begin(ONE, "fit"), []

    def spend() -> None:
        for _ in range(10):
            try:
                run.charge(nth_part(ONE, 25))
            except Overdraft:
                return
            won.append(1)

    threads = [threading.Thread(target=spend) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == len(run.events) == 25


def test_a_charge_on_disk_is_quick(path: Path) -> None:
    run = Ledger.open(path).begin(ONE, "fit")
    began = time.process_time()
    for _ in range(300):
        run.charge(Gaussian(1e4))
    assert (time.process_time() - began) / 300 < 0.005


def test_the_file_holds_nothing_but_promises_and_charges(path: Path) -> None:
    """Every column of every table is one of these, and none of them is a statistic of the rows."""
    with Ledger.open(path) as ledger:
        ledger.begin(ONE, "fit").charge(Gaussian(100.0))
    db = sqlite3.connect(path)
    found = {
        (table, column)
        for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        for _, column, *_ in db.execute(f"PRAGMA table_info({table})").fetchall()
    }
    db.close()
    promise = {"epsilon", "delta", "unit", "neighbours"}
    assert found == (
        {("cap", c) for c in promise}
        | {("cap", "ledger")}
        | {("run", c) for c in promise | {"id", "label", "process", "lease", "steps", "began", "closed"}}
        | {("charge", c) for c in ("id", "run", "event", "mu_squared", "delta", "at")}
    )


def test_a_mechanism_that_no_version_charges_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown mechanism"):
        from_json({"mechanism": "DiscreteLaplace", "scale": 10.0, "sensitivity": 1, "count": 1})
