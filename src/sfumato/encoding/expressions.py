"""Codes as expressions of a database engine: what `Codec.encode` does to cells, done where the rows lie.

Only what comes out the same to the last row is expressed. An ordered column is cut where its own codec changes code:
the smallest cell of each code is found by bisection over integers, decimals, days, microseconds, or floats in the order
of their bits. The engine is then left with comparisons, which are exact, so no rounding of its own moves a cell over an
edge. Labels are compared as text only where the caller knows that the engine compares text byte by byte.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, TypeAlias

import ibis
import numpy as np
import pyarrow as pa

from sfumato.encoding.boolean import WORDS, BooleanCodec
from sfumato.encoding.category import CategoryCodec
from sfumato.encoding.column import ColumnCodec, Policy
from sfumato.encoding.constraints import CombinedAxis
from sfumato.encoding.date import DateCodec
from sfumato.encoding.datetime import DatetimeCodec
from sfumato.encoding.grid import EXACT_LIMIT
from sfumato.encoding.integer import IntegerCodec
from sfumato.encoding.quantity import QuantityCodec
from sfumato.encoding.real import RealCodec

if TYPE_CHECKING:
    import ibis.expr.datatypes as dtypes
    import ibis.expr.types as ir

REFUSED = -1
"""Code of a cell that is refused: its row makes no record."""

_EPOCH = dt.datetime(1970, 1, 1)
"""Moment 0 of Arrow."""
_EXACT_DIGITS = 15
"""Of a decimal that a double holds exactly."""
_Coded: TypeAlias = Sequence[tuple[str | int, int]]
"""Values of the engine and the code of each."""


class NotExpressible(Exception):  # noqa: N818 - what it says of a column
    """Why the engine cannot give the codes of a column exactly as `Codec.encode` does."""


@dataclass(frozen=True)
class Expression:
    """A column of codes, inside a database.

    Attributes:
        code: int16; REFUSED where the row makes no record.
        outside: true where the cell is one that the facts do not allow.
    """

    code: ir.Value
    outside: ir.Value


def column(codec: ColumnCodec, cells: ir.Column) -> Expression:
    """What ``codec.encode`` gives for ``cells``, an Ibis column of the type that streaming would deliver.

    Raises:
        NotExpressible: it might come out differently.
    """
    if isinstance(codec, QuantityCodec):
        return _quantity(codec, cells)
    if isinstance(codec, BooleanCodec):
        return _lookup(codec.policy, cells, _boolean_values(codec, cells.type()), codec.markers)
    assert isinstance(codec, CategoryCodec)
    return _lookup(codec.policy, cells, _labels(codec, cells.type()), codec.markers)


def combination(part: CombinedAxis, members: Sequence[ir.Column]) -> Expression:
    """What ``part.encode`` gives for its members' codes, Ibis columns."""
    if len(part.table) > EXACT_LIMIT:
        raise NotExpressible(f"{', '.join(part.rule.columns)} have more than {EXACT_LIMIT} fixed combinations")
    key = ibis.literal(0, "int64")
    for member, codes in zip(part.members, members, strict=True):
        key = key * member.axis.size + codes
    known = [(int(k), i) for i, k in enumerate(part.keys(part.table))]
    nearest = [(first, int(code)) for first, code in enumerate(part.nearest) if code >= 0]
    otherwise = members[0].cases(*nearest, else_=REFUSED) if nearest else ibis.literal(REFUSED)
    return Expression(key.cases(*known, else_=otherwise).cast("int16"), ~key.isin([k for k, _ in known]))


def _placed(
    policy: Policy, missing: ir.Value, bad: ir.Value | None, clipped: ir.Value | None, code: ir.Value
) -> Expression:
    """As `Policy.place`; ``bad`` and ``clipped`` may be None for never."""
    gone = REFUSED if policy.missing is None else policy.missing
    branches = [(missing, gone)]
    outside = ibis.literal(False)
    if bad is not None:
        branches.append((bad, REFUSED if policy.bad is None else policy.bad))
    strange = clipped if bad is None else bad if clipped is None else bad | clipped
    if strange is not None:
        outside = ibis.cases((missing, False), (strange, True), else_=False)
    return Expression(ibis.cases(*branches, else_=code).cast("int16"), outside)


def _lookup(policy: Policy, cells: ir.Column, codes: _Coded, markers: tuple[str, ...]) -> Expression:
    """Listed values have codes, all others are bad."""
    if len(codes) > EXACT_LIMIT:
        raise NotExpressible(f"column {policy.column!r} has more than {EXACT_LIMIT} categories")
    missing = cells.isnull()
    if cells.type().is_string() and markers:
        missing = missing | cells.isin(markers)
    bad = ~cells.isin([value for value, _ in codes]) if codes else cells.notnull()
    return _placed(policy, missing, bad, None, cells.cases(*codes, else_=REFUSED) if codes else ibis.literal(REFUSED))


def _labels(codec: CategoryCodec, kind: dtypes.DataType) -> _Coded:
    labels = list(enumerate(codec.column.categories or ()))
    if kind.is_string():
        return [(label, code) for code, label in labels]
    if kind.is_boolean():
        return [(label == "true", code) for code, label in labels if label in ("true", "false")]
    if kind.is_integer():
        return [(int(label), code) for code, label in labels if _whole(label)]
    raise _unlike(codec, kind)


def _whole(label: str) -> bool:
    """Whether Arrow writes some 64-bit integer as ``label``."""
    digits = label.removeprefix("-")
    return digits.isascii() and digits.isdigit() and str(int(label)) == label and -(2**63) <= int(label) < 2**63


def _boolean_values(codec: BooleanCodec, kind: dtypes.DataType) -> _Coded:
    if kind.is_boolean():
        return [(False, 0), (True, 1)]
    if kind.is_integer():
        return [(0, 0), (1, 1)]
    if not kind.is_string():
        raise _unlike(codec, kind)
    if codec.column.labels:
        return [(label, code) for code, label in enumerate(codec.column.labels)]
    return [(spelt, code) for code, words in enumerate(WORDS) for word in words for spelt in _spellings(word)]


def _spellings(word: str) -> list[str]:
    """All ways to write ``word`` in upper and lower case."""
    return ["".join(letters) for letters in itertools.product(*({c, c.upper()} for c in word))]


@dataclass(frozen=True)
class _Scale:
    """The values of an ordered type, as the integers ``first .. last``.

    Attributes:
        array: integers to values as Arrow delivers them.
        value: an integer to the value as a literal of the engine.
    """

    first: int
    last: int
    array: Callable[[np.ndarray], pa.Array]
    value: Callable[[int], ir.Scalar]


def _quantity(codec: QuantityCodec, cells: ir.Column) -> Expression:
    scale = _scale(codec, cells.type())
    if cells.type().is_floating():
        cells = cells.cast("float64")
    low, high = codec.limits
    first = _first(scale, lambda keys: _read(codec, scale, keys) >= low, 1)[0]
    beyond = _first(scale, lambda keys: _read(codec, scale, keys) > high, 1)[0]
    if first is None:
        raise _unlike(codec, cells.type())
    strange = cells < scale.value(first)
    if beyond is not None:
        strange = strange | (cells >= scale.value(beyond))
    wanted = np.arange(1, codec.grid.size)
    starts = _first(scale, lambda keys: codec.codes(_read(codec, scale, keys)) >= wanted, len(wanted))
    steps = [scale.value(start) for start in starts if start is not None]
    missing = cells.isnull() | cells.isnan() if cells.type().is_floating() else cells.isnull()
    clip = codec.column.outside == "clip"
    bad = None if clip else strange
    if isinstance(codec, IntegerCodec) and not cells.type().is_integer():
        within = ibis.ifelse(missing | strange, scale.value(first), cells)
        fraction = within != within.floor()
        bad = fraction if bad is None else bad | fraction
    return _placed(codec.policy, missing, bad, strange if clip else None, _steps(cells, steps, 0, len(steps)))


def _read(codec: QuantityCodec, scale: _Scale, keys: np.ndarray) -> np.ndarray:
    return codec.read(scale.array(keys))[0]


def _first(scale: _Scale, reached: Callable[[np.ndarray], np.ndarray], n: int) -> list[int | None]:
    """For each of ``n`` predicates that stay true once true, the smallest integer where it is; None for nowhere."""
    low, high = np.full(n, scale.first, np.int64), np.full(n, scale.last, np.int64)
    while (low < high).any():
        middle = (low >> 1) + (high >> 1) + (low & high & 1)
        there = reached(middle)
        low, high = np.where(there, low, middle + 1), np.where(there, middle, high)
    return [int(k) if there else None for k, there in zip(low, reached(low), strict=True)] if n else []


def _steps(cells: ir.Column, starts: Sequence[ir.Scalar], low: int, high: int) -> ir.Value:
    """How many of ``starts``, ascending, are at most the cell: known to lie in ``low .. high``; halved by a CASE."""
    if low == high:
        return ibis.literal(low, "int16")
    middle = (low + high + 1) // 2
    upper, lower = _steps(cells, starts, middle, high), _steps(cells, starts, low, middle - 1)
    return ibis.ifelse(cells >= starts[middle - 1], upper, lower)


def _scale(codec: QuantityCodec, kind: dtypes.DataType) -> _Scale:
    """The scale of a type that ``codec`` reads without falling; NotExpressible for all others."""
    if isinstance(codec, IntegerCodec | RealCodec):
        if kind.is_integer() and kind != ibis.dtype("uint64"):
            return _Scale(-(2**63), 2**63 - 1, pa.array, lambda k: ibis.literal(k, "int64"))
        if kind.is_floating():
            infinite = int(np.array(np.inf).view(np.int64))
            return _Scale(-infinite - 1, infinite, lambda keys: pa.array(_floats(keys)), _real)
        if kind.is_decimal() and kind.precision <= _EXACT_DIGITS and kind.scale >= 0:
            return _decimals(kind)
    elif isinstance(codec, DateCodec | DatetimeCodec):
        zone = codec.column.tz if isinstance(codec, DatetimeCodec) else None
        if kind.is_date() and zone is None:
            return _Scale(-(10**8), 10**8, _days, lambda k: ibis.literal((_EPOCH + dt.timedelta(k)).date()))
        if kind.is_timestamp() and (kind.timezone is None) == (zone is None) and (kind.scale or 0) <= 6:
            return _moments(kind)
    elif kind.is_time():
        return _Scale(0, 86_400_000_000 - 1, lambda k: pa.array(k).cast(pa.time64("us")), _clock)
    raise _unlike(codec, kind)


def _decimals(kind: dtypes.Decimal) -> _Scale:
    def value(k: int) -> Decimal:
        return Decimal(k).scaleb(-kind.scale)

    most = 10**kind.precision - 1
    arrow = pa.decimal128(kind.precision, kind.scale)
    return _Scale(
        -most,
        most,
        lambda keys: pa.array([value(k) for k in keys.tolist()], arrow),
        lambda k: ibis.literal(value(k), kind),
    )


def _moments(kind: dtypes.Timestamp) -> _Scale:
    zone = dt.UTC if kind.timezone else None

    def value(k: int) -> ir.Scalar:
        return ibis.literal((_EPOCH + dt.timedelta(microseconds=k)).replace(tzinfo=zone), kind)

    return _Scale(-(2**62), 2**62, lambda keys: pa.array(keys).cast(pa.timestamp("us", kind.timezone)), value)


def _days(keys: np.ndarray) -> pa.Array:
    return pa.array(keys.astype(np.int32)).cast(pa.date32())


def _clock(microseconds: int) -> ir.Scalar:
    return ibis.literal((_EPOCH + dt.timedelta(microseconds=microseconds)).time())


def _floats(keys: np.ndarray) -> np.ndarray:
    """The floats in their order, 0 for 0 and -1 for -0; NaN has none."""
    return np.where(keys >= 0, keys, np.int64(-(2**63)) - keys - 1).astype(np.int64).view(np.float64)


def _real(key: int) -> ir.Scalar:
    """A literal that the engine reads back to the bit: as text, for a bare number might be a decimal to it."""
    return ibis.literal(repr(float(_floats(np.array([key]))[0]))).cast("float64")


def _unlike(codec: ColumnCodec, kind: dtypes.DataType) -> NotExpressible:
    return NotExpressible(f"column {codec.axis.name!r} is stored as {kind}")
