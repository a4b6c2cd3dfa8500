"""Facts left to be measured: charged, within the budget, thresholded, and exact only without a guarantee."""

import math

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from sfumato.encoding.measure import MEASURED_SHARE, measure_facts
from sfumato.privacy.events import DiscreteGaussian, Threshold
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger
from sfumato.privacy.mechanisms.threshold import leak
from sfumato.privacy.randomness import SYSTEM, SeededEntropy
from sfumato.privacy.spending import DELTA_SHARE
from sfumato.progress import Silent
from sfumato.schema import CategoryColumn, IdentifierColumn, IdUnit, IntegerColumn, RowUnit, Schema
from sfumato.tables import Rows
from sfumato.trust.budget import Budget
from sfumato.trust.facts import THRESHOLD_SHARE, CentralFacts

GUARANTEE = Guarantee(epsilon=1, delta=1e-6)
CANARY = "ZEBRA"


def schema(unit=None):
    return Schema(
        unit=unit or RowUnit(),
        columns=(
            IdentifierColumn(name="id", source="public"),
            IntegerColumn(name="age", source={"bounds": "measured"}),
            CategoryColumn(name="town", source={"categories": "measured"}, outside="other"),
        ),
    )


def table(n=20_000):
    rng = np.random.default_rng(0)
    towns = rng.choice(["Delft", "Ede"], n)
    towns[0] = CANARY
    return pa.table({"id": np.arange(n) // 2, "age": rng.integers(20, 70, n), "town": towns})


def ask(guarantee, known, rows, entropy=SYSTEM):
    ledger = Ledger.open(None)
    run = ledger.begin(guarantee, "test")
    budget = Budget(run)
    return measure_facts(known, CentralFacts(Rows.open(rows), known, budget, Silent(), entropy)), run, budget


def test_facts_are_found_charged_and_the_rare_stays_hidden():
    """With one noise of all: bounds are wide where noise stands out, which it does in one of forty searches."""
    facts, run, budget = ask(GUARANTEE, schema(), table(), SeededEntropy(0))
    assert facts["town"].categories == ("Delft", "Ede")
    low, high = facts["age"].bounds
    assert -200 < low <= 20
    assert 69 <= high < 300
    assert [type(e) for e in run.events] == [DiscreteGaussian, Threshold]
    assert budget.remaining == pytest.approx(1 - MEASURED_SHARE, abs=1e-3)
    assert run.events[1].delta <= THRESHOLD_SHARE * GUARANTEE.delta < DELTA_SHARE * GUARANTEE.delta / 5


def test_the_unit_s_rows_scale_the_noise():
    by_row, *_ = ask(GUARANTEE, schema(), table())[1].events
    by_person, *_ = ask(
        Guarantee(1, 1e-6, unit="id"), schema(IdUnit(column="id", max_rows=4, source="public")), table()
    )[1].events
    assert by_person.sensitivity == 4
    assert by_person.sigma == pytest.approx(4 * by_row.sigma, rel=0.02)


def found(rows, unit, guarantee=GUARANTEE):
    """The labels of `town` that come out, with their counts, and the event that paid for them."""
    known = schema(unit)
    run = Ledger.open(None).begin(guarantee, "test")
    keys = CentralFacts(Rows.open(rows), known, Budget(run), Silent()).keys(["town"])["town"]
    return keys, run.events[-1]


def test_a_label_of_one_person_alone_stays_hidden_however_many_rows_that_person_has():
    """L18: 5,000 rows of one person count as that person's share of two; of many persons they come out."""
    common = ["Delft"] * 20_000
    people = np.concatenate([np.arange(20_000), np.full(5000, 20_000)])
    alone = pa.table({"id": people, "age": people % 90, "town": common + [CANARY] * 5000})
    unit = IdUnit(column="id", max_rows=2, source="public")
    assert set(found(alone, unit)[0]) == {"Delft"}
    shared = alone.set_column(0, "id", pa.array(np.arange(25_000)))
    assert set(found(shared, unit)[0]) == {"Delft", CANARY}


def test_counts_of_found_labels_carry_the_noise_that_was_paid_for():
    """L4: chi-square of 300 labels, two-sided, at one in a million; exact counts have none."""
    labels = np.repeat([f"town {i:03d}" for i in range(300)], 400)
    keys, event = found(
        pa.table({"id": np.arange(len(labels)), "age": np.arange(len(labels)) % 90, "town": labels}), None
    )
    assert len(keys) == 300
    noise = np.array(list(keys.values())) - 400
    low, high = stats.chi2.ppf([5e-7, 1 - 5e-7], len(noise))
    assert low <= (noise**2).sum() / event.sigma**2 <= high


def test_columns_share_the_delta_of_thresholds():
    """L13: two open columns take no more of delta than one."""
    towns = ["Delft", "Ede"] * 5000
    known = Schema(
        columns=tuple(
            CategoryColumn(name=name, source={"categories": "measured"}, outside="other") for name in ("one", "other")
        )
    )
    _, run, _ = ask(GUARANTEE, known, pa.table({"one": towns, "other": towns}))
    assert len(run.events) == 2
    assert sum(e.delta for e in run.events) <= THRESHOLD_SHARE * GUARANTEE.delta


def test_the_threshold_is_that_of_the_unit_s_rows():
    """L18: the event says how many rows a person may hold, and its delta covers keys that are all that person's."""
    _, event = found(table(), IdUnit(column="id", max_rows=4, source="public"))
    assert event.sensitivity == 4
    assert leak(event.sigma, event.threshold, 4) <= event.delta <= THRESHOLD_SHARE * GUARANTEE.delta


def test_without_a_guarantee_facts_are_exact_and_free():
    facts, run, _ = ask(Guarantee(math.inf, 1e-6), schema(), table())
    assert facts["town"].categories == ("Delft", "Ede", CANARY)
    assert run.events == ()


def test_nothing_is_asked_where_nothing_is_open():
    known = Schema(columns=(IntegerColumn(name="age", bounds=(0, 99), source="public"),))
    facts, run, _ = ask(GUARANTEE, known, table().select(["age"]))
    assert (facts, run.events) == ({}, ())


def test_a_threshold_of_one_would_show_the_canary(monkeypatch):
    """The planted bug: no threshold to speak of, and little noise; the canary comes out."""
    monkeypatch.setattr("sfumato.trust.facts.plan", lambda sigma, delta, sensitivity: Threshold(1e-3, 1, 0.5))
    monkeypatch.setattr("sfumato.trust.facts.release", lambda counts, event, entropy: dict(counts))
    monkeypatch.setattr(Budget, "charge", lambda self, events, squared=None: None)
    assert CANARY in ask(GUARANTEE, schema(), table())[0]["town"].categories
