"""Real, holdout and synthetic rows under one schema: as tables, and as codes that attacks and measures compare.

One place settles what is open and reads rows of other generators, for evaluation, audits and reports alike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from sfumato.encoding.codec import Codec
from sfumato.encoding.domain import Domain
from sfumato.encoding.facts import settled
from sfumato.encoding.measure import measure_facts
from sfumato.encoding.rows import EncodedRows
from sfumato.errors import TableError
from sfumato.evaluation.refused_rows import NONE_REFUSED, RefusedRows
from sfumato.evaluation.violations import Violations, tolerant, violations
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger
from sfumato.progress import Silent
from sfumato.schema import Schema
from sfumato.schema.sketch import sketch
from sfumato.tables import Rows
from sfumato.tables.dialect import Dialect
from sfumato.tables.source import RowSource
from sfumato.trust.budget import Budget
from sfumato.trust.facts import CentralFacts
from sfumato.written import claim

_BLOCK = 1 << 18
"""Rows encoded at a time: the temporary arrays stay below a gigabyte."""


class ArrowTables(NamedTuple):
    """The rows as they were read; None for synthetic rows that were drawn from a model as codes."""

    real: pa.Table
    holdout: pa.Table
    synthetic: pa.Table | None


@dataclass(frozen=True)
class EvaluationData:
    """Three tables under one schema.

    Attributes:
        schema: the facts, none of them open.
        codec: values to codes and back.
        tables: the rows as they were read, all of them.
        real: (n, d) codes of the rows that a model was fitted to.
        holdout: (m, d) codes of rows of the same population that no model saw.
        synthetic: (k, d) codes of the rows that are judged.
        left_out: how many rows have no codes, because they hold a cell that the schema refuses: a fit leaves them out.

    Formal guarantee: none. All of it is real rows without noise, and stays inside.
    """

    schema: Schema
    codec: Codec
    tables: ArrowTables
    real: np.ndarray
    holdout: np.ndarray
    synthetic: np.ndarray
    left_out: RefusedRows = NONE_REFUSED

    @classmethod
    def of_schema(cls, schema: Schema, real: RowSource, holdout: RowSource, synthetic: RowSource) -> EvaluationData:
        """By a schema; what it leaves to be measured is read exactly off the real rows, and never released.

        Real and holdout rows with a cell that the schema refuses are left out, as a fit leaves them out. Synthetic
        rows of any generator are read: where one is refused, all three tables are encoded without the schema's
        constraints, and a synthetic cell that it does not allow counts as missing.

        Raises:
            TableError: a table cannot be read, lacks a column of the schema, or has no row that the schema allows.
        """
        _claim(real, holdout)
        known = _settled(schema, real)
        tables = ArrowTables(
            _read(real, known, known.dialect),
            _read(holdout, known, known.dialect),
            made := _read(synthetic, known, known.written),
        )
        return _compared(known, Schema(columns=known.columns, nulls=known.nulls), tables, made)

    @classmethod
    def drafted(cls, real: RowSource, holdout: RowSource, synthetic: RowSource) -> EvaluationData:
        """Without a schema: one is drafted from all rows of the columns that the three tables share.

        How delimited text is written is guessed, for each table by itself.

        Raises:
            TableError: a table cannot be read, or they share no column.
        """
        _claim(real, holdout)
        whole = [_whole(Rows.open(source)) for source in (real, holdout, synthetic)]
        names = [name for name in whole[0].column_names if all(name in t.column_names for t in whole[1:])]
        if not names:
            raise TableError("the three tables share no column; nothing can be compared")
        tables = ArrowTables(whole[0].select(names), whole[1].select(names), made := whole[2].select(names))
        known = _draft((tables.real, tables.holdout, made))
        return _compared(known, Schema(columns=known.columns, nulls=known.nulls), tables, made)

    @classmethod
    def of_model(
        cls, codec: Codec, real: RowSource, holdout: RowSource, synthetic: RowSource | np.ndarray
    ) -> EvaluationData:
        """By the codec of a fitted model; ``synthetic`` are rows, or codes that were drawn from it.

        Real and holdout rows with a cell that the schema refuses are left out, as the fit left them out.

        Raises:
            TableError: a table cannot be read, lacks a column of the model's schema, or has no row that it allows.
            RefusedValue: a synthetic row breaks the schema: it was not drawn from this model.
        """
        _claim(real, holdout)
        schema, learnt = codec.schema, _learnt(codec.schema)
        tables = ArrowTables(_read(real, schema, schema.dialect), _read(holdout, schema, schema.dialect), None)
        kept = _Kept.of(tables, learnt)
        if isinstance(synthetic, np.ndarray):
            return cls(schema, codec, tables, kept.real.records, kept.holdout.records, synthetic, kept.left_out)
        made = _read(synthetic, schema, schema.written)
        encoded = _encoded(made, learnt)
        if encoded.why is not None:
            raise encoded.why
        tables = tables._replace(synthetic=made)
        return cls(schema, codec, tables, kept.real.records, kept.holdout.records, encoded.codes, kept.left_out)

    @property
    def domain(self) -> Domain:
        """The encoded columns."""
        return self.codec.domain

    def position(self, column: str | None) -> int | None:
        """The position of a column in the codes; None for none."""
        return None if column is None else self.codec.position(column)

    def violations(self, seed: int = 0) -> Violations:
        """Shares of rows that break the schema; codes that were drawn from a model are decoded first."""
        real, holdout, made = self.tables
        if made is None:
            made = self.codec.decode(self.synthetic, np.random.default_rng(seed))
        return violations(real, holdout, made, self.schema, seed=seed)


def _claim(*real: RowSource) -> None:
    for source in real:
        claim(source)


def _settled(schema: Schema, real: RowSource) -> Schema:
    """The schema with open facts read exactly off the real rows: nothing of this is released."""
    if not schema.measured():
        return settled(schema, {})
    rows = Rows.open(real, schema.dialect)
    schema.check_columns(rows.columns)
    with Ledger.open(None) as ledger, ledger.begin(Guarantee(math.inf), "evaluate") as exact:
        return settled(schema, measure_facts(schema, CentralFacts(rows, schema, Budget(exact), Silent())))


def _read(source: RowSource, schema: Schema, dialect: Dialect) -> pa.Table:
    """The columns of the schema that a table has; it must have all that are learnt."""
    rows = Rows.open(source, dialect)
    lacking = [c.name for c in schema.columns if c.modelled and c.name not in rows.columns]
    if lacking:
        raise TableError(f"{rows.name}: lacks the column {lacking[0]!r} of the schema")
    return _whole(rows, [name for name in schema.names if name in rows.columns])


def _whole(rows: Rows, names: Sequence[str] | None = None) -> pa.Table:
    chosen = rows.columns if names is None else names
    return pa.Table.from_batches([batch.select(list(chosen)) for batch in rows.batches()])


def _learnt(known: Schema) -> Codec:
    """The codec of the columns that are learnt."""
    columns = tuple(c for c in known.columns if c.modelled)
    return Codec.from_schema(known.model_copy(update={"columns": columns}))


@dataclass(frozen=True)
class _Kept:
    """The encoded real and holdout rows, with the masks of those that are left out."""

    real: EncodedRows
    holdout: EncodedRows

    @classmethod
    def of(cls, tables: ArrowTables, codec: Codec) -> _Kept:
        """TableError where no row of a table is left."""
        found = cls(_encoded(tables.real, codec), _encoded(tables.holdout, codec))
        for name, rows in (("real", found.real), ("holdout", found.holdout)):
            if len(rows.codes) and rows.refused.all():
                raise TableError(
                    f"the schema refuses each row of the {name} table: are they of this schema? {rows.why}"
                )
        return found

    @property
    def left_out(self) -> RefusedRows:
        return RefusedRows(int(self.real.refused.sum()), int(self.holdout.refused.sum()))


def _compared(known: Schema, bare: Schema, tables: ArrowTables, made: pa.Table) -> EvaluationData:
    """By ``bare``, the facts without constraints; tolerantly where it refuses a synthetic row."""
    codec = _learnt(bare)
    kept, own = _Kept.of(tables, codec), _encoded(made, codec)
    real, holdout = kept.real.records, kept.holdout.records
    if own.why is not None:  # the rows of other generators may break the schema; how often is part of the answer
        codec = Codec.from_schema(tolerant(known))
        real, holdout = (
            _encoded(table, codec).codes[~rows.refused]
            for table, rows in ((tables.real, kept.real), (tables.holdout, kept.holdout))
        )
        own = _encoded(made, codec)
    return EvaluationData(known, codec, tables, real, holdout, own.codes, kept.left_out)


def _encoded(table: pa.Table, codec: Codec) -> EncodedRows:
    """(n, d) codes of all rows, with the masks of those that the schema refuses."""
    batches = table.select(list(codec.schema.names)).to_batches(max_chunksize=_BLOCK)
    parts = [codec.encode_rows(batch) for batch in batches]
    codes, outside, refused = (np.concatenate([getattr(p, n) for p in parts]) for n in ("codes", "outside", "refused"))
    return EncodedRows(codes, outside, refused, next((p.why for p in parts if p.why is not None), None))


def _draft(tables: Sequence[pa.Table]) -> Schema:
    """A schema of the union; a column whose type differs between the tables is read as text, unless it holds images."""
    fields = []
    for field in tables[0].schema:
        kinds = {t.schema.field(field.name).type for t in tables}
        if len(kinds) > 1 and any(isinstance(kind, pa.BaseExtensionType) for kind in kinds):
            raise TableError(f"the images in column {field.name!r} are not of one size and kind in the three tables")
        fields.append(pa.field(field.name, field.type if len(kinds) == 1 else pa.string()))
    return sketch(pa.concat_tables(t.cast(pa.schema(fields)) for t in tables))
