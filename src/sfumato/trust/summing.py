"""Sums over private records of clipped vectors, and of their outer products, in whole numbers: exact in any order.

They are never released as they are: ``privacy.mechanisms.lattice`` adds the noise.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sfumato.privacy.mechanisms.lattice import FEATURE_BITS, SCATTER_BITS
from sfumato.trust.questions import Count, Feature, FeatureSum, GroupedFeature, Marginals, Scatter, SumQuestion
from sfumato.trust.records import ExactRecords

_TINY = 1e-300
"""Below any norm that is not zero, so that nothing is divided by zero."""
_CELLS = 1 << 23
"""Numbers of a block of records, or of their features, that are held at a time: 64 MB of them."""
_MOST_RECORDS = 1 << 10
"""Records of a block: of at most 2**16, and numbers of ``SCATTER_BITS`` bits, products add up exactly in float64."""


def exact(question: SumQuestion, records: ExactRecords) -> np.ndarray:
    """The whole numbers (values,) int64 that answer ``question``, without noise: private.

    *Formal guarantee.* A unit moves them, part by part, by at most what ``question.price`` was computed for.
    """
    match question:
        case Count():
            return np.array([records.outside if question.outside else len(records)])
        case Marginals():
            outside = np.array([records.outside] if question.outside else [], np.int64)
            return np.concatenate([outside, *(records.table(q).ravel() for q in question.queries)])
        case FeatureSum():
            feature = question.made(records.domain)
            return feature_sum(feature, records.matrix(), question.dimension, question.bound)
        case Scatter():
            feature = question.made(records.domain)
            return scatter_sum(feature, records.matrix(), question.dimension, question.groups, question.bound).ravel()
    raise TypeError(f"no sum answers a {type(question).__name__}")


def clipped(values: np.ndarray, bound: float) -> np.ndarray:
    """Rows (n, dimension) scaled down to l2 norm ``bound`` where they exceed it; rows that are not finite become zero.

    *Formal guarantee.* No row of the result has a norm above ``bound``, up to rounding.
    """
    values = np.ascontiguousarray(values, np.float64)  # so that each row is added up by itself
    values = np.where(np.isfinite(values).all(axis=1, keepdims=True), values, 0.0)
    norms = np.linalg.norm(values, axis=1, keepdims=True)
    return values * np.minimum(1.0, bound / np.maximum(norms, _TINY))


def whole(values: np.ndarray, bound: float, bits: int) -> np.ndarray:
    """Rows (n, dimension), clipped and rounded to whole multiples of ``bound * 2**-bits``: float64, exact integers.

    *Formal guarantee.* No row has an l2 norm above ``lattice.norm(bits, dimension)``, in such multiples.
    """
    return np.rint(clipped(values, bound) * (2.0**bits / bound))


def feature_sum(feature: Feature, codes: np.ndarray, dimension: int, bound: float) -> np.ndarray:
    """Sum of ``feature(codes)`` (n, dimension), clipped and rounded: int64, in steps of ``lattice.feature_scale``.

    *Formal guarantee.* One record moves it by at most the scale's sensitivity in l2 norm, if ``feature`` treats each
    record alone: the sum is exact.
    """
    total = np.zeros(dimension, np.int64)
    for block, records in _blocks(codes, dimension):
        values = _of_dimension(feature(block)[:records], dimension)
        total += whole(values, bound, FEATURE_BITS).astype(np.int64).sum(axis=0)
    return total


def scatter_sum(feature: GroupedFeature, codes: np.ndarray, dimension: int, groups: int, bound: float) -> np.ndarray:
    """Sums of z z^T by group, the upper triangles: int64 (groups, dimension (dimension + 1) / 2), in steps.

    ``feature(codes)`` gives z (n, dimension), clipped and rounded, and the group of each record (n,), 0 .. groups - 1.
    Steps are those of ``lattice.scatter_scale``; ``Scatter.answer`` makes matrices of the triangles.

    *Formal guarantee.* One record moves it by at most the scale's sensitivity, in the norm in which the square of a
    number beside the diagonal counts twice, if ``feature`` treats each record alone: it is added to one group, and that
    norm of z z^T is |z|^2. Products of whole numbers of ``SCATTER_BITS`` bits, added over a block of at most 2**16
    records, stay below 2**53, where float64 is exact in any order.
    """
    total = np.zeros((groups, dimension, dimension), np.int64)
    for block, records in _blocks(codes, dimension):
        values, group = (part[:records] for part in feature(block))
        values = whole(_of_dimension(values, dimension), bound, SCATTER_BITS)
        for g in range(groups):
            chosen = values[group == g]
            total[g] += (chosen.T @ chosen).astype(np.int64)
    rows, columns = np.triu_indices(dimension)
    return total[:, rows, columns]


def _of_dimension(values: np.ndarray, dimension: int) -> np.ndarray:
    """The same values; TypeError for vectors of another length, which are spread out over the sum after clipping."""
    if values.shape[1:] != (dimension,):
        raise TypeError(f"a feature makes vectors of {values.shape[1:]} numbers where {dimension} were asked for")
    return values


def _blocks(codes: np.ndarray, dimension: int) -> Iterator[tuple[np.ndarray, int]]:
    """Blocks of a public size, a power of two, and the number of records in each; the last is filled up with code 0.

    How many records there are so changes neither the shape in which a record's feature is computed, nor by what
    routine; rows are contiguous, so that each is added up alike. Where a record stands in its block must not matter
    either: that is the feature's own duty.
    """
    size = 1 << (min(_MOST_RECORDS, max(1, _CELLS // max(1, dimension, codes.shape[1]))).bit_length() - 1)
    for start in range(0, len(codes), size):
        block = np.ascontiguousarray(codes[start : start + size])
        records = len(block)
        if records < size:
            block = np.concatenate([block, np.zeros((size - records, codes.shape[1]), codes.dtype)])
        yield block, records
