"""Two engines to hold rows: DuckDB in the process, and a PostgreSQL server of the test's own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa

_TYPES = {
    "string": "text",
    "int8": "smallint",
    "int16": "smallint",
    "int32": "integer",
    "int64": "bigint",
    "bool": "boolean",
    "float": "real",
    "double": "double precision",
    "date32[day]": "date",
    "timestamp[us]": "timestamp",
    "timestamp[us, tz=UTC]": "timestamptz",
    "time64[us]": "time",
}


def in_duckdb(rows: pa.Table) -> Any:
    """The rows as an Ibis table of a DuckDB database in memory."""
    backend = ibis.duckdb.connect()
    backend.con.register("given", rows)
    backend.raw_sql("CREATE TABLE rows AS SELECT * FROM given")
    return backend.table("rows")


def in_postgres(rows: pa.Table, backend: Any, name: str = "rows") -> Any:
    """The rows as an Ibis table of ``backend``, replacing the one of that name."""
    columns = ", ".join(f'"{f.name}" {_sql_type(f.type)}' for f in rows.schema)
    with backend.con.cursor() as cursor:
        cursor.execute(f'DROP TABLE IF EXISTS "{name}"')
        cursor.execute(f'CREATE TABLE "{name}" ({columns})')
        with cursor.copy(f'COPY "{name}" FROM STDIN') as copy:
            for row in zip(*(c.to_pylist() for c in rows.columns), strict=True):
                copy.write_row(row)
    return backend.table(name)


def _sql_type(kind: pa.DataType) -> str:
    return f"numeric({kind.precision}, {kind.scale})" if pa.types.is_decimal(kind) else _TYPES[str(kind)]


@contextmanager
def postgres_server(locate: Callable[[str, str], str]) -> Iterator[str]:
    """The address of a server on a socket in a folder of its own, run without privileges and ended by its id."""
    home = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    programs = Path(locate("postgresql", str(home[-1] / "initdb") if home else "initdb")).parent
    folder = Path(tempfile.mkdtemp(prefix="sfumato-"))
    as_user: list[str] = []
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
        as_user = [locate("util-linux", "setpriv"), "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    data = folder / "data"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/"}
    make = [*as_user, str(programs / "initdb"), "-D", str(data), "-A", "trust", "-U", "tester", "-E", "UTF8", "-N"]
    subprocess.run(make, check=True, **quiet)
    serve = ["-D", str(data), "-k", str(folder), "-c", "listen_addresses=", "-c", "fsync=off"]
    server = subprocess.Popen([*as_user, str(programs / "postgres"), *serve], **quiet)
    try:
        ready = [str(programs / "pg_isready"), "-q", "-h", str(folder)]
        while subprocess.run(ready, check=False, **quiet).returncode != 0:
            assert server.poll() is None, "the PostgreSQL server ended early"
        yield f"postgresql://tester@/postgres?host={folder}"
    finally:
        server.send_signal(signal.SIGINT)  # a fast shutdown, which waits for no connection
        server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)
