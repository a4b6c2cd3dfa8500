"""A table that stays in a database, named on the command line by its address."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import ibis
import pyarrow.csv
import pytest
from tests.engines import in_postgres, postgres_server
from tests.journeys.conftest import CANARY, Done

Run = Callable[..., Done]

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning")  # Ibis 12 on DuckDB 2


@pytest.fixture
def address(tmp_path: Path, data: Path) -> str:
    with duckdb.connect(str(tmp_path / "people.duckdb")) as connection:
        connection.execute(f"CREATE TABLE people AS SELECT * FROM read_csv('{data}')")
    return "duckdb://people.duckdb?table=people"


def test_the_whole_way_from_a_table_in_duckdb(run: Run, schema: Path, address: str, data: Path) -> None:
    assert run("sketch", address, "-o", "draft.yaml", "--json").fine().json["columns"] == 5
    ledger = ("--ledger", "people.ledger")
    found = run("fit", address, "--schema", schema, "--model", "independent", *ledger, "--json").fine().json
    assert found["certified"] is True
    verified = run("verify", "model.sfm", "--json").fine().json
    assert "The rows lie in a database" in verified["certificate"]["trust_model"]
    run("sample", "model.sfm", "-n", 200, "-o", "made.csv").fine()
    measured = run(
        "evaluate", "--real", address, "--holdout", address, "--synthetic", "made.csv", "--schema", schema, "--quick"
    )
    assert "measure" in measured.fine().out
    assert CANARY not in Path("made.csv").read_text()


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("duckdb://people.duckdb?table=nobody", "there is no such table"),
        ("duckdb://nowhere.duckdb?table=people", "cannot connect"),
        ("duckdb://people.duckdb", "names no table; write postgresql://"),
        ("people.duckdb", "name a table in it: duckdb://people.duckdb?table=NAME"),
    ],
)
def test_a_table_that_is_not_there_is_one_line(run: Run, schema: Path, address: str, source: str, said: str) -> None:
    run("fit", source, "--schema", schema, "--ledger", "people.ledger").refused(said)
    assert not Path("nowhere.duckdb").exists()


def test_a_database_has_no_folder_for_a_ledger(run: Run, schema: Path, address: str) -> None:
    run("fit", address, "--schema", schema).refused("--ledger FILE")


def test_without_the_extra_the_line_to_install_it_is_named(
    run: Run, schema: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ibis", None)
    run("sketch", address, "-o", "draft.yaml").refused('pip install "sfumato[sql]"')


def test_a_password_goes_nowhere(
    run: Run, schema: Path, data: Path, tmp_path: Path, debian_package: Callable[[str, str], str]
) -> None:
    with postgres_server(debian_package) as server:
        backend = ibis.connect(server)
        in_postgres(pyarrow.csv.read_csv(data), backend, "people")
        backend.disconnect()
        source = server.replace("tester@", "tester:hunter2@") + "&table=people"
        fitted = run("fit", source, "--schema", schema, "--model", "independent", "--ledger", "people.ledger").fine()
        refused = run("fit", source + "x", "--schema", schema, "--ledger", "people.ledger")
    assert "hunter2" not in fitted.out + fitted.err + refused.refused("no such table")
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or b"hunter2" not in path.read_bytes(), os.fspath(path)
