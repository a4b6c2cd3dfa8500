"""Cells that a spreadsheet would run get an apostrophe, where that is asked for; numbers and all else stay."""

from __future__ import annotations

import csv
from pathlib import Path

import pyarrow as pa
import pytest

from sfumato.errors import OutputError
from sfumato.tables import Table

RUN = ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "=", "-", "＝1", "-a"]
STAY = ["-5", "+3", "-1.5e-3", "-1.234,5", "1=2", "a@b", "'=x", "", "2026-01-02"]


def written(path: Path, table: pa.Table, **options: bool) -> list[list[str]]:
    Table(table).write(path, **options)
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file, delimiter="\t" if path.suffix == ".tsv" else ","))


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_what_would_run_is_escaped_and_nothing_else(tmp_path: Path, suffix: str) -> None:
    texts = pa.array([*RUN, *STAY])
    table = pa.table({"=name": texts, "d": texts.dictionary_encode(), "n": pa.array([-1.5] * len(texts))})
    escaped = [*(f"'{text}" for text in RUN), *STAY]
    assert written(tmp_path / f"a{suffix}", table, escape_formulas=True) == [
        ["'=name", "d", "n"],
        *([text, text, "-1.5"] for text in escaped),
    ]
    assert written(tmp_path / f"b{suffix}", table) == [
        ["=name", "d", "n"],
        *([text, text, "-1.5"] for text in [*RUN, *STAY]),
    ]


def test_other_forms_need_it_not(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="formulas are escaped in delimited text alone"):
        Table(pa.table({"a": ["=1"]})).write(tmp_path / "a.parquet", escape_formulas=True)
    assert list(tmp_path.iterdir()) == []
