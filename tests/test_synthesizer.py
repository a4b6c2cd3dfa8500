"""The synthesizer: what it promises, refuses, keeps and gives back."""

import math

import numpy as np
import pyarrow as pa
import pytest

import sfumato as sf
from sfumato.errors import ConditionError, SchemaError, SfumatoError
from sfumato.evaluation.evaluate import evaluate
from sfumato.schema import (
    CategoryColumn,
    DateColumn,
    IdentifierColumn,
    IdUnit,
    IntegerColumn,
    RealColumn,
    Schema,
    TextColumn,
)

GUARANTEE = sf.Guarantee(epsilon=3, delta=1e-6)


def visits(n=3000, seed=0):
    """Visits of people: several rows a person, a date, a gap, free text."""
    rng = np.random.default_rng(seed)
    days = np.datetime64("2024-01-01") + rng.integers(0, 365, n)
    return pa.table(
        {
            "person": rng.integers(0, n // 3, n),
            "age": pa.array(rng.integers(18, 90, n), pa.int16()),
            "ward": rng.choice(["A", "B", "C"], n),
            "day": days.astype("datetime64[D]"),
            "score": pa.array(rng.normal(50, 10, n), mask=rng.random(n) < 0.1),
            "note": [f"note {i}" for i in range(n)],
        }
    )


def schema(unit=None, **changes):
    columns = {
        "person": IdentifierColumn(name="person", source="public"),
        "age": IntegerColumn(name="age", bounds=(0, 120), source="public"),
        "ward": CategoryColumn(name="ward", categories=("A", "B", "C"), source="public"),
        "day": DateColumn(name="day", bounds=("2024-01-01", "2024-12-31"), source="public"),
        "score": RealColumn(name="score", bounds=(0, 100), nullable=True, source="public"),
        "note": TextColumn(name="note", source="public"),
    }
    extra = {} if unit is None else {"unit": unit}
    return Schema(columns=tuple((columns | changes).values()), **extra)


def synthesizer(*arguments, **options):
    """One over a ledger of its own, in memory: rows in memory need one to be named."""
    return sf.Synthesizer(*arguments, **{"ledger": sf.Ledger.open(None), **options})


@pytest.fixture(scope="module")
def fitted():
    return synthesizer(schema(), guarantee=GUARANTEE).fit(visits())


def test_what_comes_out_has_the_types_of_what_went_in(fitted):
    table = fitted.sample(500, seed=1).arrow
    went_in = visits().schema
    assert table.column_names == ["person", "age", "ward", "day", "score"]
    assert fitted.dropped == ("note",)
    assert [table.schema.field(n).type for n in table.column_names] == [
        went_in.field(n).type for n in table.column_names
    ]
    assert table["score"].null_count > 0
    assert len(set(table["person"].to_pylist())) == 500


def test_conditions_of_every_kind_hold(fitted):
    rows = fitted.sample(200, given={"age": (30, 40), "ward": ["A", "B"], "score": None}, seed=1).arrow.to_pydict()
    assert all(30 <= a <= 40 for a in rows["age"])
    assert set(rows["ward"]) <= {"A", "B"}
    assert rows["score"] == [None] * 200
    with pytest.raises(ConditionError, match="'ward'"):
        fitted.sample(1, given={"ward": "Z"})


def default_rows_of_fits(n):
    return {synthesizer(schema(), "independent", GUARANTEE).fit(visits(n)).default_rows for _ in range(8)}


def test_the_default_number_of_rows_is_noisy_never_the_count(monkeypatch):
    found = default_rows_of_fits(300)
    assert len(found) > 3
    assert all(abs(n - 300) < 200 for n in found)
    monkeypatch.setattr("sfumato.release.release.Release.default_rows", property(lambda self: 300))
    assert len(default_rows_of_fits(300)) == 1, "a default of n would go unnoticed"


def test_seeds_fix_samples_and_nothing_else(fitted):
    assert fitted.sample(50, seed=5).arrow.equals(fitted.sample(50, seed=5).arrow)
    assert not fitted.sample(50).arrow.equals(fitted.sample(50).arrow)
    again = synthesizer(schema(), guarantee=GUARANTEE).fit(visits())
    assert not again.sample(50, seed=5).arrow.equals(fitted.sample(50, seed=5).arrow)


def test_saved_and_loaded_it_is_the_same(fitted, tmp_path):
    fitted.save(tmp_path / "m.sfm")
    again = sf.load(tmp_path / "m.sfm")
    assert again.sample(80, seed=2).arrow.equals(fitted.sample(80, seed=2).arrow)
    assert (again.certificate, again.model, again.guarantee) == (fitted.certificate, fitted.model, fitted.guarantee)
    found = sf.verify(tmp_path / "m.sfm")
    assert 0.98 * 3 < found.epsilon <= 3


def test_the_unit_of_the_schema_is_protected_and_said():
    unit = IdUnit(column="person", max_rows=2, source="public")
    by_person = synthesizer(schema(unit), guarantee=GUARANTEE).fit(visits())
    promise = by_person.certificate.to_dict()["promise"]
    assert (promise["unit"], promise["max_rows_per_unit"]) == ("person", 2)
    moved = [e["sensitivity"] for e in by_person.certificate.to_dict()["composition"]["events"] if "sensitivity" in e]
    assert moved[0] % 2 == 0  # the count of cells outside the facts: as many as two rows have
    assert set(moved[1:]) == {2}
    assert "all rows of one value of 'person'" in promise["in_words"]


def test_measured_facts_are_paid_for_and_said(tmp_path):
    opened = schema(
        age=IntegerColumn(name="age", source={"bounds": "measured", "rest": "public"}),
        ward=CategoryColumn(name="ward", source={"categories": "measured", "rest": "public"}, outside="other"),
    )
    fitted = synthesizer(opened, guarantee=GUARANTEE).fit(visits())
    facts = {c["name"]: c["sources"] for c in fitted.certificate.to_dict()["data_domain"]["columns"]}
    assert (facts["age"]["bounds"], facts["ward"]["categories"], facts["day"]["bounds"]) == (
        "measured",
        "measured",
        "public",
    )
    assert "Threshold" in {e["mechanism"] for e in fitted.certificate.to_dict()["composition"]["events"]}
    assert {"A", "B", "C"} <= set(fitted.sample(500, seed=0).arrow["ward"].to_pylist())
    fitted.save(tmp_path / "m.sfm")
    assert sf.verify(tmp_path / "m.sfm").epsilon <= 3
    assert sf.load(tmp_path / "m.sfm").sample(10, seed=1).arrow.equals(fitted.sample(10, seed=1).arrow)
    utility = evaluate(visits(), visits(seed=1), fitted.sample(2000, seed=0), opened, quick=True)
    assert utility.measures["tvd1_b32"].value < 0.3


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"model": "magic"}, "no model is called 'magic'"),
        ({"target": "moon"}, "moon"),
        ({"target": "note"}, "note"),
        ({"guarantee": sf.Guarantee(1e6, 1e-9)}, r"epsilon 1e\+06: a promise, or a cap on all runs, has at most 20"),
        ({"guarantee": sf.Guarantee(1, 1e-30)}, "delta from 1e-18"),
    ],
)
def test_what_does_not_fit_is_refused_before_a_row_is_read(change, says):
    with pytest.raises(SfumatoError, match=says):
        synthesizer(schema(), **{"guarantee": GUARANTEE, **change})


def test_unreviewed_facts_give_no_certificate():
    drafted = schema(age=IntegerColumn(name="age", bounds=(18, 89), source="unreviewed"))
    with pytest.raises(
        SchemaError, match=r"\d+ facts .* unreviewed .* age \(kind, .* `sfumato review`; .* --no-certificate"
    ):
        synthesizer(drafted, guarantee=GUARANTEE).fit(visits())
    fitted = synthesizer(drafted, guarantee=GUARANTEE, no_certificate=True).fit(visits())
    assert isinstance(fitted.certificate, sf.NoCertificate)
    assert "read off the rows" in fitted.certificate.reason


def test_declined_and_infinite_give_no_certificate():
    declined = synthesizer(schema(), guarantee=GUARANTEE, no_certificate=True).fit(visits(300))
    assert "declined" in declined.certificate.reason
    free = synthesizer(schema(), guarantee=sf.Guarantee(math.inf)).fit(visits(300))
    assert "infinite" in free.certificate.reason
    assert free.default_rows == 300


def test_a_ledger_is_shared_and_a_failed_fit_spends_nothing(tmp_path):
    book = tmp_path / "visits.ledger"
    with pytest.raises(SchemaError, match="'score'"):
        synthesizer(schema(), guarantee=GUARANTEE, ledger=book).fit(visits().drop_columns(["score"]))
    assert not book.exists()
    synthesizer(schema(), guarantee=GUARANTEE, ledger=book).fit(visits(500))
    with sf.Ledger.open(book) as ledger:
        assert [2.9 < run["epsilon_spent"] <= 3 for run in ledger.summary()["runs"]] == [True]


def test_nothing_is_given_before_the_fit(tmp_path):
    bare = synthesizer(schema())
    for ask in (bare.sample, lambda: bare.save(tmp_path / "m.sfm"), lambda: bare.certificate, lambda: bare.why):
        with pytest.raises(SfumatoError, match="not fitted"):
            ask()


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "parquet", "arrow"])
def test_rows_written_block_by_block_are_those_of_one_table(fitted, suffix, tmp_path, monkeypatch):
    monkeypatch.setattr("sfumato.release.release._BLOCK", 64)
    whole = fitted.sample(200, given={"ward": "A"}, seed=3)
    assert whole.arrow["person"].to_pylist() == list(range(1, 201))
    whole.write(tmp_path / f"whole.{suffix}")
    made = fitted.sample_to(tmp_path / f"blocks.{suffix}", 200, given={"ward": "A"}, seed=3)
    assert made == 200
    read = sf.Table.read(tmp_path / f"blocks.{suffix}").arrow
    assert read.equals(sf.Table.read(tmp_path / f"whole.{suffix}").arrow)
    with pytest.raises(ConditionError):
        fitted.sample_to(tmp_path / f"none.{suffix}", 200, given={"ward": "Z"})
    assert not (tmp_path / f"none.{suffix}").exists()


def test_blocks_of_labels_in_a_dictionary_go_to_arrow(tmp_path, monkeypatch):
    monkeypatch.setattr("sfumato.release.release._BLOCK", 64)
    table = visits().select(["ward", "age"])
    coded = table.set_column(1, "age", table["age"].dictionary_encode())
    facts = Schema(columns=(schema().column("ward"), schema().column("age")))
    fitted = synthesizer(facts, "independent", GUARANTEE).fit(
        coded.set_column(0, "ward", table["ward"].dictionary_encode())
    )
    assert fitted.sample_to(tmp_path / "made.arrow", 150, seed=0) == 150
    assert sf.Table.read(tmp_path / "made.arrow").arrow.to_pylist() == fitted.sample(150, seed=0).arrow.to_pylist()
