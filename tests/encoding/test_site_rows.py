"""Tables of sites that are written otherwise give the codes of the schema's own, from bytes to records."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from tests.encoding.hostile import CELLS

import sfumato as sf
from sfumato.encoding.codec import Codec
from sfumato.encoding.site_rows import mapped, site_rows
from sfumato.errors import RefusedValue, SchemaError, TableError
from sfumato.progress import Silent
from sfumato.schema.site_mapping import SiteMapping
from sfumato.tables import Rows
from sfumato.trust.gathering import gather
from sfumato.trust.records import ExactRecords

ADULT = sf.Schema.load(sf.examples.adult_schema())
ROWS = sf.examples.adult().arrow.slice(0, 3000).to_pylist()
NAMES = list(ADULT.names)


def gathered(rows: Rows, schema: sf.Schema) -> ExactRecords:
    return gather(rows, Codec.from_schema(schema), Silent())


def records(source: object, schema: sf.Schema, site: str | None = None) -> ExactRecords:
    mapping = None if site is None else SiteMapping.parse(f"sfumato: site/1\n{site}", schema)
    return gathered(site_rows(source, schema, mapping), schema)  # type: ignore[arg-type]


def written(path: Path, rows: Sequence[Mapping[str, object]], names: Sequence[str], **how: str) -> Path:
    """A CSV file with a header, in a charset and by a delimiter."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=how.get("delimiter", ","), lineterminator="\n")
    lines = [[row[name] for name in NAMES] for row in rows]
    writer.writerows([names, *lines] if names else lines)
    path.write_bytes(text.getvalue().encode(how.get("charset", "utf-8")))
    return path


def other(row: Mapping[str, object], **changes: object) -> dict[str, object]:
    return {**row, **{name.replace("_", "-"): value for name, value in changes.items()}}


def grouped(number: object) -> str:
    return f"{number:,}".replace(",", ".")


def comma(row: Mapping[str, object]) -> dict[str, object]:
    thousands = f"{Decimal(str(row['capital-gain'])) / 1000}".replace(".", ",")
    country = row["native-country"] or "k.A."
    return other(row, capital_gain=thousands, fnlwgt=grouped(row["fnlwgt"]), native_country=country)


COMMA = """\
file: {delimiter: ";"}
nulls: [k.A.]
columns:
  age: {from: age}
  workclass: {from: workclass}
  fnlwgt: {from: fnlwgt, decimal: ",", thousands: "."}
  education: {from: education}
  education-num: {from: education-num, decimal: ","}
  marital-status: {from: marital-status}
  occupation: {from: occupation}
  relationship: {from: relationship}
  race: {from: race}
  sex: {from: sex}
  capital-gain: {from: capital-gain, unit: {times: 1000}, decimal: ","}
  capital-loss: {from: capital-loss}
  hours-per-week: {from: hours-per-week}
  native-country: {from: native-country}
  income: {from: income}
"""
LABELS = {"Male": "Männlich", "Female": "2"}
INCOMES = {"<=50K": ">50K", ">50K": "niedrig"}  # one of the site's labels is another of the schema's


def german(row: Mapping[str, object]) -> dict[str, object]:
    loss = f"{row['capital-loss']}00"
    missing = row["workclass"] or "unbekannt"
    return other(row, sex=LABELS[row["sex"]], income=INCOMES[row["income"]], capital_loss=loss, workclass=missing)  # type: ignore[index]


GERMAN = """\
file: {charset: cp1252}
columns:
  income: {from: Einkommen, labels: {">50K": "<=50K", niedrig: ">50K"}}
  age: {from: Alter}
  workclass: {from: Arbeit, nulls: [unbekannt, ""]}
  fnlwgt: {from: Gewicht}
  education: {from: Bildung}
  education-num: {from: BildungNr}
  marital-status: {from: Stand}
  occupation: {from: Beruf}
  relationship: {from: Rolle}
  race: {from: Gruppe}
  sex: {from: Geschlecht, labels: {Männlich: Male, 2: Female}}
  capital-gain: {from: Gewinn}
  capital-loss: {from: Verlust, unit: {times: 0.01}}
  hours-per-week: {from: Stunden}
  native-country: {from: Land}
"""
GERMAN_NAMES = [
    *("Alter", "Arbeit", "Gewicht", "Bildung", "BildungNr", "Stand", "Beruf", "Rolle", "Gruppe", "Geschlecht"),
    *("Gewinn", "Verlust", "Stunden", "Land", "Einkommen"),
]


def headless(row: Mapping[str, object]) -> dict[str, object]:
    return other(row, age=int(str(row["age"])) - 17, occupation=row["occupation"] or "-9", race=f"r_{row['race']}")


HEADLESS = "file: {delimiter: '\\t', header: false, quote: ''}\ncolumns:\n".replace("'", '"') + "".join(
    {
        "age": "  age: {from: age, unit: {plus: 17}}\n",
        "occupation": "  occupation: {from: job, nulls: [-9]}\n",
        "race": "  race: {from: race, labels: {r_White: White, r_Asian-Pac-Islander: Asian-Pac-Islander, "
        "r_Amer-Indian-Eskimo: Amer-Indian-Eskimo, r_Other: Other, r_Black: Black}}\n",
    }.get(name, f"  {name}: {{from: {name}}}\n")
    for name in NAMES
)
DIALECTS = {
    "decimal commas": (comma, COMMA, NAMES, {"delimiter": ";"}),
    "other names and labels": (german, GERMAN, GERMAN_NAMES, {"charset": "cp1252"}),
    "no header and an offset": (headless, HEADLESS, [], {"delimiter": "\t"}),
}
DAMAGE = [  # what no reader of a number reads, or lies beyond the bounds
    {"age": "<30"},
    {"capital-gain": "1e9"},
    {"hours-per-week": ""},
    {"sex": "ZEBRA"},
    {"native-country": "ZEBRA"},
]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> ExactRecords:
    rows = [*ROWS, *({**ROWS[0], **bad} for bad in DAMAGE)]
    return records(written(tmp_path_factory.mktemp("adult") / "adult.csv", rows, NAMES), ADULT)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_same_rows_written_otherwise_are_the_same_records(
    original: ExactRecords, tmp_path: Path, dialect: str
) -> None:
    change, site, names, how = DIALECTS[dialect]
    rows = [*map(change, ROWS), *({**change(ROWS[0]), **bad} for bad in DAMAGE)]
    found = records(written(tmp_path / "site.csv", rows, names, **how), ADULT, site)
    np.testing.assert_array_equal(found.matrix(), original.matrix())
    assert found.outside == original.outside == 5
    assert len(found) == len(ROWS) + 1  # the gain is clipped; the other damaged rows are left out


@pytest.mark.parametrize("kind", ["pyarrow", "pandas", "objects"])
def test_typed_tables_are_mapped_alike(original: ExactRecords, kind: str) -> None:
    """Numbers that are stored as such have no signs to be read by; labels and marks are compared by their text."""
    rows = [other(german(row), capital_loss=float(str(row["capital-loss"])) * 100) for row in ROWS]
    table = pa.Table.from_pylist(rows).rename_columns(GERMAN_NAMES)
    frame = table if kind == "pyarrow" else table.to_pandas()
    found = records(frame if kind != "objects" else frame.astype(object), ADULT, GERMAN)
    np.testing.assert_array_equal(found.matrix(), original.matrix()[: len(ROWS)])


SMALL = sf.Schema.parse("""\
sfumato: schema/1
unit: {column: who, max_rows: 2, source: public}
nulls: ["", "?"]
columns:
  who: {kind: identifier, source: public}
  height: {kind: integer, bounds: [50, 250], unit: cm, nullable: true, outside: missing, source: public}
  weight: {kind: real, bounds: [0, 300], step: 0.1, nullable: true, decimal: ",", source: public}
  ill: {kind: boolean, labels: [nee, ja], nullable: true, outside: missing, source: public}
  born: {kind: date, bounds: [1900-01-01, 2020-12-31], nullable: true, outside: missing, source: public}
  seen:
    kind: datetime
    bounds: [2020-01-01, 2020-01-02]
    tz: Europe/Amsterdam
    resolution: minute
    nullable: true
    source: public
  at: {kind: time, nullable: true, outside: missing, source: public}
  note: {kind: text, source: public}
""")
SITE = """\
nulls: [leer]
columns:
  who: {from: Pat}
  height: {from: m, unit: {times: 100}}
  weight: {from: lb, unit: {times: 0.45359237}, decimal: ".", thousands: ","}
  ill: {from: krank, labels: {N: nee, J: ja}}
  born: {from: geb, format: "%d.%m.%Y"}
  seen: {from: zeit, format: "%d.%m.%Y %H:%M"}
  at: {from: uhr, format: "%H.%M"}
"""
THEIRS = ("Pat", "m", "lb", "krank", "geb", "zeit", "uhr", "Zimmer")


def coded(column: str, ours: object, theirs: object) -> list[tuple[int, int]]:
    """The code of one cell of the schema, and of the site's cell, and whether it lies outside; others are empty."""
    mapping = SiteMapping.parse(f"sfumato: site/1\n{SITE}", SMALL)
    name = mapping.columns[column].source
    table = pa.table({n: [theirs if n == name else None] for n in THEIRS} | {"Pat": ["1"]})
    own = pa.table({n: [ours if n == column else None] for n in SMALL.names} | {"who": ["1"]})
    at = Codec.from_schema(SMALL).position(column)
    both = gathered(site_rows(own, SMALL), SMALL), gathered(site_rows(table, SMALL, mapping), SMALL)
    return [(int(r.matrix()[0, at]), r.outside) for r in both]


@pytest.mark.parametrize(
    ("column", "ours", "theirs"),
    [
        ("height", "180", "1.80"),
        ("height", "180", " +1.8e0 "),
        ("height", "180", 1.8),
        ("height", "180", np.float32(1.8)),
        ("height", "180", Decimal("1.80")),
        ("height", "<1", "1.805"),
        ("height", "<1", "1,80"),
        ("height", "<1", "1.8 m"),
        ("height", "inf", "-1e9999"),
        ("height", None, "leer"),
        ("height", "?", "?"),
        ("height", "NaN", "nan"),
        ("height", None, float("nan")),
        ("height", "<1", "9" * 5000),
        ("height", "<1", "1e999999999"),
        ("weight", "80,5", "177.4722101104"),
        ("weight", "560", "1,234.5"),
        ("weight", "x", "80,5"),
        ("weight", "", ""),
        ("ill", "ja", "J"),
        ("ill", "nee", "N"),
        ("ill", "ja", "ja"),
        ("ill", "?", "?"),
        ("ill", "true", True),
        ("born", "1970-02-28", "28.02.1970"),
        ("born", "x", "1970-02-28"),
        ("born", "x", "30.02.1970"),
        ("born", None, "leer"),
        ("born", dt.date(1970, 2, 28), dt.datetime(1970, 2, 28, 23, 59)),
        ("seen", "2020-01-01 10:30", "01.01.2020 10:30"),
        ("at", "23:15", "23.15"),
        ("at", dt.time(23, 15), dt.time(23, 15)),
    ],
    ids=str,
)
def test_a_cell_has_the_code_of_what_it_says(column: str, ours: object, theirs: object) -> None:
    one, other_ = coded(column, ours, theirs)
    assert one == other_


def test_stored_numbers_in_other_units_are_exact_to_the_last_cell() -> None:
    """A float times 100 is often no whole number; the decimal that people wrote is."""
    metres = [f"{cm / 100:.2f}" for cm in range(50, 251)]
    mapping = SiteMapping.parse(f"sfumato: site/1\n{SITE}", SMALL)
    for cells in (pa.array(metres), pa.array(map(float, metres)), pa.array(metres).cast(pa.float32())):
        table = pa.table({n: pa.nulls(201, pa.string()) for n in THEIRS} | {"m": cells, "Pat": pa.array(range(201))})
        found = gathered(site_rows(table, SMALL, mapping), SMALL)
        assert found.matrix()[:, 0].tolist() == list(range(201))


@pytest.mark.parametrize("column", ["height", "weight", "ill", "born", "seen", "at"])
def test_what_becomes_of_a_cell_hangs_on_no_other(column: str) -> None:
    """Hostile cells together, alone, and in a column of objects."""
    mapping = SiteMapping.parse(f"sfumato: site/1\n{SITE}", SMALL)
    name, at = mapping.columns[column].source, Codec.from_schema(SMALL).position(column)

    def codes(cells: Sequence[str]) -> list[int]:
        table = pa.table({n: pa.nulls(len(cells), pa.string()) for n in THEIRS} | {name: pa.array(cells)})
        table = table.set_column(0, "Pat", pa.array(range(len(cells))))
        return gathered(site_rows(table, SMALL, mapping), SMALL).matrix()[:, at].tolist()

    texts = [*CELLS, "1.80", "1,234.5", "28.02.1970", "leer"]
    together = codes(texts)
    assert together == [codes([text])[0] for text in texts]
    objects = pd.DataFrame(dict.fromkeys(THEIRS, [None] * len(texts)) | {name: texts, "Pat": range(len(texts))})
    found = gathered(site_rows(objects.astype(object), SMALL, mapping), SMALL)
    assert found.matrix()[:, at].tolist() == together


def test_rows_of_a_person_are_bounded_by_the_sites_own_column(tmp_path: Path) -> None:
    path = tmp_path / "site.csv"
    path.write_text(
        "Pat,m,lb,krank,geb,zeit,uhr\n" + "7,1.5,,,,,\n" * 5 + "8,1.5,,,,,\nleer,1.5,,,,,\n,1.5,,,,,\n?,1.5,,,,,\n"
    )
    assert len(records(path, SMALL, SITE)) == 2 + 1 + 2  # 7, 8, and those without a mark as one


def test_nothing_of_a_cell_is_in_an_error(tmp_path: Path) -> None:
    """Canaries in every cell, in the header, and in a file that does not fit."""
    path = tmp_path / "site.csv"
    mapping = SiteMapping.parse(f"sfumato: site/1\n{SITE}", SMALL)
    path.write_text(",".join(THEIRS) + "\n" + ",".join(["ZEBRA"] * 8) + "\n")
    rows = site_rows(path, SMALL, mapping)
    strict = Codec.from_schema(sf.Schema.parse(SMALL.dump().replace("outside: missing", "outside: refuse")))
    with pytest.raises(RefusedValue) as told:
        strict.encode(next(rows.cells()))
    assert "ZEBRA" not in f"{told.value!r} {rows!r} {rows.source!r}"
    for text, error in (
        ("ZEBRA,QUAGGA\nZEBRA,1\n", SchemaError),
        ("Pat,QUAGGA\n1,ZEBRA\n", SchemaError),
        (",".join(THEIRS) + "\nZEBRA,1\n", TableError),
        (";".join(THEIRS) + "\n" + ";".join(["ZEBRA"] * 8) + "\n", TableError),
    ):
        path.write_text(text)
        with pytest.raises(error) as told:
            site_rows(path, SMALL, mapping)
        assert not {"ZEBRA", "QUAGGA"} & set(str(told.value).replace("'", " ").split())
    assert "write in the site's file: file: {delimiter" in str(told.value)


def test_a_view_is_like_any_table_of_the_schema() -> None:
    rows = mapped(
        Rows.open(pa.table({n: ["1"] for n in THEIRS})), SiteMapping.parse(f"sfumato: site/1\n{SITE}", SMALL), SMALL
    )
    assert rows.columns == SMALL.names
    assert (rows.kind, rows.stored_types) == ("mapped", {})
    assert next(rows.batches()).schema == rows.schema
    with pytest.raises(SchemaError, match=r"no column 'm', from which the site's file takes 'height'"):
        mapped(Rows.open(pa.table({"Pat": ["1"]})), SiteMapping.parse(f"sfumato: site/1\n{SITE}", SMALL), SMALL)
