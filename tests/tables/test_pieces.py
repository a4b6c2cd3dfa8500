"""Batches hold no more text than there is room for, and how they are cut changes no row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from sfumato.tables import Rows
from sfumato.tables.objects import as_text
from sfumato.tables.pieces import bytes_of_text, even, in_pieces

TEXTS = ["a", None, "b" * 40, "", "c" * 900, "d", "ö" * 30, None, "e" * 70, "f" * 5]
LIMIT = 100


def read(source: Any) -> list[str | None]:
    return [text for batch in Rows.open(source).cells() for text in as_text(batch.column("t")).to_pylist()]


def held(form: str) -> Any:
    cells = pa.array(TEXTS)
    columns = {
        "string": cells,
        "large": cells.cast(pa.large_string()),
        "view": cells.cast(pa.string_view()),
        "dictionary": cells.dictionary_encode(),
        "dictionary of large": cells.cast(pa.large_string()).dictionary_encode(),
        "null in the dictionary": cells.dictionary_encode(null_encoding="encode"),
    }
    if form in columns:
        return pa.table({"t": pa.concat_arrays([columns[form]] * 2).slice(len(TEXTS)), "n": range(len(TEXTS))})
    if form == "polars":
        return pl.DataFrame({"t": TEXTS})
    kinds = {
        "pandas": None,
        "pandas objects": object,
        "pandas categories": "category",
        "pandas arrow": "string[pyarrow]",
    }
    return pd.DataFrame({"t": pd.Series(TEXTS, dtype=kinds[form])})


FORMS = [
    *("string", "large", "view", "dictionary", "dictionary of large", "null in the dictionary", "polars"),
    *("pandas", "pandas objects", "pandas categories", "pandas arrow"),
]


@pytest.mark.parametrize("form", FORMS)
def test_a_batch_of_two_rows_has_no_more_text_than_the_limit(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sfumato.tables.pieces.MOST_TEXT", LIMIT)
    monkeypatch.setattr("sfumato.tables.frames.MOST_TEXT", LIMIT)
    source = held(form)
    batches = list(Rows.open(source).cells())
    for batch in batches:
        texts = [t or "" for t in as_text(batch.column("t")).to_pylist()]
        assert len(texts) == 1 or sum(len(t.encode()) for t in texts) <= LIMIT
        assert len(texts) == 1 or bytes_of_text(batch) <= LIMIT
    assert read(source) == TEXTS
    monkeypatch.setattr("sfumato.tables.pieces.MOST_TEXT", 2 * sum(len(t or "") for t in TEXTS) * len(TEXTS))
    assert read(source) == TEXTS
    assert len(list(Rows.open(source).cells())) < len(batches)


def test_joining_stops_before_there_is_too_much_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault as it was: runs of short batches were joined up to a number of rows, whatever they held."""
    monkeypatch.setattr("sfumato.tables.pieces.MOST_TEXT", LIMIT)
    batches = [pa.record_batch({"t": ["x" * 30]}) for _ in range(10)]
    assert [b.num_rows for b in even(iter(batches), 1 << 18)] == [3, 3, 3, 1]


def test_more_text_than_one_array_holds_is_read_in_pieces(tmp_path: Path) -> None:
    """Two batches of 1.1 GiB each, of which a sparse file takes no room."""
    path, rows, each = tmp_path / "text", 1100, 1 << 20
    with path.open("wb") as file:
        file.truncate(rows * each)
    with pa.memory_map(str(path)) as mapped:
        offsets = pa.py_buffer((np.arange(rows + 1) * each).astype(np.int32))
        text = pa.Array.from_buffers(pa.string(), rows, [None, offsets, mapped.read_buffer()])
        batch = pa.record_batch({"t": text})
        found = [piece.num_rows for whole in (batch, batch) for piece in in_pieces(whole)]
        assert sum(found) == 2 * rows
        assert max(found) * each <= 1 << 28
        assert [b.num_rows for b in even(iter([batch.slice(0, 200), batch.slice(0, 200)]), 1 << 18)] == [200, 200]


def test_dictionaries_that_cannot_be_joined_are_not(tmp_path: Path) -> None:
    """Arrow unifies none that has null among its entries; a row that adds an entry was an error for all."""

    def part(indices: list[int], entries: list[str | None]) -> pa.Array:
        return pa.DictionaryArray.from_arrays(pa.array(indices, pa.int8()), pa.array(entries, pa.string()))

    first, second = part([0, 1], [None, "a"]), part([0, 1, 1, 2], [None, "a", "b"])
    assert read(pa.table({"t": pa.chunked_array([first, second])})) == [None, "a", None, "a", "a", "b"]
    path = tmp_path / "t.arrow"
    schema = pa.schema([("t", first.type)])
    with pa.ipc.new_stream(path, schema) as writer:
        for cells in (first, second):
            writer.write_batch(pa.record_batch([cells], schema=schema))
    assert read(path) == [None, "a", None, "a", "a", "b"]
