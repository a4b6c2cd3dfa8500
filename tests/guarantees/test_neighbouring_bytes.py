"""No row changes how another is read, for every reader and every kind of column, whatever its cells hold.

Tables of hostile cells are written by the reader's own storage, read whole, and the codes of each row compared with
those that it got in other tables: plain ones, the same with one more row at the start, within or at the end, and any
mixture in any order, in batches of any size. A table that is refused counts as all its rows changed. Nothing here is
random but by fixed seeds, so there are no false alarms. The long run is ``python -m benchmarks.edges cells``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import io
import struct
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from benchmarks.edges.cells import Cut, Tally, figures, fuzzed
from benchmarks.edges.hostile import FACTS, TYPED, Column
from benchmarks.edges.storage import Delimited, PandasFrame, Storage, postgres_storages, storages
from PIL import Image
from pyarrow import parquet
from tests.engines import postgres_server

from sfumato.encoding.codec import Codec
from sfumato.encoding.column import Encoded, Policy
from sfumato.encoding.parsing import missing_mask
from sfumato.encoding.rows import EncodedRows
from sfumato.errors import SfumatoError
from sfumato.progress import Silent
from sfumato.schema import Schema
from sfumato.tables import Rows
from sfumato.tables.delimited import DelimitedFile
from sfumato.tables.image_folder import ImageFolder
from sfumato.tables.images import image_array
from sfumato.tables.objects import OBJECTS, as_text
from sfumato.trust.gathering import gather

CELLS = 4000
FEWER = 1500
"""Where a database compiles each table's queries anew."""

ways = pytest.mark.parametrize("storage", storages(), ids=lambda s: s.name)


@ways
def test_no_row_changes_another(storage: Storage) -> None:
    tally = fuzzed(storage, FEWER if storage.name == "duckdb table" else CELLS, seed=1, pool=400)
    assert (tally.changed, tally.said) == (0, {})


@pytest.fixture(scope="module")
def postgres(debian_package: Callable[[str, str], str]) -> Iterator[Any]:
    with postgres_server(debian_package) as address:
        backend = ibis.connect(address)
        yield backend
        backend.disconnect()


@pytest.mark.parametrize("number", [0, 1], ids=["counted there", "streamed"])
def test_no_row_of_postgresql_changes_another(number: int, postgres: Any) -> None:
    tally = fuzzed(postgres_storages(postgres)[number], FEWER // 3, seed=1, pool=100)
    assert (tally.changed, tally.said) == (0, {})


def of(storage: Storage, *kinds: str, classes: list[list[Any]] | None = None) -> Storage:
    """The storage with columns of these kinds alone."""
    facts = [FACTS[kind] for kind in kinds]
    kept = [c for c in storage.columns if c.facts in facts]
    if classes is not None:
        kept = [Column(f"o{i}", f, classes) for i, f in enumerate(facts)]
    return dataclasses.replace(storage, columns=kept)


def changed(storage: Storage, cells: int = 1500) -> Tally:
    return fuzzed(storage, cells, seed=1, pool=300)


def test_a_cast_of_a_whole_column_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault as it was: int64, then float64, then a pattern; the text NaN is a bound on the second way."""

    def cast(values: pa.Array, form: Any = None) -> Any:
        del form
        for kind in (pa.int64(), pa.float64()):
            try:
                return values.cast(kind).cast(pa.float64()).fill_null(0).to_numpy(zero_copy_only=False)
            except pa.ArrowInvalid:
                continue
        number = pc.match_substring_regex(values, r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$")  # pyright: ignore
        return pc.if_else(number, values, None).cast(pa.float64()).to_numpy(zero_copy_only=False)  # pyright: ignore

    storage = of(Delimited("csv"), "real", "real, moved")
    assert changed(storage).changed == 0
    monkeypatch.setattr("sfumato.encoding.real.reals", cast)
    assert changed(storage).changed > 0


def test_a_byte_that_changes_the_charset_of_its_file_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    storage = of(Delimited("csv"), "category")
    assert changed(storage).changed == 0
    declared = DelimitedFile.open

    def guessing(path: str, dialect: Any, *more: Any) -> DelimitedFile:
        try:
            Path(path).read_bytes().decode("utf-8")
        except UnicodeDecodeError:
            dialect = dataclasses.replace(dialect, charset="cp1252")
        return declared(path, dialect, *more)

    monkeypatch.setattr(DelimitedFile, "open", guessing)
    assert changed(storage).changed > 0


def inferred(column: Any) -> pa.DataType:
    """The fault as it was: the type that fits all cells of an object column."""
    kind = pa.array(column, from_pandas=True).type
    return pa.decimal128(38, kind.scale) if pa.types.is_decimal128(kind) else kind


def test_the_scale_of_one_amount_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    amounts = [[Decimal("1.5"), Decimal("7")], [Decimal("1.50"), Decimal("1.234567"), Decimal("7.5")]]
    storage = of(PandasFrame("pandas"), "category", "category, moved", classes=amounts)
    assert changed(storage).changed == 0
    monkeypatch.setattr("sfumato.tables.frames._type", inferred)
    monkeypatch.setattr("sfumato.tables.frames._cells", lambda column, kind: pa.array(column, kind, from_pandas=True))
    assert any("category" in what for what in changed(storage).said)


def test_one_value_in_an_empty_column_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It made a type, which was saved with the model."""
    storage = of(PandasFrame("pandas"), "integer", "category", classes=[[None], [None, "7"]])
    assert changed(storage).changed == 0
    monkeypatch.setattr("sfumato.tables.frames._type", inferred)
    monkeypatch.setattr("sfumato.tables.frames._cells", lambda column, kind: pa.array(column, kind, from_pandas=True))
    monkeypatch.setattr(Rows, "stored_types", property(lambda self: {f.name: f.type for f in self.source.schema}))
    assert "facts of the model" in changed(storage).said


def typed(*stored: str) -> Storage:
    """The storage of pyarrow with columns of these stored types alone."""
    storage = next(s for s in storages() if s.name == "pyarrow")
    kinds = [TYPED[name][0] for name in stored]
    return dataclasses.replace(storage, columns=[c for c in storage.columns if c.kind in kinds and not c.strict])


def test_labels_whose_counts_overwrite_each_other_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault as it was: one -0.0 more, and 1 stood in the place of the count of all zeros."""

    def overwritten(labels: pa.Array, counts: np.ndarray, markers: tuple[str, ...]) -> dict[str, int]:
        gone = missing_mask(labels, markers)
        kept = labels if gone is None else labels.filter(pa.array(~gone))
        return dict(zip(as_text(kept).to_pylist(), (counts if gone is None else counts[~gone]).tolist(), strict=True))

    assert changed(typed("double", "half", "day")).changed == 0
    monkeypatch.setattr("sfumato.encoding.measure.labelled", overwritten)
    for stored in ("double", "half", "day"):
        assert any("counts of labels" in what for what in changed(typed(stored), 4000).said), stored


def test_text_that_is_read_beyond_its_buffer_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault as it was: a part of ``large_string`` kept the offsets of the whole."""
    storage = typed("long string")
    assert changed(storage).changed == 0
    monkeypatch.setattr("sfumato.encoding.boolean.plain", lambda cells: pc.ascii_lower(cells.cast(pa.string())))  # pyright: ignore
    assert any("boolean" in what for what in changed(storage).said)


def test_dictionaries_that_must_be_joined_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    storage = typed("null entry")
    assert changed(storage).changed == 0
    monkeypatch.setattr("sfumato.tables.pieces._joined", lambda batches: [pa.concat_batches(batches)])
    assert any("refused" in what for what in changed(storage, 4000).said)


def test_a_clock_that_follows_from_a_type_of_pandas_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault as it was: one text made objects of a column of timestamps, with UTC's clock and other labels."""
    zone = ZoneInfo("Europe/Amsterdam")
    moments = [[dt.datetime(2019, 7, 1, 0, 30, tzinfo=zone), dt.datetime(2020, 2, 29, 12, tzinfo=zone)], ["x", None]]
    storage = of(PandasFrame("pandas"), "datetime", "category", classes=moments)
    assert changed(storage).changed == 0
    monkeypatch.setattr("sfumato.tables.frames.alone", lambda kind: kind)
    monkeypatch.setattr("sfumato.tables.frames.as_alone", lambda cells: cells)
    said = changed(storage).said
    assert any("datetime" in what for what in said)
    assert any("labels" in what for what in said)


def test_a_cell_that_ends_a_fit_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    storage = next(s for s in storages() if s.name == "pyarrow")
    placed = Policy.place

    def raising(self: Policy, *given: Any) -> Encoded:
        encoded = placed(self, *given)
        if encoded.why is not None:
            raise encoded.why
        return encoded

    monkeypatch.setattr(Policy, "place", raising)
    assert any("refused: RefusedValue" in what for what in changed(storage).said)


def test_codes_that_follow_from_the_other_rows_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    encode = Codec.encode_rows

    def ranked(self: Codec, batch: pa.RecordBatch) -> EncodedRows:
        encoded = encode(self, batch)
        if batch.num_rows:
            encoded.codes[:, 2] -= min(1, encoded.codes[:, 2].min())
        return encoded

    monkeypatch.setattr(Codec, "encode_rows", ranked)
    assert changed(of(PandasFrame("pandas"), "real", classes=[[1.0, 2.5], [-2.0, 3.0]])).changed > 0


def test_rows_left_out_and_not_counted_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    encode = Codec.encode_rows

    def silent(self: Codec, batch: pa.RecordBatch) -> EncodedRows:
        encoded = encode(self, batch)
        return dataclasses.replace(encoded, outside=encoded.outside & ~encoded.refused)

    monkeypatch.setattr(Codec, "encode_rows", silent)
    storage = next(s for s in storages() if s.name == "csv")
    strict = dataclasses.replace(storage, columns=[c for c in storage.columns if c.strict])
    assert "rows left out and not counted" in changed(strict).said


SIZE = (4, 3, 1)
PICTURES = """sfumato: schema/1
columns:
  image: {kind: image, height: 4, width: 3, source: public}
  label: {kind: category, categories: [a, b, Köln], outside: other, nullable: true, source: public}
"""


def png(levels: np.ndarray, mode: str = "L") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(levels).convert(mode).save(stream, "PNG")
    return stream.getvalue()


def hostile_files() -> dict[str, bytes]:
    """Files of a folder by name: what is no image of the declared size, in places where labels are read off."""
    image = png(np.full((4, 3), 200, np.uint8))
    wrong = {
        "none": b"ZEBRA",
        "empty": b"",
        "cut": image[:-20],
        "spoilt": image[:40] + b"\xff" * 9 + image[49:],
        "large": png(np.zeros((9, 9), np.uint8)),
        "colour": png(np.full((4, 3), 9, np.uint8), "RGB"),
        "clear": png(np.full((4, 3), 9, np.uint8), "LA"),
        "deep": png(np.full((4, 3), 900, np.uint16), "I;16"),
        "fine": image,
    }
    folders = ("", "a/", "c/", "K\u00f6ln/", "\udcff/")
    return {f"{folder}{first}{name}.png": data for folder in folders for first in "0z" for name, data in wrong.items()}


def folder_of(files: dict[str, bytes], where: Path) -> Path:
    for name, data in files.items():
        (where / name).parent.mkdir(parents=True, exist_ok=True)
        (where / name).write_bytes(data)
    return where


def records_of(source: Any) -> np.ndarray:
    schema = Schema.parse(PICTURES)
    rows = Rows.open(source, schema.dialect, schema.picture)
    codec = Codec.from_schema(schema, types=rows.stored_types)
    return gather(Cut(rows.source, rows.name, 3), codec, Silent()).matrix()


def one_more(less: np.ndarray, more: np.ndarray) -> bool:
    """Whether ``more`` is ``less``, or is it with one row put in somewhere."""
    if len(more) == len(less):
        return bool((more == less).all())
    if len(more) != len(less) + 1:
        return False
    return any((np.delete(more, i, axis=0) == less).all() for i in range(len(more)))


def plain_files() -> dict[str, bytes]:
    return {f"{'ab'[i % 2]}/{i}.png": png(np.full((4, 3), i, np.uint8)) for i in range(6)}


@pytest.mark.parametrize("kind", ["sub-folders", "listed"])
def test_no_file_of_a_folder_changes_another(kind: str, tmp_path: Path) -> None:
    plain = plain_files()
    lines = "".join(f"{name},{'ab'[i % 2]}\n" for i, name in enumerate(plain))
    listing = {} if kind == "sub-folders" else {"labels.csv": f"file,label\n{lines}".encode()}
    less = records_of(folder_of({**plain, **listing}, tmp_path / "less"))
    assert len(less) == len(plain)
    for i, (name, data) in enumerate(hostile_files().items()):
        if listing:
            more = f"{name},Köln\n".encode("utf-8", "surrogateescape")
            parts = [more, lines.encode()] if i % 2 else [lines.encode(), more]
            listing = {"labels.csv": b"".join([b"file,label\n", *parts])}
        found = records_of(folder_of({**plain, name: data, **listing}, tmp_path / str(i)))
        assert one_more(less, found), name


@pytest.mark.parametrize("line", ["nothing.png,a", "a/0.png,b", ",", "../less/a/0.png,a", '"x\ny",a', "a/0.png,"])
def test_no_line_of_a_list_changes_another(line: str, tmp_path: Path) -> None:
    plain = plain_files()
    lines = "".join(f"{name},a\n" for name in plain)
    less = records_of(folder_of({**plain, "labels.csv": f"file,label\n{lines}".encode()}, tmp_path / "less"))
    text = f"file,label\n{line}\n{lines}".encode()
    assert one_more(less, records_of(folder_of({**plain, "labels.csv": text}, tmp_path / "more")))


def test_a_folder_that_is_read_as_its_first_file_is_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The fault as it was: the first file said the size of all, and one that differed ended the fit."""
    opened = ImageFolder.open
    monkeypatch.setattr(ImageFolder, "open", lambda path, dialect, declared: opened(path, dialect))
    plain = plain_files()
    assert len(records_of(folder_of(plain, tmp_path / "less"))) == len(plain)
    ended = 0
    for i, name in enumerate(["a/0large.png", "b/znone.png", "0fine.png"]):
        data = hostile_files()[name.replace("b/", "a/")]
        with contextlib.suppress(SfumatoError):
            records_of(folder_of({**plain, name: data}, tmp_path / str(i)))
            ended -= 1
        ended += 1
    assert ended == 3


@pytest.mark.parametrize("form", ["npz", "idx", "parquet", "pyarrow"])
def test_no_image_of_an_array_changes_another(form: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (7, *SIZE), dtype=np.uint8)
    labels = ["a", "b", "x", "Köln", None, "a" * 300, "\ufffd"]
    missing = np.arange(7) == 3

    def held(chosen: list[int]) -> Any:
        if form == "npz":
            own = np.array([labels[i] or "" for i in chosen], "U256")
            np.savez(tmp_path / "x.npz", images=images[chosen], labels=own)
            return tmp_path / "x.npz"
        if form == "idx":
            body = struct.pack(">4B3I", 0, 0, 8, 3, len(chosen), 4, 3) + images[chosen].tobytes()
            (tmp_path / "x-images-idx3-ubyte").write_bytes(body)
            own = struct.pack(">4BI", 0, 0, 8, 1, len(chosen)) + bytes(i * 40 for i in chosen)
            (tmp_path / "x-labels-idx1-ubyte").write_bytes(own)
            return tmp_path / "x-images-idx3-ubyte"
        table = pa.table({"image": image_array(images[chosen], missing[chosen]), "label": [labels[i] for i in chosen]})
        if form == "pyarrow":
            return table
        parquet.write_table(table, tmp_path / "x.parquet", row_group_size=2)
        return tmp_path / "x.parquet"

    for r in range(7):
        others = [i for i in range(7) if i != r]
        less = records_of(held(others))
        for place in (0, 3, 6):
            assert one_more(less, records_of(held([*others[:place], r, *others[place:]])))


def test_every_kind_is_read_in_every_way() -> None:
    """Objects of pandas and text of files in all kinds; typed storage in each kind by some type."""
    kinds = {facts.partition(",")[0] for facts in FACTS.values()}
    for storage in storages():
        assert {c.facts.partition(",")[0] for c in storage.columns} == kinds, storage.name
    assert OBJECTS.num_fields == 9


def test_the_long_run_gives_its_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.edges.cells.storages", lambda: [Delimited("csv"), Delimited("csv.gz", packed=True)])
    read, rows = figures(2000)
    assert read["met"]
    assert read["value"] >= 2000
    assert (rows["value"], rows["met"]) == (0, True)
