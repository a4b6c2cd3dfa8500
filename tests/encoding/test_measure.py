"""Measured facts are concluded from noised answers alone, and are good where the signal is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pytest

from sfumato.encoding.codec import Codec
from sfumato.encoding.measure import NoisyHistogram, categories, covered, label_counts, measure_facts, preliminary
from sfumato.errors import SchemaError
from sfumato.progress import Silent
from sfumato.schema import (
    CategoryColumn,
    DateColumn,
    DatetimeColumn,
    IntegerColumn,
    RealColumn,
    Schema,
    TextColumn,
)
from sfumato.tables import Rows
from sfumato.trust.gathering import bound_of, gather
from sfumato.trust.setting import Query

SCHEMA = Schema(
    nulls=("", "?"),
    columns=(
        IntegerColumn(name="age", source="measured"),
        RealColumn(name="wage", source={"bounds": "measured"}, nullable=True),
        DateColumn(name="born", source="measured"),
        DatetimeColumn(name="seen", source="measured", tz="UTC"),
        CategoryColumn(name="town", source="measured", outside="other"),
        CategoryColumn(name="sex", categories=("F", "M")),
    ),
)


@dataclass
class InMemory:
    """Answers about a table in memory, with noise of one scale; remembers what it was asked."""

    table: pa.Table
    sigma: float
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))
    asked: list[str] = field(default_factory=list)

    def histograms(self, codec: Codec) -> Sequence[NoisyHistogram]:
        self.asked += codec.domain.names
        codes = codec.encode(self.table)
        exact = [np.bincount(codes[:, i], minlength=size) for i, size in enumerate(codec.domain.sizes)]
        return [NoisyHistogram(c + np.rint(self.rng.normal(0, self.sigma, len(c))), self.sigma) for c in exact]

    def keys(self, columns: Sequence[str]) -> Mapping[str, Mapping[str, float]]:
        self.asked += columns
        shown = {}
        for name in columns:
            counts = label_counts(self.table[name].combine_chunks(), SCHEMA.null_markers(SCHEMA.column(name)))
            noisy = {label: c + self.rng.normal(0, self.sigma) for label, c in counts.items()}
            shown[name] = {label: c for label, c in noisy.items() if c > 6 * self.sigma}
        return shown


def people(n: int = 20_000) -> pa.Table:
    rng = np.random.default_rng(1)
    days = rng.integers(0, 20_000, n)
    towns = rng.choice(["Delft", "Ede", "?", ""], n, p=[0.5, 0.4, 0.05, 0.05])
    towns[17] = "ZEBRA"
    return pa.table(
        {
            "age": rng.integers(18, 91, n),
            "wage": pa.array(rng.gamma(4, 7, n), mask=rng.random(n) < 0.1),
            "born": [dt.date(1950, 1, 1) + dt.timedelta(int(d)) for d in days],
            "seen": [f"2020-{d % 12 + 1:02}-01T10:00:00" for d in days],
            "town": towns,
            "sex": rng.choice(["F", "M"], n),
        }
    )


def test_facts_are_found_and_settle_the_schema() -> None:
    source = InMemory(people(), sigma=10)
    facts = measure_facts(SCHEMA, source)
    assert source.asked == ["age", "wage", "born", "seen", "town"]
    codec = Codec.from_schema(SCHEMA, facts)
    assert codec.schema.measured() == ()
    bounds = {c.name: c.bounds for c in codec.schema.columns if not isinstance(c, CategoryColumn)}  # type: ignore[union-attr]
    assert bounds["age"] == (18, 90)
    low, high = bounds["wage"]
    assert 0 <= low <= 8
    assert 60 <= high <= 120
    assert bounds["born"] == (dt.date(1950, 1, 1), dt.date(2004, 12, 31))
    assert bounds["seen"][0].year == bounds["seen"][1].year == 2020
    assert facts["town"].categories == ("Delft", "Ede")
    encoded = codec.encode_rows(people())
    back = codec.decode(encoded.codes, np.random.default_rng(0))
    assert set(back["town"].to_pylist()) == {"Delft", "Ede", "OTHER", None}
    assert 1 <= encoded.outside.sum() < 0.01 * len(people())
    assert Codec.from_json(codec.to_json()) == codec


def test_a_single_outlier_moves_no_bound() -> None:
    rows = people()
    far = rows.set_column(0, "age", pa.array([*rows["age"].to_pylist()[:-1], 987_654_321]))
    for sigma in (5.0, 50.0):
        a, b = (measure_facts(SCHEMA, InMemory(t, sigma)) for t in (rows, far))
        assert a["age"] == b["age"]


def test_nothing_is_asked_where_all_is_declared() -> None:
    source = InMemory(people(), sigma=1)
    declared = Schema(columns=(IntegerColumn(name="age", bounds=(0, 9)),))
    assert preliminary(declared) is None
    assert measure_facts(declared, source) == {}
    assert source.asked == []


def test_an_open_fact_stops_the_codec() -> None:
    with pytest.raises(SchemaError, match="'age': its bounds are to be measured"):
        Codec.from_schema(SCHEMA)


def test_labels_too_rare_to_show_say_so() -> None:
    with pytest.raises(SchemaError, match=r"'town'.*declare its categories"):
        categories("town", {})


def test_pure_noise_rarely_stands_out() -> None:
    """1/40 for all blocks, 0.0062 for each of at most 18 adjoining: of 400, 95 have probability below 1e-6."""
    rng = np.random.default_rng(3)
    counts = np.rint(rng.normal(0, 20, (400, 600)))
    counts[:, 100] += 10_000
    assert sum(covered(c, 20.0) != (100, 101) for c in counts) < 95


def test_spread_out_mass_is_seen_in_blocks_where_no_single_bin_stands_out() -> None:
    rng = np.random.default_rng(4)
    counts = rng.normal(0, 20, 1000)
    counts[256:512] += 30
    first, end = covered(counts, 20.0)
    assert 240 <= first <= 272
    assert 496 <= end <= 520


def test_exact_counts_and_empty_histograms() -> None:
    assert covered(np.array([0.0, 0, 3, 0, 1, 0]), 0.0) == (2, 5)
    assert covered(np.zeros(8), 1.0)[0] >= 0
    assert covered(np.array([5.0]), 1.0) == (0, 1)


OWN_NULLS = """sfumato: schema/1
unit: {column: id, max_rows: 5, source: public}
nulls: ["", NA]
columns:
  id: {%s, nullable: true, source: public}
  x: {kind: integer, source: {bounds: measured, rest: public}}
"""
UNITS = {
    "identifier": "kind: identifier",
    "own nulls": 'kind: identifier, nulls: [""]',
    "no nulls": "kind: identifier, nulls: []",
    "more nulls": "kind: identifier, nulls: [a, b]",
    "category": "kind: category, categories: [NA, a], outside: other",
    "integer": 'kind: integer, bounds: [0, 9], nulls: ["7"]',
}


def kept_of(schema: Schema, ids: list[str | None]) -> list[bool]:
    bound = bound_of(schema)
    assert bound is not None
    return bound.keep(pa.array(ids)).to_pylist()


@pytest.mark.parametrize("unit", UNITS)
def test_units_of_the_search_are_those_of_the_fit(unit: str) -> None:
    schema = Schema.parse(OWN_NULLS % UNITS[unit])
    search = preliminary(schema)
    assert search is not None
    ids = ["NA", "", "a", "7", None, "b"] * 4
    assert kept_of(search.schema, ids) == kept_of(schema, ids)


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_adds_its_rows_to_a_search_and_moves_no_other(unit: str) -> None:
    schema = Schema.parse(OWN_NULLS % UNITS[unit])
    search = preliminary(schema)
    assert search is not None

    def counts(ids: list[str | None], values: list[int]) -> np.ndarray:
        table = pa.table({"id": pa.array(ids, pa.string()), "x": values})
        return gather(Rows.open(table), search, Silent()).table(Query((0,)))

    others, own = [""] * 50, ["NA"] * 5
    without = counts([*others], [10**6] * 50)
    if kept_of(schema, ["NA"] * 5 + [""] * 5)[5]:  # two units
        assert np.abs(counts([*own, *others], [1] * 5 + [10**6] * 50) - without).sum() <= 5


def test_a_search_that_forgets_the_nulls_of_a_unit_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sfumato.encoding.measure.TextColumn", Forgetful)
    for test in (
        test_units_of_the_search_are_those_of_the_fit,
        test_a_unit_adds_its_rows_to_a_search_and_moves_no_other,
    ):
        with pytest.raises(AssertionError):
            test("own nulls")


class Forgetful(TextColumn):
    """The fault as it was: a column beside the search kept its name alone."""

    def __init__(self, name: str, nulls: tuple[str, ...]) -> None:
        del nulls
        super().__init__(name=name)
