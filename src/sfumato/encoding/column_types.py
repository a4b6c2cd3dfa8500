"""The Arrow type in which a column comes out."""

from __future__ import annotations

import pyarrow as pa

from sfumato.schema.columns import BooleanColumn, Column, IdentifierColumn
from sfumato.schema.numeral import PLAIN
from sfumato.schema.quantities import DateColumn, DatetimeColumn, IntegerColumn, RealColumn, TimeColumn


def natural_type(column: Column) -> pa.DataType:
    """The type of a column where neither the schema nor the table that went in says one.

    Text wherever the schema says how the values are spelt: labels, a format, a decimal comma, a pattern.
    """
    match column:
        case BooleanColumn() if not column.labels:
            return pa.bool_()
        case IntegerColumn() if column.numeral == PLAIN:
            return pa.int64()
        case RealColumn() if column.numeral == PLAIN:
            return pa.float64()
        case IdentifierColumn() if not column.pattern:
            return pa.int64()
        case DateColumn() if not column.format:
            return pa.date32()
        case DatetimeColumn() if not column.format:
            return pa.timestamp("s", column.tz)
        case TimeColumn() if not column.format:
            return pa.time32("s")
    return pa.string()
