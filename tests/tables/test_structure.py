"""Records are those of a strict grammar: a file is read as it says, or refused by the line that breaks it."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pyarrow import csv as arrow

from sfumato.errors import TableError
from sfumato.tables import Rows, structure
from sfumato.tables.dialect import Dialect

Records = list[list[str]]


def reference(text: str, delimiter: str, quote: str, width: int) -> Records | None:
    """The grammar of `Dialect` once more, a character at a time; None where a file is not well formed."""
    records, record, field, at = [], [], "", 0
    while at < len(text):
        if quote and text[at] == quote:  # a field that begins with a mark
            field, at = "", at + 1
            while True:
                if at >= len(text):
                    return None
                if text.startswith(quote * 2, at):
                    field, at = field + quote, at + 2
                elif text[at] == quote:
                    at += 1
                    break
                else:
                    field, at = field + text[at], at + 1
            empty = False
        else:
            start = at
            while at < len(text) and text[at] not in f"{delimiter}\r\n":
                if quote and text[at] == quote:
                    return None
                at += 1
            field = text[start:at]
            empty = not field and not record
        record.append(field)
        if at < len(text) and text[at] == delimiter:
            at += 1
            if at < len(text):
                continue
            record.append("")
            empty = False
        elif at < len(text) and not text.startswith(("\n", "\r\n"), at):
            return None
        else:
            at += 2 if text.startswith("\r\n", at) else 1
        if not (empty and width > 1):
            if len(record) != width:
                return None
            records.append(record)
        record = []
    return records


def read(path: Path, data: bytes, dialect: Dialect) -> Records | None:
    path.write_bytes(data)
    try:
        rows = Rows.open(path, dialect)
        return [list(row.values()) for row in pa.Table.from_batches(rows.batches()).to_pylist()]
    except TableError as error:
        if "no rows" in str(error):
            return []
        return None if ", line " in str(error) else [["an error names no line"]]


BODIES = st.text(st.sampled_from('ab\0é,,;""\'\n\n\r'), max_size=24)


@pytest.mark.parametrize("chunk", [1, 7, structure._CHUNK])
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=BODIES,
    width=st.integers(1, 3),
    form=st.sampled_from([(",", '"'), (";", '"'), (",", "'"), (",", ""), ("|", '"')]),
)
@example(body='a,"b\nc"\r\n"""",x\n', width=2, form=(",", '"'))
@example(body="a,b\rc,d\n", width=2, form=(",", '"'))
@example(body='a"b,c\n', width=2, form=(",", '"'))
@example(body='"a"b,c\n', width=2, form=(",", '"'))
@example(body='\n\r\n"",""', width=2, form=(",", '"'))
def test_any_bytes_are_read_by_the_grammar_or_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int, body: str, width: int, form: tuple[str, str]
) -> None:
    cut = structure.blocks
    monkeypatch.setattr(
        "sfumato.tables.delimited.blocks", lambda stream, dialect, path: cut(stream, dialect, path, chunk)
    )
    delimiter, quote = form
    header = delimiter.join(f"c{i}" for i in range(width)) + "\n"
    expected = reference(body, delimiter, quote, width)
    assert read(tmp_path / "t.csv", (header + body).encode(), Dialect("utf-8", delimiter, quote)) == expected


@pytest.mark.parametrize("body", ['a"b,c\n', '"a"b,c\n', "a,b\rc,d\n", '"a,b\n'])
def test_a_parser_without_the_check_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """The planted bug: what the parser accepts is taken for a record."""
    monkeypatch.setattr("sfumato.tables.delimited.check_structure", lambda block, dialect, path, width: None)
    assert reference(body, ",", '"', 2) is None
    assert read(tmp_path / "t.csv", f"c0,c1\n{body}".encode(), Dialect()) not in (None, [])


@settings(max_examples=150, deadline=None)
@given(body=BODIES, width=st.integers(2, 3))
def test_the_standard_library_reads_the_same_records(body: str, width: int) -> None:
    expected = reference(body, ",", '"', width)
    if expected is not None:
        assert [r for r in csv.reader(io.StringIO(body, newline=""), strict=True) if r] == expected


FAULTS = {
    "stray mark": (b'a,b\n1,2\n3,x"secret\n', "line 3: a quotation mark stands inside a field"),
    "text behind": (b'a,b\n1,"x"secret\n', "line 2: a quotation mark opens a field that is not closed properly"),
    "never closed": (b'a,b\n1,2\n3,"secret\n5,6\n', "line 3: a quotation mark opens a field"),
    "bare return": (b"a,b\n1,secret\r\r\n", "line 2: a carriage return stands without a line feed"),
    "late": (b"a,b\n" + b"1,2\n" * 400_000 + b"secret\n", "line 400002: 1 fields where the header has 2"),
    "late, quoted": (b"a,b\n" + b'1,"2\n"\n' * 200_000 + b'"x",y,z\n', "line 400002: 3 fields where the header has 2"),
    "long": (b"a,b\n1,2\nsecret," + b"x" * structure.LONGEST + b"\n", "line 3: a record of more than 1 MiB"),
    "long, between": (b'a,b\n1,2\n1,"' + b"\nx" * structure.LONGEST, "line 3: a quotation mark opens a field"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("zipped", [False, True])
def test_a_fault_is_named_by_its_line_when_the_file_is_opened(tmp_path: Path, fault: str, zipped: bool) -> None:
    data, said = FAULTS[fault]
    path = tmp_path / ("t.csv.gz" if zipped else "t.csv")
    path.write_bytes(gzip.compress(data, 1) if zipped else data)
    with pytest.raises(TableError, match=said) as caught:
        Rows.open(path, Dialect())
    assert "secret" not in str(caught.value)


def test_a_record_of_the_longest_length_is_read(tmp_path: Path) -> None:
    for more in (0, 1):
        long = b"x" * (structure.LONGEST - 3 + more)
        (tmp_path / "t.csv").write_bytes(b"a,b\n" + b"1,2\n" * 1000 + b"1," + long + b"\n" + b"3,4\n" * 1000)
        if more:
            with pytest.raises(TableError, match="line 1002: a record of more than"):
                Rows.open(tmp_path / "t.csv", Dialect())
        else:
            rows = pa.Table.from_batches(Rows.open(tmp_path / "t.csv", Dialect()).batches())
            assert (rows.num_rows, len(rows["b"][1000].as_py())) == (2001, len(long))


@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
@pytest.mark.parametrize("row", [b"abcdefg", b'"ab\r\nc"', b""])
def test_an_end_of_line_across_blocks_of_the_parser_is_one(tmp_path: Path, ending: bytes, row: bytes) -> None:
    cell = row.decode().strip('"')
    for shift in range(1, len(row + ending) + 1):
        body = b"x" * shift + ending + (row + ending) * (5 * structure.LONGEST // 2 // len(row + ending))
        (tmp_path / "t.csv").write_bytes(b"a" + ending + body)
        found = pa.Table.from_batches(Rows.open(tmp_path / "t.csv", Dialect()).batches())["a"]
        assert len(found) == 1 + 5 * structure.LONGEST // 2 // len(row + ending)
        assert found.unique().to_pylist() == ["x" * shift, cell]


@pytest.mark.parametrize("tail", [b"", b"\0" * 20])
def test_parts_of_a_gzip_file_are_one_file(tmp_path: Path, tail: bytes) -> None:
    (tmp_path / "t.gz").write_bytes(gzip.compress(b"a,b\n1,2\n") + gzip.compress(b"3,4\n") + tail)
    found = pa.Table.from_batches(Rows.open(tmp_path / "t.gz", Dialect()).batches())
    assert found.to_pydict() == {"a": ["1", "3"], "b": ["2", "4"]}


CHARSETS = ["utf-8", "cp1252", "latin-1", "koi8-r", "shift_jis", "gbk", "gb18030", "euc_jp", "utf-16-le", "utf-16"]


@pytest.mark.parametrize("charset", CHARSETS)
def test_a_bad_byte_is_a_matter_of_its_own_cell(tmp_path: Path, charset: str) -> None:
    city = (
        "Köln"
        if charset in ("utf-8", "cp1252", "latin-1", "utf-16", "utf-16-le")
        else "日本"
        if "ko" not in charset
        else "Киев"
    )
    text = f"city,n\n{city},1\nBonn,2\n" * 1
    wide = charset.startswith("utf-16")
    bad = b"\x00\xd8" if wide else b"\xff\x81\xff"
    separated = ",3\n".encode("utf-16-le") if wide else b",3\n"
    more = f"{city},4\n".encode("utf-16-le" if charset == "utf-16" else charset)
    (tmp_path / "t.csv").write_bytes(text.encode(charset) + bad + separated + more)
    found = pa.Table.from_batches(Rows.open(tmp_path / "t.csv", Dialect(charset)).batches()).to_pydict()
    assert found["n"] == ["1", "2", "3", "4"]
    assert [found["city"][i] for i in (0, 1, 3)] == [city, "Bonn", city]
    assert charset in ("latin-1", "koi8-r") or "\ufffd" in found["city"][2]


MARK = "\ufeff"
STARTS = [
    *(mark.encode() for mark in ("\ufeff", "\ufeff\ufeff", "")),
    *(
        b"PK\x03\x04",
        b"PAR1",
        b"ARROW1",
        b"\xff\xff\xff\xff",
        b"\x1f\x8b\x08",
        b"BZh",
        b"\x89PNG",
        b"\xff\xfe",
        b"\xfe\xff",
    ),
    *(b"\0\0\x08\x03", b"12345678DUCK", b"x" * 140_000),
]
"""What some reader takes for a mark of the file where it stands at the start, or cannot hold."""
CELL = st.one_of(st.sampled_from(STARTS), st.binary(max_size=5).filter(lambda c: not set(c) & set(b'\n\r,\t"')))


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cells=st.lists(st.tuples(CELL, CELL), min_size=1, max_size=4),
    row=st.tuples(CELL, CELL),
    charset=st.sampled_from(["utf-8", "cp1252", "gbk", "shift_jis", "latin-1"]),
    header=st.booleans(),
    delimiter=st.sampled_from([b",", b"\t"]),
)
@example(cells=[(b"", b"")], row=(b"", b""), charset="utf-8", header=False, delimiter=b"\t")
def test_a_row_more_of_any_bytes_changes_no_other_row(
    tmp_path: Path,
    cells: list[tuple[bytes, bytes]],
    row: tuple[bytes, bytes],
    charset: str,
    header: bool,
    delimiter: bytes,
) -> None:
    dialect = Dialect(charset, delimiter.decode(), header=header, names=("a", "b"))
    head, data = (delimiter.join((b"a", b"b")) + b"\n") * header, [delimiter.join(cell) + b"\n" for cell in cells]
    more = delimiter.join(row) + b"\n"
    before = read(tmp_path / "t.csv", head + b"".join(data), dialect)
    assert len(before or ()) == len(cells)
    assert read(tmp_path / "t.csv", head + b"".join([*data, more]), dialect)[:-1] == before  # type: ignore[index]
    assert read(tmp_path / "t.csv", head + b"".join([more, *data]), dialect)[1:] == before  # type: ignore[index]


@pytest.mark.parametrize("charset", ["utf-16", "utf-16-le"])
@pytest.mark.parametrize("header", [True, False])
def test_a_mark_at_the_start_of_a_cell_is_the_cell_s(tmp_path: Path, charset: str, header: bool) -> None:
    dialect = Dialect(charset, header=header, names=("a", "b"))
    rows = f"{MARK}x,1\n{MARK}x,1\n"
    text = ("a,b\n" * header + rows).encode(charset)
    assert read(tmp_path / "t.csv", text, dialect) == [[f"{MARK}x", "1"]] * 2


def test_one_column_without_a_header_may_hold_nothing(tmp_path: Path) -> None:
    assert read(tmp_path / "t.csv", b"\n\n", Dialect(header=False, names=("a",))) == [[""], [""]]


def test_a_parser_that_drops_a_mark_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted bug: the first row stands at the start of what the parser is given."""
    monkeypatch.setattr("sfumato.tables.delimited._PASSED_OVER", b"")
    real = arrow.ReadOptions
    monkeypatch.setattr(arrow, "ReadOptions", lambda skip_rows, **options: real(**options))
    found = read(tmp_path / "t.csv", f"a,b\n{MARK}x,1\n{MARK}x,1\n".encode(), Dialect())
    assert found == [["x", "1"], [f"{MARK}x", "1"]]


def test_a_charset_found_from_all_bytes_is_noticed(tmp_path: Path) -> None:
    """The planted bug: what `sketch` may do, used for rows."""
    data = "a,b\nKöln,1\n".encode()
    (tmp_path / "t.csv").write_bytes(data + b"Z\xfcrich,2\n")
    cities = pa.Table.from_batches(Rows.open(tmp_path / "t.csv").batches())["a"].to_pylist()
    assert cities[0] != "Köln"


def test_marks_and_nul_bytes(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    assert read(path, b"\xef\xbb\xbfa,b\n1,\xef\xbb\xbf2\n", Dialect()) == [["1", "\ufeff2"]]
    assert read(path, b"a,b\nx\0y,\0\n", Dialect()) == [["x\0y", "\0"]]
    for charset in ("utf-16", "utf-16-le"):
        path.write_bytes("a,b\n1,2\n".encode(charset))
        with pytest.raises(TableError, match="utf-16"):
            Rows.open(path, Dialect())


def test_without_a_header_the_columns_are_the_schema_s(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    dialect = Dialect(header=False, names=("x", "y"))
    marked = Dialect("utf-8-sig", header=False, names=("x", "y"))
    assert read(path, b"1,2\n3,4\n", dialect) == [["1", "2"], ["3", "4"]]
    assert read(path, b"\xef\xbb\xbf1,2\n3,4\n", marked) == [["1", "2"], ["3", "4"]]
    path.write_bytes(b"1,2\n")
    with pytest.raises(TableError, match="no byte-order mark"):
        Rows.open(path, marked)
    with pytest.raises(TableError, match="no byte-order mark"):
        Rows.open(path, Dialect("utf-16", header=False, names=("x", "y")))
    assert Rows.open(path, dialect).columns == ("x", "y")
    path.write_bytes(b"1,2,secret\n")
    with pytest.raises(TableError, match="line 1: 3 fields where the schema has 2") as caught:
        Rows.open(path, dialect)
    assert "secret" not in str(caught.value)


def test_a_wrong_delimiter_is_told_from_the_header_alone(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"age;sex;secret\n1;2;3\nragged\n")
    with pytest.raises(TableError, match=r"split by ';'.*file: \{delimiter: \";\"\}") as caught:
        Rows.open(path, Dialect(names=("age", "sex")))
    assert "secret" not in str(caught.value)


def test_a_name_that_ends_in_tsv_says_tab(tmp_path: Path) -> None:
    path = tmp_path / "t.tsv"
    path.write_bytes(b"a\tb\n1\t2\n")
    assert Rows.open(path, Dialect()).columns == ("a", "b")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"charset": "utf-7"}, "charset 'utf-7' is not read"),
        ({"charset": "no such"}, "is not read"),
        ({"charset": "rot13"}, "is not read"),
        ({"delimiter": ",,"}, "one character"),
        ({"delimiter": "a"}, "no letter or digit"),
        ({"delimiter": "\n"}, "cannot be an end of line"),
        ({"quote": "`"}, "quote is"),
        ({"charset": "gbk", "delimiter": "|"}, "half a character"),
    ],
)
def test_a_dialect_that_cannot_be_read_is_refused(wrong: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Dialect(**wrong)  # type: ignore[arg-type]
