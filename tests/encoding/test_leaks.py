"""L1 to L4 at the codec: what is saved, and how a row is encoded, must not depend on any other row.

Each check is shown to catch a planted bug: a codec whose bounds, categories, nullability or bins come from the rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from sfumato.encoding.codec import Codec
from sfumato.encoding.rows import EncodedRows
from sfumato.errors import RefusedValue
from sfumato.schema import CategoryColumn, IntegerColumn, RealColumn, Schema
from sfumato.schema.sketch import sketch

CANARY_LABEL, CANARY_NUMBER = "ZEBRA", 86_753
DECLARED = Schema(
    columns=(
        IntegerColumn(name="age", bounds=(0, 120)),
        RealColumn(name="wage", bounds=(0, 500), nullable=True),
        CategoryColumn(name="town", categories=("Delft", "Ede"), outside="other"),
    )
)
Build = Callable[[pa.Table], Codec]


def rows() -> pa.Table:
    rng = np.random.default_rng(0)
    return pa.table(
        {
            "age": rng.integers(18, 90, 400),
            "wage": rng.integers(0, 90, 400).astype(float),
            "town": rng.choice(["Delft", "Ede"], 400),
        }
    )


def neighbour(age: int = 40, wage: float | None = 20.0, town: str = "Ede") -> pa.Table:
    return pa.concat_tables([rows(), pa.table({"age": [age], "wage": pa.array([wage], pa.float64()), "town": [town]})])


NEIGHBOURS = {
    "L1 outlier": neighbour(age=CANARY_NUMBER, wage=float(CANARY_NUMBER)),
    "L2 label": neighbour(town=CANARY_LABEL),
    "L3 missing": neighbour(wage=None),
    "L3 fraction": neighbour(wage=20.123456),
    "L4 one more": neighbour(),
}


def leaks(build: Build, other: pa.Table) -> list[str]:
    """How the codec built for a table differs from that for its neighbour, and what of the rows it holds."""
    base = rows()
    mine, theirs = build(base), build(other)
    found = []
    if mine.to_json() != theirs.to_json():
        found.append("saved bytes differ")
    if mine.domain != theirs.domain:
        found.append("domains differ")
    if any(str(c) in theirs.to_json() for c in (CANARY_LABEL, CANARY_NUMBER)):
        found.append("a value of the rows is saved")
    if not found and (mine.encode(base) != theirs.encode(other)[: len(base)]).any():
        found.append("a row is encoded by other rows")
    if not found and mine.decode(mine.encode(base), np.random.default_rng(0)) != theirs.decode(
        theirs.encode(other)[: len(base)], np.random.default_rng(0)
    ):
        found.append("a row is decoded by other rows")
    return found


def declared(table: pa.Table) -> Codec:
    return Codec.from_schema(DECLARED, types={f.name: f.type for f in table.schema})


def with_columns(table: pa.Table, **facts: Any) -> Codec:
    columns = [c.model_copy(update=facts.get(c.name, {})) for c in DECLARED.columns]
    return Codec.from_schema(DECLARED.with_columns(tuple(columns)))


def bounds_from_rows(table: pa.Table) -> Codec:
    ages = table["age"].to_numpy()
    return with_columns(table, age={"bounds": (int(ages.min()), int(ages.max()))})


def labels_from_rows(table: pa.Table) -> Codec:
    return with_columns(table, town={"categories": tuple(sorted(set(table["town"].to_pylist())))})


def nullability_from_rows(table: pa.Table) -> Codec:
    return with_columns(table, wage={"nullable": table["wage"].null_count > 0})


def step_from_rows(table: pa.Table) -> Codec:
    whole = all(v is None or v == int(v) for v in table["wage"].to_pylist())
    return with_columns(table, wage={"step": 1.0 if whole else None})


def note_from_rows(table: pa.Table) -> Codec:
    return with_columns(table, age={"description": f"{len(table)} rows"})


class QuantileCodec(Codec):
    """Encodes a number by its rank among the rows at hand: the saved bytes are clean, the codes are not."""

    def encode_rows(self, batch: pa.RecordBatch | pa.Table) -> EncodedRows:
        encoded = super().encode_rows(batch)
        ages = batch.column("age").to_numpy()
        encoded.codes[:, 0] = np.searchsorted(np.sort(ages), ages) * 100 // len(ages)
        return encoded


def bins_from_rows(table: pa.Table) -> Codec:
    codec = declared(table)
    return QuantileCodec(codec.schema, codec.types)


@pytest.mark.parametrize("name", NEIGHBOURS)
def test_a_declared_codec_leaks_nothing(name: str) -> None:
    assert leaks(declared, NEIGHBOURS[name]) == []


@pytest.mark.parametrize(
    ("name", "bug"),
    [
        ("L1 outlier", bounds_from_rows),
        ("L2 label", labels_from_rows),
        ("L3 missing", nullability_from_rows),
        ("L3 fraction", step_from_rows),
        ("L3 fraction", note_from_rows),
        ("L4 one more", bins_from_rows),
    ],
)
def test_planted_bugs_are_caught(name: str, bug: Build) -> None:
    assert leaks(bug, NEIGHBOURS[name]) != []


def test_a_sketch_is_such_a_leak_and_says_so() -> None:
    """Why a codec from a sketch gets no certificate: its facts are the rows'."""
    codec = Codec.from_schema(sketch(NEIGHBOURS["L2 label"]))
    assert CANARY_LABEL in codec.to_json()
    assert codec.schema.unreviewed() != []


def test_sizes_of_the_table_are_nowhere_in_a_codec() -> None:
    codec = declared(rows())
    assert codec.schema.rows is None
    assert replace(codec).to_json() == codec.to_json()


def test_all_cells_decode_to_declared_values_only() -> None:
    """L2 from the other side: no code at all decodes to anything that is not in the schema."""
    codec = declared(rows())
    rng = np.random.default_rng(0)
    codes = np.stack([rng.integers(0, size, 20_000) for size in codec.domain.sizes], axis=1)
    back = codec.decode(codes, rng)
    assert set(back["town"].to_pylist()) == {"Delft", "Ede", "OTHER"}
    assert min(back["age"].to_pylist()) >= 0
    assert max(back["age"].to_pylist()) <= 120


def test_a_cell_that_arrow_cannot_convert_is_not_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    """L15; the far day also obeys the schema, which clips it, where Arrow alone would fail and quote it."""
    schema = Schema.parse("sfumato: schema/1\ncolumns:\n  day: {kind: date, bounds: [2000-01-01, 2000-01-09]}\n")
    days = pa.array([2**31 - 1, -(2**31), 0], pa.int32()).cast(pa.date32())
    with pytest.raises(pa.ArrowInvalid, match="2147483647"):
        days.cast(pa.timestamp("us"))
    table = pa.table({"day": days})
    assert Codec.from_schema(schema).encode(table)[:, 0].tolist() == [8, 0, 0]

    def fails(self: Any, values: pa.Array) -> tuple[np.ndarray, None]:
        return values.cast(pa.timestamp("us")).cast(pa.int64()).fill_null(0).to_numpy() // 86_400_000_000, None

    monkeypatch.setattr("sfumato.encoding.date.DateCodec.read", fails)
    assert Codec.from_schema(schema).encode_rows(table).refused.tolist() == [True, True, False]
    with pytest.raises(RefusedValue, match="'day'") as caught:
        Codec.from_schema(schema).encode(table)
    assert "2147483647" not in str(caught.value)
