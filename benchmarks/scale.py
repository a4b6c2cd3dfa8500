"""Ten million rows of fifteen columns from Parquet: seconds and memory of a whole fit, in memory and inside DuckDB.

``python -m benchmarks.scale [--rows 10000000]``. The rows are drawn from a model of the example table, written in
chunks to a temporary folder that is removed afterwards. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import asdict
from pathlib import Path

import pyarrow.parquet as pq

import sfumato as sf
from benchmarks.measured import Cost, measured

CHUNK = 500_000


def write(path: Path, rows: int) -> None:
    """``rows`` rows of a model of the example table, as Parquet."""
    schema = sf.examples.adult_schema()
    model = sf.Synthesizer(schema, "mst", guarantee=sf.Guarantee(1.0, 1e-9)).fit(sf.examples.adult())
    first = model.sample(1, seed=0).arrow.schema
    with pq.ParquetWriter(path, first) as file:
        for part, start in enumerate(range(0, rows, CHUNK)):
            file.write_table(model.sample(min(CHUNK, rows - start), seed=part).arrow.cast(first))


def fit(path: str) -> str:
    """The default model, target declared as the schema does; its name."""
    synthesizer = sf.Synthesizer(sf.examples.adult_schema(), guarantee=sf.Guarantee(1.0, 1e-9))
    return synthesizer.fit(path).model


def fit_inside(path: str) -> str:
    """The same through SQL: DuckDB reads the file, keeps the codes and counts them."""
    import ibis

    synthesizer = sf.Synthesizer(sf.examples.adult_schema(), guarantee=sf.Guarantee(1.0, 1e-9))
    return synthesizer.fit(ibis.duckdb.connect(memory_limit="1GB").read_parquet(path)).model


def figures(rows: int) -> dict[str, object]:
    """Write, fit, measure."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        _, writing = measured(write, path, rows)
        print(f"{rows} rows written: {asdict(writing)}", flush=True)
        model, cost = measured(fit, str(path))
        print(f"in memory: {asdict(cost)}", flush=True)
        _, inside = measured(fit_inside, str(path))
        size = path.stat().st_size / 2**20
    sizes = {"rows": rows, "columns": 15, "file_mb": round(size, 1), "model": model}
    return {**sizes, **_rounded(cost), "inside_duckdb": _rounded(inside)}


def _rounded(cost: Cost) -> dict[str, float]:
    return {key: round(value, 1) for key, value in asdict(cost).items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    print(json.dumps(figures(parser.parse_args().rows)))


if __name__ == "__main__":
    main()
