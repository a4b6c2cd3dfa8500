"""A table to arrays of codes and back, by public facts alone."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from pydantic import ValidationError

from sfumato.encoding.boolean import BooleanCodec
from sfumato.encoding.category import CategoryCodec
from sfumato.encoding.column import ColumnCodec, Conditions, Value
from sfumato.encoding.column_types import natural_type
from sfumato.encoding.constraints import CombinedAxis, repair_inequality
from sfumato.encoding.date import DateCodec
from sfumato.encoding.datetime import DatetimeCodec
from sfumato.encoding.domain import Axis, Domain, Pixels
from sfumato.encoding.facts import Facts, settled
from sfumato.encoding.identifier import IdentifierMaker
from sfumato.encoding.image import ImageCodec
from sfumato.encoding.integer import IntegerCodec
from sfumato.encoding.quantity import QuantityCodec
from sfumato.encoding.real import RealCodec
from sfumato.encoding.rows import EncodedRows, RowMasks, encode_cells
from sfumato.encoding.time import TimeCodec
from sfumato.errors import ConditionError, SchemaError
from sfumato.schema import FixedCombinations, Inequality, Schema
from sfumato.schema.arrow_types import parse_type
from sfumato.schema.columns import Column, IdentifierColumn, ImageColumn
from sfumato.schema.quantities import NumericColumn
from sfumato.tables.delimited_writing import dialect_metadata
from sfumato.tables.images import image_shape, image_type

_FORMAT = "codec/1"
_Part = ColumnCodec | CombinedAxis | ImageCodec
_CODECS: dict[str, Callable[..., ColumnCodec]] = {
    "category": CategoryCodec,
    "integer": IntegerCodec,
    "real": RealCodec,
    "boolean": BooleanCodec,
    "date": DateCodec,
    "datetime": DatetimeCodec,
    "time": TimeCodec,
}


@dataclass(frozen=True)
class _Place:
    """Where a modelled column lives: the position of its first axis and, in a combined one, its number within."""

    position: int
    member: int | None = None


@dataclass(frozen=True)
class Codec:
    """Rows to codes and back.

    Everything in it follows from the settled schema and the types of the table's columns, both public; so that is all
    that is saved.

    Attributes:
        schema: the facts, none of them left to be measured.
        types: Arrow type, by name, of the columns of the table that came in; empty for delimited text.

    Formal guarantee: none is needed. A codec holds no statistic of any row; encoding is a public function applied to
    each row by itself. Which rows lie outside the facts is private, and `encode_rows` tells its caller alone.

    | cell | code |
    |---|---|
    | null, NaN, a null marker | missing; refused where the column is not nullable |
    | a number or time beyond the bounds, infinite | by ``outside``: the bound (clip), missing, or refused |
    | a label that is not declared | by ``outside``: other, missing, or refused |
    | what cannot be read as the declared kind | missing where nullable and not to be refused, else refused |

    A row with a refused cell makes no record.
    """

    schema: Schema
    types: tuple[tuple[str, str], ...] = ()

    @classmethod
    def from_schema(
        cls, schema: Schema, facts: Facts | None = None, types: Mapping[str, pa.DataType] | None = None
    ) -> Codec:
        """The codec of a schema.

        Args:
            schema: declared facts.
            facts: what was paid for, for columns whose facts are measured.
            types: Arrow types of the columns that go in, where they are typed; what comes out has the same, but where
                the schema says otherwise. That a column has no type, being all null, is a fact of the rows: not used.

        Raises:
            SchemaError: a fact is neither declared nor measured, or a constraint does not fit its columns.
        """
        flat = {n: t for n, t in (types or {}).items() if image_shape(t) is None and not pa.types.is_null(t)}
        known = tuple((c.name, c.type or str(flat[c.name])) for c in schema.columns if c.name in flat)
        codec = cls(settled(schema, facts or {}), known)
        codec._check()
        return codec

    def _check(self) -> None:
        """All that a schema alone cannot tell: types, a domain, constraints that can be obeyed."""
        _ = self.domain, [self.field(c.name) for c in self.output]
        for column in self.output:
            if isinstance(column, IdentifierColumn):
                IdentifierMaker(column, self._type(column)).make(1)
        for rule in self.schema.constraints:
            if isinstance(rule, Inequality) and self._bounds(rule.low)[0].as_py() > self._bounds(rule.high)[1].as_py():
                raise SchemaError(f"by their bounds, {rule.low!r} is never at most {rule.high!r}; fix the bounds")

    @cached_property
    def output(self) -> tuple[Column, ...]:
        """The schema's columns that come out: all but text."""
        return tuple(c for c in self.schema.columns if c.kind != "text")

    @cached_property
    def dropped(self) -> tuple[str, ...]:
        """Names of the columns that do not come out."""
        return tuple(c.name for c in self.schema.columns if c.kind == "text")

    @cached_property
    def columns(self) -> dict[str, ColumnCodec]:
        """The codec of each modelled column but that of images."""
        return {
            c.name: _CODECS[c.kind](c, self.schema.null_markers(c), self._type(c))
            for c in self.schema.columns
            if c.kind in _CODECS
        }

    @cached_property
    def parts(self) -> dict[int, _Part]:
        """What is encoded together, by the position of its first axis in the domain; in the order of the schema."""
        combined: dict[str, CombinedAxis] = {}
        for rule in self.schema.constraints:
            if isinstance(rule, FixedCombinations):
                axis = CombinedAxis(rule, tuple(self.columns[name] for name in rule.columns))
                combined.update(dict.fromkeys(rule.columns, axis))
        parts: dict[int, _Part] = {}
        placed: set[int] = set()
        position = 0
        for column in self.schema.columns:
            if isinstance(column, ImageColumn):
                parts[position] = ImageCodec(column)
                position += math.prod(column.shape)
            elif column.name in self.columns:
                part = combined.get(column.name, self.columns[column.name])
                if id(part) not in placed:
                    placed.add(id(part))
                    parts[position] = part
                    position += 1
        return parts

    @cached_property
    def domain(self) -> Domain:
        """The encoded columns."""
        axes: list[Axis] = []
        pixels: Pixels | None = None
        for position, part in self.parts.items():
            if isinstance(part, ImageCodec):
                pixels = part.pixels(position)
                axes += pixels.axes(part.column.name)
            else:
                axes.append(part.axis)
        if not axes:
            raise SchemaError("no column of the schema is learnt; it has only identifiers and text")
        if len({a.name for a in axes}) < len(axes):
            raise SchemaError("a column is named like a combination of others or a pixel; rename it")
        return Domain(tuple(axes), pixels)

    @cached_property
    def _places(self) -> dict[str, _Place]:
        places = {}
        for position, part in self.parts.items():
            if isinstance(part, CombinedAxis):
                places.update({n: _Place(position, j) for j, n in enumerate(part.rule.columns)})
            else:
                places[part.column.name if isinstance(part, ImageCodec) else part.axis.name] = _Place(position)
        return places

    def position(self, column: str) -> int:
        """The position in the domain of the (first) axis of ``column``; SchemaError where it is not learnt."""
        if column not in self._places:
            self.schema.column(column)
            raise SchemaError(f"column {column!r} is an identifier or text and is not learnt")
        return self._places[column].position

    def encode(self, batch: pa.RecordBatch | pa.Table) -> np.ndarray:
        """Rows to codes: (n, d) in the domain's code type, column-major; row-major where there are images.

        Args:
            batch: has every column of the schema, in any order; text or typed.

        Raises:
            SchemaError: the table lacks a column, or has one that the schema lacks.
            RefusedValue: a cell that the schema says to refuse. For rows of one's own; private ones go through
                `encode_rows`.
        """
        encoded = self.encode_rows(batch)
        if encoded.why is not None:
            raise encoded.why
        return encoded.codes

    def encode_rows(self, batch: pa.RecordBatch | pa.Table) -> EncodedRows:
        """Rows to records: each row by itself makes one record, or none where it holds a cell that is refused.

        Raises:
            SchemaError: the table lacks a column, or has one that the schema lacks, or stores no images where the
                schema says images, or the reverse.

        *Formal guarantee.* One row adds at most one record, and changes no other record: stability 1. No cell is an
        error.
        """
        self.check_columns(batch.schema.names)
        order = "F" if self.domain.content == "table" else "C"
        codes = np.empty((batch.num_rows, len(self.domain)), self.domain.code_dtype(), order=order)
        seen = RowMasks(batch.num_rows)
        for position, part in self.parts.items():
            if isinstance(part, ImageCodec):
                codes[:, part.pixels(position).span] = seen.noted(part.encode(_cells(batch, part.column.name)))
            elif isinstance(part, CombinedAxis):
                members = [seen.noted(encode_cells(m, _cells(batch, m.axis.name))) for m in part.members]
                codes[:, position] = seen.noted(part.encode(members))
            else:
                codes[:, position] = seen.noted(encode_cells(part, _cells(batch, part.axis.name)))
        return EncodedRows(codes, seen.outside | seen.refused, seen.refused, seen.why)

    def check_columns(self, names: Sequence[str]) -> None:
        """SchemaError unless the table's column names are those of the schema."""
        self.schema.check_columns(names)

    def decode(
        self, codes: np.ndarray, rng: np.random.Generator, given: Conditions | None = None, after: int = 0
    ) -> pa.Table:
        """Codes (n, d) to rows in the types that went in; identifiers are made anew.

        Args:
            codes: as `encode` gives, or a model samples.
            rng: draws values within wide intervals.
            given: the conditions that the codes were sampled under, so that wide intervals obey them too.
            after: how many rows of the same table were decoded before; identifiers go on from there.
        """
        ranges = {name: self._condition(name, text)[1] for name, text in (given or {}).items()}
        natural: dict[str, pa.Array] = {}
        for position, part in self.parts.items():
            if isinstance(part, ImageCodec):
                natural[part.column.name] = part.decode(codes[:, part.pixels(position).span])
                continue
            column = codes[:, position]
            members = part.members if isinstance(part, CombinedAxis) else (part,)
            unpacked = part.decode(column) if isinstance(part, CombinedAxis) else (column,)
            for codec, own in zip(members, unpacked, strict=True):
                natural[codec.axis.name] = codec.decode(own, rng, ranges.get(codec.axis.name))
        self._repair(natural)
        arrays = [self._rendered(c, natural, len(codes), after) for c in self.output]
        return pa.Table.from_arrays(arrays, schema=self.arrow_schema)

    def _rendered(self, column: Column, natural: dict[str, pa.Array], n: int, after: int) -> pa.Array:
        """A column in the type that comes out; identifiers are made."""
        if isinstance(column, IdentifierColumn):
            return IdentifierMaker(column, self._type(column)).make(n, after)
        values = natural.pop(column.name)
        return self.columns[column.name].render(values) if column.name in self.columns else values

    def _repair(self, natural: dict[str, pa.Array]) -> None:
        for rule in self.schema.constraints:
            if isinstance(rule, Inequality):
                bounds = [self._bounds(name) for name in rule.columns]
                natural[rule.low], natural[rule.high] = repair_inequality(natural[rule.low], natural[rule.high], bounds)

    def _bounds(self, name: str) -> tuple[pa.Scalar, pa.Scalar]:
        codec = self.columns[name]
        assert isinstance(codec, QuantityCodec)
        ends = codec.values(np.array([codec.grid.first, codec.grid.last]), None)
        return ends[0], ends[1]

    def given(self, conditions: Conditions) -> dict[int, np.ndarray]:
        """Conditions ``{column: value}`` as masks over the codes of each position concerned.

        A value is a label (or several, ``A|B``), a number, a range ``30..40``, ``30..``, ``..40``; None or a null
        marker for missing.

        Raises:
            ConditionError: an unknown column, value or range, or conditions that no combination satisfies.
        """
        masks: dict[int, np.ndarray] = {}
        combined: dict[int, dict[int, np.ndarray]] = {}
        for name, text in conditions.items():
            mask, _ = self._condition(name, text)
            place = self._places[name]
            if place.member is None:
                masks[place.position] = mask
            else:
                combined.setdefault(place.position, {})[place.member] = mask
        for position, members in combined.items():
            part = self.parts[position]
            assert isinstance(part, CombinedAxis)
            masks[position] = part.condition(members)
            if not masks[position].any():
                raise ConditionError(f"no declared combination of {', '.join(part.rule.columns)} meets the conditions")
        return masks

    def _condition(self, name: str, value: Value) -> tuple[np.ndarray, tuple[int, int] | None]:
        if name not in self._places:
            known = _listing(list(self._places))
            raise ConditionError(f"a condition names {name!r}, which is no learnt column; there are {known}")
        if name not in self.columns:
            raise ConditionError(f"a condition names {name!r}, which holds images; name another column")
        axis = self.columns[name].axis
        if value is not None:
            column = self.schema.column(name)
            spelt = column.numeral.spelt(value) if isinstance(column, NumericColumn) else str(value)
            return self.columns[name].condition(spelt)
        if axis.missing is None:
            raise ConditionError(f"column {name!r} has no missing values")
        return np.arange(axis.size) == axis.missing, None

    @cached_property
    def _known_types(self) -> dict[str, str]:
        return dict(self.types)

    @cached_property
    def arrow_schema(self) -> pa.Schema:
        """Names and types of what comes out."""
        return pa.schema([self.field(c.name) for c in self.output], metadata=dialect_metadata(self.schema.written))

    def field(self, name: str) -> pa.Field:
        """Name and type of a column that comes out; for delimited text with the first null marker in its metadata."""
        column = self.schema.column(name)
        markers = self.schema.null_markers(column)
        nullable = column.modelled and column.may_be_missing
        text = name not in self._known_types
        metadata = {"null": markers[0]} if text and nullable and markers and markers[0] else None
        return pa.field(name, self._type(column), metadata=metadata)

    def _type(self, column: Column) -> pa.DataType:
        """The type the schema says, else the one that went in, else the natural one."""
        if isinstance(column, ImageColumn):
            return image_type(column.shape)
        known = column.type or self._known_types.get(column.name)
        return parse_type(known) if known else natural_type(column)

    def to_json(self) -> str:
        """All that :meth:`from_json` needs: the settled schema and the types."""
        schema = self.schema.model_dump(mode="json", by_alias=True)
        return json.dumps({"format": _FORMAT, "schema": schema, "types": dict(self.types)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> Codec:
        """The inverse of :meth:`to_json`; ValueError on anything malformed."""
        try:
            fields = json.loads(text)
        except (ValueError, RecursionError):
            raise ValueError("the codec is not valid JSON") from None
        if not isinstance(fields, dict) or set(fields) != {"format", "schema", "types"} or fields["format"] != _FORMAT:
            raise ValueError(f"the codec is not of format {_FORMAT}")
        types = fields["types"]
        if not isinstance(types, dict) or not all(isinstance(t, str) for t in types.values()):
            raise ValueError("the codec's types are malformed")
        try:
            schema = Schema.model_validate(fields["schema"])
            return cls.from_schema(schema, types={name: parse_type(t) for name, t in types.items()})
        except (ValidationError, SchemaError, RecursionError) as error:
            raise ValueError(f"the codec's schema is malformed: {type(error).__name__}") from None


def _cells(batch: pa.RecordBatch | pa.Table, name: str) -> pa.Array:
    cells = batch.column(name)
    return cells.combine_chunks() if isinstance(cells, pa.ChunkedArray) else cells


def _listing(names: Collection[str]) -> str:
    shown = list(names)[:8]
    return ", ".join(map(repr, shown)) + (", ..." if len(names) > len(shown) else "")
