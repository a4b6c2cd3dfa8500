"""Codes and counts made inside a database equal those made in memory, to the last row."""

from __future__ import annotations

import datetime as dt
import gc
import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import ibis
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.encoding.hostile import CELLS, FACTS
from tests.engines import in_duckdb, in_postgres, postgres_server

from sfumato.encoding import expressions
from sfumato.encoding.codec import Codec
from sfumato.encoding.expressions import NotExpressible
from sfumato.encoding.measure import measure_facts
from sfumato.errors import SfumatoError, TableError
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger
from sfumato.progress import Silent
from sfumato.schema import IdUnit, Schema
from sfumato.tables import Rows
from sfumato.tables.databases import DatabaseTable
from sfumato.trust.budget import Budget
from sfumato.trust.database import DatabaseRecords, encoded_inside
from sfumato.trust.facts import CentralFacts
from sfumato.trust.gathering import gather
from sfumato.trust.records import Records
from sfumato.trust.setting import Query

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning")  # Ibis 12 on DuckDB 2

Engine = Callable[[pa.Table], Any]


@pytest.fixture(scope="module")
def postgres(debian_package: Callable[[str, str], str]) -> Iterator[Any]:
    with postgres_server(debian_package) as address:
        backend = ibis.connect(address)
        yield backend
        backend.disconnect()


@pytest.fixture(params=["duckdb", "postgres"])
def engine(request: pytest.FixtureRequest) -> Engine:
    if request.param == "duckdb":
        return in_duckdb
    backend = request.getfixturevalue("postgres")
    return lambda rows: in_postgres(rows, backend)


def codec_of(facts: str, rows: Rows, extra: str = "") -> Codec:
    number = f"  row: {{kind: integer, bounds: [0, 511], source: public}}\n  x: {{{facts}, source: public}}\n"
    schema = Schema.parse(f'sfumato: schema/1\nnulls: ["", "?"]\ncolumns:\n{number}{extra}', "schema.yaml")
    return Codec.from_schema(schema, types={f.name: f.type for f in rows.schema})


def numbered(cells: pa.Array) -> pa.Table:
    return pa.table({"row": pa.array(range(len(cells)), pa.int64()), "x": cells})


def by_row(records: DatabaseRecords | Records) -> np.ndarray:
    codes = records.matrix()
    return codes[np.argsort(codes[:, 0], kind="stable")]


def in_memory(rows: Rows, codec: Codec) -> Records:
    records = gather(Rows.open(pa.Table.from_batches(rows.batches())), codec, Silent())
    assert isinstance(records, Records)
    return records


def outcome(make: Callable[[], DatabaseRecords | Records]) -> tuple[list[list[int]], int]:
    records = make()
    return by_row(records).tolist(), records.outside


@dataclass
class Case:
    facts: str
    kind: pa.DataType
    cells: list[Any]


NAN, INFINITE = float("nan"), float("inf")
TEXTS = ["a", "A", "a ", " a", "é", "e\u0301", "", "?", None, "it's", 'q"', "x;y", "ß", "SS", "OTHER", "\\x61", "%"]
WHOLE = [0, -1, 1, 99, 100, 101, 5, 7, 2**53 + 1, 2**62, -(2**62), 2**63 - 1, -(2**63), None, 12_345, 999_999_999]
REAL = [0.0, -0.0, 0.05, 0.15, 0.25, 0.35, 1.5, 2.5, 0.1 + 0.2, 0.3, 1e-300, 1e300, NAN, INFINITE, -INFINITE, None]
DAYS = [dt.date(1, 1, 1), dt.date(1969, 12, 31), dt.date(1970, 1, 1), dt.date(2020, 2, 29), dt.date(9999, 12, 31), None]
MOMENTS = [
    *(dt.datetime(1969, 12, 31, 23, 59, 59, 999_999), dt.datetime(1970, 1, 1), dt.datetime(2021, 3, 28, 1, 30)),
    *(dt.datetime(2021, 3, 28, 0, 59, 59, 999_999), dt.datetime(2021, 10, 31, 0, 30), dt.datetime(2021, 10, 31, 1, 30)),
    *(dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1), None),
]
CLOCK = [dt.time(0), dt.time(23, 59, 59, 999_999), dt.time(12, 30), dt.time(11, 59, 59, 999_999), None]
MONEY = [Decimal(c) for c in ("0.00", "-0.01", "99.99", "100.00", "100.01", "12.50", "-9999.99", "9999.99")]

CASES = {
    "labels, other": Case(
        "kind: category, categories: [a, A, é, it's], nullable: true, outside: other", pa.string(), TEXTS
    ),
    "labels, missing": Case(
        "kind: category, categories: [a, 'a '], nullable: true, outside: missing", pa.string(), TEXTS
    ),
    "labels, refused": Case("kind: category, categories: [a], nullable: true", pa.string(), ["a", "b"]),
    "labels, null refused": Case("kind: category, categories: [a]", pa.string(), ["a", None]),
    "codes": Case('kind: category, categories: ["1", "01", "7"], nullable: true, outside: other', pa.int64(), WHOLE),
    "flags": Case('kind: category, categories: ["true", no], outside: other', pa.bool_(), [True, False]),
    "true": Case("kind: boolean, nullable: true", pa.bool_(), [True, False, None]),
    "true in numbers": Case("kind: boolean, nullable: true, outside: missing", pa.int16(), [0, 1, 2, -1, None]),
    "true in words": Case(
        "kind: boolean, nullable: true, outside: missing", pa.string(), ["yes", "NO", "tRue", "F", "0", "", "on", "ſ"]
    ),
    "true in labels": Case(
        "kind: boolean, labels: [n, Y], nullable: true, outside: missing", pa.string(), ["n", "Y", "y"]
    ),
    "narrow whole": Case("kind: integer, bounds: [0, 100], nullable: true", pa.int64(), WHOLE),
    "stepped whole": Case("kind: integer, bounds: [-10, 100], step: 5, nullable: true", pa.int64(), [*WHOLE, 2, 3, 8]),
    "wide whole": Case("kind: integer, bounds: [0, 1000000000], nullable: true", pa.int64(), WHOLE),
    "widest whole": Case(f"kind: integer, bounds: [{-(2**62)}, {2**62}], nullable: true", pa.int64(), WHOLE),
    "even whole": Case(
        "kind: integer, bounds: [3, 20000], scale: linear, outside: missing, nullable: true", pa.int64(), WHOLE
    ),
    "whole in reals": Case("kind: integer, bounds: [0, 100], nullable: true", pa.float64(), REAL),
    "whole in money": Case("kind: integer, bounds: [-1, 100], nullable: true", pa.decimal128(9, 2), MONEY),
    "tenths": Case("kind: real, bounds: [0, 2], step: 0.1, nullable: true", pa.float64(), REAL),
    "tenths in singles": Case("kind: real, bounds: [0, 2], step: 0.1, nullable: true", pa.float32(), REAL[:8]),
    "no step": Case("kind: real, bounds: [-1.7, 3.1], nullable: true", pa.float64(), REAL),
    "heavy": Case("kind: real, bounds: [0, 1000000], nullable: true, outside: missing", pa.float64(), REAL),
    "reals in whole": Case("kind: real, bounds: [-3, 9007199254740993], nullable: true", pa.int64(), WHOLE),
    "money": Case("kind: real, bounds: [0, 100], step: 0.01, nullable: true", pa.decimal128(9, 2), MONEY),
    "days": Case("kind: date, bounds: [1969-06-01, 2021-01-01], nullable: true", pa.date32(), DAYS),
    "days of moments": Case(
        "kind: date, bounds: [1969-12-31, 2021-03-28], nullable: true", pa.timestamp("us"), MOMENTS
    ),
    "moments": Case(
        "kind: datetime, bounds: [1969-12-31T00:00:00, 2021-10-31T00:30:00], nullable: true",
        pa.timestamp("us"),
        MOMENTS,
    ),
    "moments of days": Case("kind: datetime, bounds: [1960-01-01, 2021-10-31], nullable: true", pa.date32(), DAYS),
    "instants": Case(
        "kind: datetime, tz: Europe/Amsterdam, resolution: minute, nullable: true, outside: missing, "
        "bounds: [2021-03-28T00:00:00, 2021-10-31T03:00:00]",
        pa.timestamp("us", "UTC"),
        MOMENTS,
    ),
    "clock": Case("kind: time, resolution: minute, nullable: true", pa.time64("us"), CLOCK),
}


@pytest.mark.parametrize("name", CASES)
def test_tricky_cells_get_the_codes_that_they_get_in_memory(name: str, engine: Engine) -> None:
    case = CASES[name]
    rows = Rows.open(engine(numbered(pa.array(case.cells, case.kind))))
    codec = codec_of(case.facts, rows)
    expected = outcome(lambda: in_memory(rows, codec))
    assert outcome(lambda: encoded_inside(rows.source, codec)) == expected
    assert (len(expected[0]) < len(case.cells)) == ("refused" in name)


def test_the_end_of_a_day_is_its_last_moment_wherever_it_is_read(tmp_path: Path) -> None:
    """24:00, which DuckDB and PostgreSQL store, was left out of what came as a stream."""
    with duckdb.connect(tmp_path / "t.duckdb") as connection:
        connection.execute(
            "create table t as select 0::bigint as row, '24:00'::time as x union all select 1, time '12:30'"
        )
        rows = Rows.open(connection.sql("from t"))
        codec = codec_of("kind: time, resolution: minute", rows)
        streamed = outcome(lambda: gather(rows, codec, Silent()))
    stored = Rows.open(f"duckdb://{tmp_path}/t.duckdb?table=t")
    assert streamed == outcome(lambda: encoded_inside(stored.source, codec)) == ([[0, 97], [1, 51]], 0)


@pytest.mark.parametrize(
    ("kind", "value"),
    [("bit", "101"), ("interval", "1 day"), ("uhugeint", "340282366920938463463374607431768211455"), ("bignum", "5")],
)
def test_a_type_of_the_engine_alone_is_refused_before_a_row_is_read(tmp_path: Path, kind: str, value: str) -> None:
    """A bit string ended a fit by its second byte, and the largest number was read as the lowest bound."""
    with duckdb.connect(tmp_path / "t.duckdb") as connection:
        connection.execute(f"create table t as select '{value}'::{kind} as x")
        with pytest.raises(TableError, match=r"column 'x' is of type .*, which is not read; cast it to text"):
            Rows.open(connection.sql("from t"))
    with pytest.raises(TableError, match=r"column 'x' is of type .*, which is not read; cast it to text"):
        Rows.open(f"duckdb://{tmp_path}/t.duckdb?table=t")


@pytest.mark.parametrize("name", FACTS)
def test_hostile_text_gets_the_codes_that_each_cell_gets_alone(name: str, engine: Engine) -> None:
    cells = [cell for cell in CELLS if "\0" not in cell]  # PostgreSQL holds no NUL
    rows = Rows.open(engine(numbered(pa.array(cells))))
    codec = codec_of(f"{FACTS[name]}, nullable: true", rows)
    alone = []
    for i, cell in enumerate(cells):
        encoded = codec.columns["x"].encode(pa.array([cell]))
        alone += [] if encoded.refused is not None else [[i, int(encoded.codes[0])]]
    records = gather(rows, codec, Silent())
    assert by_row(records).tolist() == alone
    assert isinstance(records, DatabaseRecords) == ("boolean" in name or name == "category")


@settings(max_examples=6, deadline=None)
@given(st.data())
def test_no_float_at_an_edge_gets_another_code(data: st.DataObject) -> None:
    low = data.draw(st.floats(-1e6, 1e6, allow_nan=False))
    high = low + data.draw(st.sampled_from([0.5, 3.0, 1234.5, 1e9]))
    step = data.draw(st.sampled_from(["", ", step: 0.1", ", step: 0.003", ", step: 7.0"]))
    rows_of = numbered(pa.array([0.0]))
    codec = codec_of(f"kind: real, bounds: [{low!r}, {high!r}]{step}, nullable: true", Rows.open(rows_of))
    part = codec.columns["x"]
    edges = part.values(part.grid.edges[:: max(1, len(part.grid.edges) // 12)], None).to_numpy()  # type: ignore[attr-defined]
    middles = (edges[1:] + edges[:-1]) / 2
    near = np.concatenate([edges, middles])
    cells = np.concatenate([near, np.nextafter(near, -np.inf), np.nextafter(near, np.inf), [low, high, np.nan]])
    rows = Rows.open(in_duckdb(numbered(pa.array(cells[:512]))))
    assert outcome(lambda: encoded_inside(rows.source, codec)) == outcome(lambda: in_memory(rows, codec))


def people(n: int = 300) -> pa.Table:
    rng = np.random.default_rng(0)
    grade = rng.integers(1, 5, n)
    return pa.table(
        {
            "person": pa.array(rng.integers(0, 40, n)),
            "row": pa.array(np.arange(n)),
            "x": pa.array(rng.normal(50, 30, n)),
            "grade": pa.array(grade),
            "level": pa.array([None if i % 50 == 7 else f"L{g % 3}" for i, g in enumerate(grade)]),
        }
    )


COMBINED = """
  grade: {kind: integer, bounds: [1, 4], source: public}
  level: {kind: category, categories: [L0, L1, L2], nullable: true, source: public}
  person: {kind: identifier, source: public}
constraints:
  - {kind: fixed_combinations, columns: [grade, level], combinations: [["1", L1], ["2", L2], ["3", L0], ["4", L2]]}
"""


def both(engine: Engine) -> tuple[DatabaseRecords, Records]:
    rows = Rows.open(engine(people()))
    codec = codec_of("kind: real, bounds: [0, 100], step: 0.5", rows, COMBINED)
    inside = gather(rows, codec, Silent())
    assert isinstance(inside, DatabaseRecords)
    return inside, in_memory(rows, codec)


def test_counts_are_those_in_memory_also_through_groups_and_combinations(engine: Engine) -> None:
    inside, memory = both(engine)
    assert (len(inside), inside.outside) == (len(memory), memory.outside)
    assert memory.outside > 50
    np.testing.assert_array_equal(by_row(inside), by_row(memory))
    halves = np.arange(201) // 2
    queries = [
        Query((1,)),
        Query((1, 2)),
        Query((2,), (np.array([0, 0, 1, 1]),)),
        Query((1, 2), (halves, np.arange(4))),
    ]
    for query in queries * 2:
        np.testing.assert_array_equal(inside.table(query), memory.table(query))
    recode = [np.arange(512) // 7, halves, np.array([1, 0, 1, 0])]
    coarse, expected = inside.coarsened(recode), memory.coarsened(recode)
    assert coarse.domain == expected.domain
    again = [np.arange(74) // 2, np.arange(101) // 10, np.array([0, 1])]
    for a, b in ((coarse, expected), (coarse.coarsened(again), expected.coarsened(again))):
        np.testing.assert_array_equal(a.table(Query((1, 2))), b.table(Query((1, 2))))


def rows_kept_by_unit(engine: Engine) -> tuple[dict[Any, int], dict[Any, int]]:
    """How many rows of each unit are counted where four may be, and how many there are."""
    table = people()
    ids = table["person"].to_pylist()
    ids[:30] = [None] * 30
    table = table.set_column(0, "person", pa.array(ids, pa.int64()))
    rows = Rows.open(engine(table))
    schema = codec_of("kind: real, bounds: [0, 100]", rows, COMBINED).schema
    codec = Codec.from_schema(schema.model_copy(update={"unit": IdUnit(column="person", max_rows=4, source="public")}))
    assert isinstance(rows.source, DatabaseTable)
    owners = [ids[i] for i in by_row(encoded_inside(rows.source, codec))[:, 0]]
    return {owner: owners.count(owner) for owner in set(ids)}, {owner: ids.count(owner) for owner in set(ids)}


def test_of_each_unit_at_most_its_rows_are_counted(engine: Engine) -> None:
    kept, held = rows_kept_by_unit(engine)
    assert kept == {owner: min(4, n) for owner, n in held.items()}


def test_a_unit_without_its_bound_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sfumato.trust.database._bounded", lambda table, unit, loose: table)
    kept, _ = rows_kept_by_unit(in_duckdb)
    assert max(kept.values()) > 4


def test_edges_that_are_rounded_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = expressions._floats
    monkeypatch.setattr(expressions, "_real", lambda key: ibis.literal(round(float(exact(np.array([key]))[0]), 6)))
    case = CASES["tenths"]
    rows = Rows.open(in_duckdb(numbered(pa.array(case.cells, case.kind))))
    codec = codec_of(case.facts, rows)
    assert outcome(lambda: encoded_inside(rows.source, codec)) != outcome(lambda: in_memory(rows, codec))


def test_measured_facts_are_those_in_memory(engine: Engine) -> None:
    schema = Schema.parse(
        "sfumato: schema/1\nnulls: ['', L0]\ncolumns:\n  person: {kind: identifier, source: public}\n"
        "  row: {kind: integer, bounds: [0, 511], source: public}\n"
        "  x: {kind: real, source: measured}\n  grade: {kind: category, source: measured, outside: other}\n"
        "  level: {kind: category, source: measured, outside: other, nullable: true}\n"
    )
    with Ledger.open(None) as ledger, ledger.begin(Guarantee(math.inf), "exact") as run:
        found = [
            measure_facts(schema, CentralFacts(Rows.open(source), schema, Budget(run), Silent()))
            for source in (engine(people()), people())
        ]
    assert found[0] == found[1]
    assert found[0]["level"].categories == ("L1", "L2")


def test_one_snapshot_is_counted_though_the_table_changes(engine: Engine) -> None:
    table = engine(people())
    rows = Rows.open(table)
    inside = gather(rows, codec_of("kind: real, bounds: [0, 100]", rows, COMBINED), Silent())
    table.get_backend().raw_sql(f'DELETE FROM "{table.get_name()}"')
    assert inside.table(Query((2,))).sum() == len(inside) == 300


def test_the_codes_leave_the_database_with_the_records() -> None:
    table = in_duckdb(people())
    rows = Rows.open(table)
    inside = gather(rows, codec_of("kind: real, bounds: [0, 100]", rows, COMBINED), Silent())
    tables = table.get_backend().con.sql("SELECT count(*) FROM duckdb_tables() WHERE temporary")
    assert tables.fetchall() == [(1,)]
    child = inside.coarsened([np.zeros(a.size, np.int64) for a in inside.domain.axes])
    del inside
    gc.collect()
    assert child.table(Query((0,))).sum() == 300
    del child
    gc.collect()
    assert tables.fetchall() == [(0,)]


def test_codes_that_are_collected_in_the_middle_of_a_statement_wait_for_nothing(postgres: Any) -> None:
    rows = Rows.open(in_postgres(people(), postgres, "people"))
    held = [gather(rows, codec_of("kind: real, bounds: [0, 100]", rows, COMBINED), Silent())]
    assert isinstance(held[0], DatabaseRecords)

    def collected() -> None:
        held.clear()
        gc.collect()

    with postgres.con.lock:  # as psycopg holds it while a statement runs
        collecting = threading.Thread(target=collected, daemon=True)
        collecting.start()
        collecting.join(60)
        assert not collecting.is_alive()


LOOSE = {"duckdb": ["VARCHAR COLLATE NOCASE", "VARCHAR COLLATE NOACCENT"], "postgres": ["char(3)"]}


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name, kinds in LOOSE.items() for kind in kinds])
def test_text_that_compares_loosely_is_streamed(name: str, kind: str, request: pytest.FixtureRequest) -> None:
    backend = ibis.duckdb.connect() if name == "duckdb" else request.getfixturevalue("postgres")
    backend.raw_sql("DROP TABLE IF EXISTS loose")
    backend.raw_sql(f'CREATE TABLE loose ("row" integer, x {kind})')
    backend.raw_sql("INSERT INTO loose VALUES (0, 'a'), (1, 'A'), (2, 'á'), (3, 'a ')")
    rows = Rows.open(backend.table("loose"))
    codec = codec_of("kind: category, categories: [a], outside: other", rows)
    with pytest.raises(NotExpressible, match="'x' is stored as text that takes unlike texts for equal"):
        encoded_inside(rows.source, codec)
    assert isinstance(gather(rows, codec, Silent()), Records)


def test_where_no_table_may_be_made_the_rows_are_streamed(postgres: Any) -> None:
    rows = Rows.open(in_postgres(people(), postgres))
    codec = codec_of("kind: real, bounds: [0, 100]", rows, COMBINED)
    postgres.raw_sql("SET default_transaction_read_only = on")
    try:
        streamed = gather(rows, codec, Silent())
    finally:
        postgres.raw_sql("SET default_transaction_read_only = off")
    assert isinstance(streamed, Records)
    assert len(streamed) == 300


@pytest.mark.parametrize(
    ("facts", "kind", "cell"),
    [
        ("kind: integer, bounds: [0, 9]", pa.string(), "5"),
        ("kind: real, bounds: [0, 9]", pa.decimal128(30, 2), Decimal(5)),
        ("kind: integer, bounds: [0, 9]", pa.uint64(), 5),
        ("kind: datetime, bounds: [2020-01-01, 2020-01-02]", pa.timestamp("ns"), dt.datetime(2020, 1, 1)),
        ("kind: datetime, tz: UTC, bounds: [2020-01-01, 2020-01-02]", pa.timestamp("us"), dt.datetime(2020, 1, 1)),
        ("kind: category, categories: ['0.5']", pa.float64(), 0.5),
    ],
)
def test_what_might_come_out_otherwise_is_streamed(facts: str, kind: pa.DataType, cell: Any) -> None:
    rows = Rows.open(in_duckdb(numbered(pa.array([cell], kind))))
    codec = codec_of(facts, rows)
    with pytest.raises(NotExpressible, match="column 'x' is stored as"):
        encoded_inside(rows.source, codec)
    assert len(gather(rows, codec, Silent())) == 1


def test_an_empty_table_is_refused(engine: Engine) -> None:
    rows = Rows.open(engine(people().slice(0, 0)))
    with pytest.raises(TableError, match="has columns but no rows"):
        gather(rows, codec_of("kind: real, bounds: [0, 100]", rows, COMBINED), Silent())


def test_an_address_opens_a_table_and_no_error_shows_its_password(postgres: Any) -> None:
    in_postgres(people(), postgres, "people")
    host = postgres.con.info.host
    rows = Rows.open(f"postgresql://tester:hunter2@/postgres?host={host}&table=people")
    assert (rows.kind, len(rows.columns)) == ("database", 5)
    assert sum(b.num_rows for b in rows.batches()) == 300
    assert "hunter2" not in rows.name
    del rows
    gc.collect()
    for address, said in (
        (f"postgresql://tester:hunter2@/postgres?host={host}&table=nothing", "there is no such table"),
        (f"postgresql://tester:hunter2@/nowhere?host={host}&table=people", "cannot connect"),
        (f"postgresql://tester:hunter2@/postgres?host={host}", "names no table"),
        ("nosuch://u:hunter2@h/d?table=people", "cannot connect|not installed"),
    ):
        with pytest.raises(SfumatoError, match=said) as caught:
            Rows.open(address)
        assert "hunter2" not in str(caught.value)
        gc.collect()
