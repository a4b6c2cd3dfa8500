"""From the bytes of a file to records: a row more or less, of whatever bytes, changes no other row's record."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.encoding.test_cells_alone import the_old_cast

from sfumato.encoding.codec import Codec
from sfumato.progress import Silent
from sfumato.schema import Schema
from sfumato.tables import Rows
from sfumato.tables.guessing import guessed
from sfumato.trust.gathering import gather

RATIO = """sfumato: schema/1
unit: row
nulls: ["NA"]
columns:
  sex: {kind: category, categories: [F, M], source: public}
  ratio: {kind: real, bounds: [0, 10], step: 0.1, nullable: true, outside: missing, source: public}
"""
CITY = """sfumato: schema/1
unit: row
columns:
  city: {kind: category, categories: [Bonn, Köln], outside: other, source: public}
  age: {kind: integer, bounds: [0, 100], source: public}
"""
COUNT = """sfumato: schema/1
unit: row
columns:
  n: {kind: integer, bounds: [9007199254740000, 9007199254740999], scale: linear, outside: clip, source: public}
  when: {kind: datetime, bounds: [2020-01-01, 2020-01-02], resolution: minute, tz: Europe/Amsterdam, source: public}
"""
RATIOS = "".join(f"{'FM'[i % 2]},{'NaN' if i % 2 else round(1 + i % 80 / 10, 1)}\n" for i in range(200))
CITIES = "".join(f"{'Köln' if i % 2 else 'Bonn'},{20 + i % 40}\n" for i in range(200))
COUNTS = "".join(f"{9007199254740990 + i % 9},2020-01-01 {i % 24:02d}:30\n" for i in range(200))

CASES = {
    "a cell that is no number": (RATIO, "sex,ratio\n", RATIOS, b"F,<0.1\n"),
    "a row of Latin-1": (CITY, "city,age\n", CITIES, "Zürich,44\n".encode("latin-1")),
    "a fraction and an offset": (COUNT, "n,when\n", COUNTS, b"9007199254740990.5,2020-01-01 10:00+0900\n"),
    "NUL and a mark": (CITY, "city,age\n", CITIES, b"\0\xef\xbb\xbf,0x10\n"),
    "a quoted end of line": (CITY, "city,age\n", CITIES, b'"x\n\ny, """,1e9999\n'),
}


def records(path: Path, schema: str, data: bytes) -> np.ndarray:
    path.write_bytes(data)
    codec = Codec.from_schema(Schema.parse(schema))
    return gather(Rows.open(path, codec.schema.dialect), codec, Silent()).matrix()


def moved(path: Path, case: str) -> int:
    """How many rows of D have another record in D + r, with r first, last and in the middle."""
    schema, header, rows, more = CASES[case]
    lines = rows.encode().splitlines(keepends=True)
    alone = records(path, schema, header.encode() + rows.encode())
    changed = 0
    for place in (0, 77, len(lines)):
        data = header.encode() + b"".join((*lines[:place], more, *lines[place:]))
        together = records(path, schema, data)
        others = np.delete(together, place, axis=0) if len(together) > len(alone) else together
        changed += int((others != alone).any(axis=1).sum()) if len(others) == len(alone) else len(alone)
    return changed


@pytest.mark.parametrize("case", CASES)
def test_one_row_moves_no_other(tmp_path: Path, case: str) -> None:
    assert moved(tmp_path / "t.csv", case) == 0


def test_what_is_no_number_is_no_bound(tmp_path: Path) -> None:
    schema, header, rows, _ = CASES["a cell that is no number"]
    found = records(tmp_path / "t.csv", schema, (header + rows).encode())
    assert (found[1::2, 1] == 101).all()  # missing, behind the 101 tenths


def test_whole_numbers_beyond_doubles_stay_apart(tmp_path: Path) -> None:
    schema, header, rows, more = CASES["a fraction and an offset"]
    found = records(tmp_path / "t.csv", schema.replace("740000", "740900"), header.encode() + rows.encode() + more)
    assert len(np.unique(found[:, 0])) == 9


def test_a_cast_of_all_cells_and_a_guess_from_all_bytes_are_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sfumato.encoding.real.reals", the_old_cast)
    assert moved(tmp_path / "t.csv", "a cell that is no number") >= 100
    opened = Rows.open
    monkeypatch.setattr(Rows, "open", lambda path, file: opened(path, guessed(str(path))))
    assert moved(tmp_path / "t.csv", "a row of Latin-1") >= 100


def test_a_block_of_the_parser_is_no_boundary(tmp_path: Path) -> None:
    """Records lie across the blocks of the parser and of the check, wherever a row more shifts them."""
    row = 'F,"' + "9" * 997 + '"\n'
    schema = RATIO.replace("outside: missing", "outside: clip")
    for more in (b"", b'"M\n",NA\n', b'F,"' + b"1" * 500_000 + b'"\n'):
        data = b"sex,ratio\n" + more + row.encode() * 6000
        found = records(tmp_path / "t.csv", schema, data)
        assert len(found) >= 6000
        assert (found[-6000:] == [0, 100]).all()


def test_sources_of_text_agree(tmp_path: Path) -> None:
    """The same cells from bytes, and as a table of strings, are the same records."""
    schema, header, rows, _ = CASES["a row of Latin-1"]
    cells = [line.split(",") for line in rows.splitlines()]
    table = pa.table({"city": [c for c, _ in cells], "age": [a for _, a in cells]})
    codec = Codec.from_schema(Schema.parse(schema))
    inside = gather(Rows.open(table), codec, Silent()).matrix()
    assert (inside == records(tmp_path / "t.csv", schema, (header + rows).encode())).all()
