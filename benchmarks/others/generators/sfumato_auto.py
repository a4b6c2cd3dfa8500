"""sfumato, default model, epsilon 1, facts declared without a look at the rows: rows.csv made.csv count."""

import sys

import pyarrow.csv

import sfumato as sf
from sfumato.schema import CategoryColumn, IntegerColumn, Schema

rows, made, count = sys.argv[1:4]
declared = Schema.load(sf.examples.adult_schema())
columns = []
for name in pyarrow.csv.read_csv(rows).column_names:
    column = declared.column(name)
    if isinstance(column, CategoryColumn):
        column = column.model_copy(update={"outside": "other", "ordered": False})
    assert isinstance(column, CategoryColumn | IntegerColumn)
    columns.append(column)

schema = Schema(columns=tuple(columns), nulls=declared.nulls)
synthesizer = sf.Synthesizer(schema, guarantee=sf.Guarantee(1.0, 1e-5), ledger=f"{made}.ledger").fit(rows)
synthesizer.sample(int(count)).write(made)
synthesizer.save(f"{made}.sfm")
