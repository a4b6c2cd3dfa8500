"""Each fact that one row can decide: a draft that was settled by its bounds and categories alone is not certified."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import sfumato as sf
from sfumato.errors import SchemaError
from sfumato.schema import Schema
from sfumato.schema.sources import Sourced

N = 2000
WHOLE = [str(1000 + i % 500) for i in range(N)]
DAYS = [f"2020-01-{1 + i % 28:02}" for i in range(N)]
CODES = [str(i % 12) for i in range(N)]
TOWNS = [f"town {i % 40}" for i in range(N)]
ONE_ROW: dict[str, tuple[list[Any], Any]] = {
    # what one more row decides: the cells of D, the cell of r
    "kind: whole or not": (WHOLE, "1200.5"),
    "kind: number or text": (WHOLE, "unknown"),
    "kind: code or quantity": (CODES, "12"),
    "kind: day or moment": (DAYS, "2020-01-01 10:30:00"),
    "kind: identifier or not": ([f"P{i}" for i in range(N)], "P7"),
    "bounds": (WHOLE, "9999999"),
    "categories": (TOWNS, "Atlantis"),
    "nullable": (WHOLE, ""),
    "nullable, of dates": (DAYS, ""),
    "nulls": (WHOLE, "-"),
    "nulls, of categories": (TOWNS, "N/A"),
    "nulls, rare": (WHOLE, "X"),
    "step": ([f"{i % 90}.5" for i in range(N)], "12.25"),
    "step, none": ([f"{i % 90}.5" for i in range(N)], "12.2512345"),
    "format": ([f"{1 + i % 12:02}/{1 + i % 12:02}/2020" for i in range(N)], "05/17/2020"),
    "labels": ([["no", "yes"][i % 2] for i in range(N - 1)], "NO"),
    "description": ([None] * 10, "x"),
}


def table(cells: list[Any]) -> pa.Table:
    return pa.table({"x": pa.array(cells, pa.string()), "sex": (["F", "M"] * len(cells))[: len(cells)]})


def draft(cells: list[Any]) -> Schema:
    return sf.sketch(table(cells))


def only_values_settled(schema: Schema, word: str) -> Schema:
    """What the advice of earlier drafts left: bounds and categories settled, and no word on all else."""
    columns = []
    for c in schema.columns:
        fields = {name: getattr(c, name) for name in type(c).model_fields}
        if c.values_fact is not None and c.name == "x":
            fields["source"] = {c.values_fact: word}
            if word == "measured":
                fields[c.values_fact] = None
                fields |= {"outside": "other"} if c.kind == "category" else {}
        elif c.name == "sex":
            fields["source"] = "public"
        else:
            fields["source"] = None
        columns.append(type(c)(**fields))
    return schema.with_columns(tuple(columns)).with_constraints(())


@pytest.mark.parametrize("word", ["public", "measured"])
@pytest.mark.parametrize("fact", ONE_ROW)
def test_a_fact_that_one_row_decides_is_not_certified(fact: str, word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cells, cell = ONE_ROW[fact]
    drafts = [draft(cells), draft([*cells, cell])]
    assert drafts[0] != drafts[1]
    assert all(not f.settled for d in drafts for f in d.facts())
    settled = [only_values_settled(d, word) for d in drafts]
    for schema in settled:
        assert {f.name for f in schema.open_facts()} == {"x"}
        with pytest.raises(SchemaError, match="unreviewed or have no source: x"):
            sf.Synthesizer(schema, model="independent", ledger=sf.Ledger.open(None)).fit(table(cells))
    monkeypatch.setattr(Sourced, "source_of", public_unless_named)  # as it was: what is not listed is public
    assert [s.open_facts() for s in settled] == [[], []]


@pytest.mark.parametrize("fact", ONE_ROW)
def test_answers_that_replace_a_line_leave_nothing_of_the_row(fact: str) -> None:
    cells, cell = ONE_ROW[fact]
    because = "code book"
    own = {"kind": "category", "categories": ["a", "b"], "outside": "other", "nullable": True, "nulls": ["-"]}
    line = {f: {"replace": value, "reason": because} for f, value in own.items()} | {"rest": {"public": because}}
    answers = {"by": "A", "on": "2026-01-02", "columns": {"x": line, "sex": {"public": because}}}
    one, other = draft(cells), draft([*cells, cell])
    assert one != other
    assert one.review(answers) == other.review(answers)
    assert one.review(answers).open_facts() == []


def public_unless_named(column: Any, fact: str) -> str:
    return column.source if isinstance(column.source, str) else (column.source or {}).get(fact, "public")


def test_a_bare_measured_speaks_only_for_what_is_measured() -> None:
    text = re.sub(r"bounds: \[[^\]]*\], ", "", draft(WHOLE).dump()).replace("source: unreviewed", "source: measured")
    text = text.replace("categories: [F, M], source: measured", "categories: [F, M], source: public")
    schema = Schema.parse(text)
    assert {f.fact for f in schema.open_facts()} == set(schema.column("x").facts()) - {"bounds", "nullable"}


def test_combinations_are_decided_by_a_row_and_are_open() -> None:
    grades = [str(j % 20) for j in range(N)]
    table = {"grade": grades, "level": [f"L{g}" for g in grades]}
    one_more = {"grade": [*grades, grades[0]], "level": [*table["level"], f"L{grades[1]}"]}
    schema = sf.sketch(pa.table(table))
    assert [str(f) for f in schema.open_facts() if f.part == "constraint"] == ["fixed_combinations on grade, level"]
    assert sf.sketch(pa.table(one_more)).constraints == ()


def test_the_dialect_is_drafted_and_open_also_where_it_is_the_default(tmp_path: Path) -> None:
    drafts = []
    for name, more in (("d.csv", b""), ("more.csv", "Köln,1\n".encode("latin-1"))):
        (tmp_path / name).write_bytes(b"town,n\n" + b"Delft,1\n" * 50 + more)
        drafts.append(sf.sketch(tmp_path / name))
        assert "file" in drafts[-1].unreviewed()
    assert drafts[0].file != drafts[1].file
    settled = [Schema.parse(d.dump().replace("source: unreviewed}\n", "source: public}\n")) for d in drafts]
    for schema in settled:
        assert schema.unreviewed() == ["file"]  # its line ends in a comment, and was not reviewed
        with pytest.raises(SchemaError, match=r"no source: file\. Write"):
            sf.Synthesizer(schema, model="independent").fit(tmp_path / "d.csv")


def test_the_reproduction_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared_data: Path) -> None:
    script = shared_data.parent / "cases" / "guarantee" / "one_row_stays_in_a_reviewed_schema.py"
    if not script.exists():
        pytest.skip("the shared cases are not here")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SchemaError, match=r"file\.source: this is declared, not measured|have no source"):
        runpy.run_path(str(script))
