"""A sketch guesses what a person would, marks all of it unreviewed, and fits the rows it was made from."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from sfumato.encoding.codec import Codec
from sfumato.errors import TableError
from sfumato.schema import ImageColumn, Schema
from sfumato.schema.sketch import sketch
from sfumato.tables import Rows
from sfumato.tables.images import image_array

N = 1000


def of(cells: Any, name: str = "x") -> Any:
    """The sketched column of these cells."""
    return sketch(pa.table({name: pa.array(cells)})).columns[0]


def text(values: Any) -> list[str]:
    return [str(v) for v in values]


@pytest.mark.parametrize(
    ("cells", "kind", "facts"),
    [
        (text(i % 80 for i in range(N)), "integer", {"bounds": (0, 79)}),
        (text(i % 3 for i in range(N)), "category", {"categories": ("0", "1", "2")}),
        (text(i % 80 for i in range(50)), "integer", {"bounds": (0, 49)}),
        ([f"{i % 90}.5" for i in range(N)], "real", {"bounds": (0.5, 89.5), "step": 0.1}),
        ([f"{i}.0" for i in range(N)], "real", {"bounds": (0.0, 999.0), "step": 1.0}),
        ([["N", "1", "2"][i % 3] for i in range(N)], "category", {"categories": ("1", "2"), "nulls": ("N",)}),
        ([["N", "Y"][i % 2] for i in range(N)], "boolean", {"labels": ("N", "Y"), "nullable": False}),
        ([["True", "False", ""][i % 3] for i in range(N)], "boolean", {"labels": ("False", "True"), "nullable": True}),
        ([["a", "NA"][i % 2] for i in range(N)], "category", {"categories": ("a",), "nullable": True}),
        ([f"P{i}" for i in range(N)], "identifier", {}),
        ([f"some words {i}" for i in range(N)], "text", {}),
        (
            [f"2020-01-{i % 28 + 1:02}" for i in range(N)],
            "date",
            {"bounds": (dt.date(2020, 1, 1), dt.date(2020, 1, 28))},
        ),
        ([f"{i % 28 + 1:02}/01/2020" for i in range(N)], "date", {"format": "%d/%m/%Y"}),
        ([f"2020-01-01T{i % 24:02}:00:00" for i in range(N)], "datetime", {"tz": None}),
        ([f"2020-01-01T{i % 24:02}:00:00+02:00" for i in range(N)], "datetime", {"tz": "UTC"}),
        ([f"{i % 24:02}:30" for i in range(N)], "time", {}),
        (["", "NA", "?"] * 10, "text", {"nullable": True}),
        ([None] * 5, "text", {"nullable": True}),
        ([1.0, None, 3.0] * 100, "integer", {"bounds": (1, 3), "nullable": True}),
        ([1.5, float("nan"), float("inf")] * 100, "real", {"bounds": (1.5, 1.5), "nullable": True}),
        ([True, False], "boolean", {}),
        ([dt.date(2020, 1, 1), dt.date(2021, 1, 1)], "date", {}),
        ([dt.datetime(2020, 1, 1)] * 3, "datetime", {}),
        ([dt.time(7)] * 3, "time", {}),
        ([f"town {i % 5000}" for i in range(4 * 5000)], "category", {}),
        ([f"town {i}x{i}" for i in range(12_000)] * 2, "text", {}),
    ],
)
def test_kinds_and_facts(cells: list[Any], kind: str, facts: dict[str, Any]) -> None:
    column = of(cells)
    assert column.kind == kind
    assert {name: getattr(column, name) for name in facts} == facts
    assert column.source == "unreviewed"


def test_names_tell_keys_from_numbers() -> None:
    rows = [i // 3 for i in range(3000)]
    assert of(rows, "patient_id").kind == "identifier"
    assert "max_rows" in (of(rows, "patient_id").description or "")
    assert of(rows, "dollars").kind == "integer"
    assert of(list(range(N)), "serial").kind == "identifier"


def test_zones_come_from_the_type() -> None:
    moments = pa.array([dt.datetime(2020, 7, 1, 12), dt.datetime(2020, 7, 2)], pa.timestamp("us", "Europe/Amsterdam"))
    column: Any = sketch(pa.table({"x": moments})).columns[0]
    assert column.tz == "Europe/Amsterdam"
    assert column.bounds == (dt.datetime(2020, 7, 1, 14), dt.datetime(2020, 7, 2, 2))


def test_columns_that_determine_each_other_are_combined() -> None:
    rng = np.random.default_rng(0)
    grade = rng.integers(0, 20, 5000)
    table = pa.table({"grade": grade, "level": [f"level {g}" for g in grade], "other": rng.integers(0, 20, 5000)})
    schema = sketch(table)
    assert [c.columns for c in schema.constraints] == [("grade", "level")]
    assert "fixed_combinations on grade, level" in schema.unreviewed()


def test_every_fact_is_unreviewed_and_the_text_says_what_to_do() -> None:
    schema = sketch(pa.table({"age": text(range(N)), "sex": ["F", "M"] * (N // 2)}))
    assert len(schema.unreviewed()) == sum(len(c.facts()) for c in schema.columns)
    drafted = schema.dump()
    assert "TO REVIEW" in drafted
    assert Schema.parse(drafted) == schema


@pytest.mark.parametrize(
    "name", ["adult/train.csv", "nist_acs/national2019.csv", "nafld/subjects.csv", "nafld/events.csv"]
)
def test_a_sketch_fits_its_own_rows(shared_data: Path, name: str) -> None:
    schema = sketch(shared_data / name)
    codec = Codec.from_schema(schema)
    batch = next(iter(Rows.open(shared_data / name).batches()))
    encoded = codec.encode_rows(batch)
    assert not encoded.outside.any()
    back = codec.decode(encoded.codes, np.random.default_rng(0))
    np.testing.assert_array_equal(codec.encode(back.select(codec.schema.names)), encoded.codes)


def test_a_wide_table_and_one_row() -> None:
    wide = sketch(pa.table({f"c{i}": ["1"] for i in range(300)}))
    assert len(wide.columns) == 300
    assert Codec.from_schema(wide).encode(pa.table({f"c{i}": ["1"] for i in range(300)})).shape == (1, 300)


def test_duplicated_names_are_refused() -> None:
    with pytest.raises(TableError, match="same name"):
        sketch(pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]))


@pytest.mark.parametrize("labels", [list(range(30)) * 4, ["no", "yes"] * 60, [f"id{i}" for i in range(120)], None])
def test_of_images_the_label_is_a_category_and_the_target(labels: list[Any] | None) -> None:
    images = image_array(np.zeros((120, 5, 4, 3), np.uint8))
    draft = sketch(pa.table({"image": images} | ({} if labels is None else {"label": labels})))
    assert draft.column("image") == ImageColumn(name="image", height=5, width=4, channels=3, source="unreviewed")
    assert draft.target == (None if labels is None else "label")
    if labels is not None:
        assert draft.column("label").kind == "category"
    assert "image: size" in draft.unreviewed()
    assert Schema.parse(draft.dump()) == draft


@pytest.mark.parametrize(
    ("cells", "kind", "facts"),
    [
        (["0,5", "12,25"], "real", {"decimal": ",", "thousands": None, "bounds": (0.5, 12.25), "step": 0.01}),
        (["7", "1.234,5"], "real", {"decimal": ",", "thousands": ".", "bounds": (7.0, 1234.5), "step": 0.1}),
        (["7", "1,234"], "integer", {"decimal": ".", "thousands": ",", "bounds": (7, 1234)}),
        (["7", "-1'234.5"], "real", {"decimal": ".", "thousands": "'", "bounds": (-1234.5, 7.0), "step": 0.1}),
        (["7", "1.5"], "real", {"decimal": ".", "thousands": None, "bounds": (1.5, 7.0), "step": 0.1}),
        (["7", "1234"], "integer", {"decimal": ".", "thousands": None, "bounds": (7, 1234)}),
    ],
)
def test_the_signs_of_numbers_are_drafted(cells: list[str], kind: str, facts: dict[str, Any]) -> None:
    column: Any = sketch(pa.table({"x": cells * 8})).column("x")
    assert column.kind == kind
    assert {fact: getattr(column, fact) for fact in facts} == facts
