"""Exact tables of encoded rows, against a plain count."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfumato.encoding.domain import Axis, Domain, Pixels
from sfumato.encoding.rows import EncodedRows
from sfumato.trust import records as module
from sfumato.trust.records import Records
from sfumato.trust.setting import Query

DOMAIN = Domain((Axis("a", 4, missing=3), Axis("b", 300, ordered=True), Axis("c", 1)))


def matrix(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.stack([rng.integers(0, size, n) for size in DOMAIN.sizes], axis=1).astype(np.uint16)


def plain(codes: np.ndarray, query: Query) -> np.ndarray:
    counts = np.zeros(query.shape(DOMAIN), np.int64)
    for row in codes:
        cell = [row[i] for i in query.clique]
        if query.groups is not None:
            cell = [groups[code] for groups, code in zip(query.groups, cell, strict=True)]
        counts[tuple(cell)] += 1
    return counts


QUERIES = [
    Query((0,)),
    Query((0, 1)),
    Query((0, 1, 2)),
    Query((0, 1), (np.array([1, 0, 1, 0]), np.arange(300) // 7)),
    Query((1, 2), (np.zeros(300, np.int64), np.zeros(1, np.int64))),
    Query((0, 1), (np.array([0, 5, 0, 9]), np.arange(300) // 7 * 3)),
    Query(()),
]


@settings(max_examples=20, deadline=None)
@given(n=st.integers(0, 60), seed=st.integers(0, 99), blocks=st.sampled_from([1, 7, 1 << 20]), kept=st.booleans())
def test_tables_are_plain_counts(n: int, seed: int, blocks: int, kept: bool) -> None:
    """Whatever the block that is counted at a time, and whether or not tables are kept."""
    codes = matrix(n, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK", blocks)
        patch.setattr(module, "_LARGEST_KEPT", 1 << 20 if kept else 0)
        records = Records.of(codes, DOMAIN)
        for query in QUERIES * 2:
            table = records.table(query)
            assert table.dtype == np.int64
            np.testing.assert_array_equal(table, plain(codes, query))


def test_groups_that_are_numbered_far_apart_take_no_more_memory_than_the_answer() -> None:
    """Whoever asks numbers the groups: an axis once stood so wide while the other one was not added up yet."""
    wide = Domain.of("ab", (1000, 1000))
    far = np.where(np.arange(1000) == 999, 1 << 18, 0)
    records = Records.of(np.full((3, 2), 999, np.uint16), wide)
    records.table(Query((0, 1)))  # kept
    tracemalloc.start()
    found = records.table(Query((0, 1), (far, np.zeros(1000, np.int64))))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found[-1].tolist() == [3]
    assert found.sum() == 3
    assert most < 64 << 20


def test_a_stream_of_blocks_gathers_the_same_records() -> None:
    codes = matrix(50)
    strange = np.arange(50) % 7 == 0
    refused = np.arange(50) % 14 == 0
    cuts = [0, 10, 35]
    masks = (np.split(codes, cuts), np.split(strange, cuts), np.split(refused, cuts))
    streamed = Records.gathered((EncodedRows(*block) for block in zip(*masks, strict=True)), DOMAIN)
    assert (len(streamed), streamed.outside) == (46, 8)
    np.testing.assert_array_equal(streamed.matrix(), codes[~refused])
    assert streamed.matrix().dtype == DOMAIN.code_dtype()
    nothing = Records.gathered(iter([]), DOMAIN)
    assert len(nothing) == 0
    assert nothing.table(Query((0, 1))).sum() == 0


def test_columns_take_the_smallest_type() -> None:
    assert [c.dtype for c in Records.of(matrix(5), DOMAIN)._columns] == [np.uint8, np.uint16, np.uint8]


def test_coarser_records_keep_where_missing_is() -> None:
    codes = matrix(200)
    maps = [np.array([0, 0, 1, 2]), np.arange(300) // 100, np.zeros(1, np.int64)]
    coarse = Records.of(codes, DOMAIN).coarsened(maps)
    assert coarse.domain == Domain((Axis("a", 3, missing=2), Axis("b", 3, ordered=True), Axis("c", 1)))
    expected = np.stack([m[codes[:, i]] for i, m in enumerate(maps)], axis=1)
    np.testing.assert_array_equal(coarse.matrix(), expected)


def test_codes_outside_the_domain_are_refused_without_showing_them() -> None:
    codes = matrix(5)
    codes[3, 1] = 301
    with pytest.raises(ValueError, match="column 'b': a code lies outside the domain") as caught:
        Records.of(codes, DOMAIN)
    assert "301" not in str(caught.value)
    with pytest.raises(ValueError, match="2 columns of codes for a domain of 3"):
        Records([codes[:, 0], codes[:, 1]], DOMAIN)


def test_the_picture_of_records_shows_nothing_of_them() -> None:
    """Not even how many there are."""
    assert repr(Records.of(matrix(37), DOMAIN)) == "<private records: 3 columns>"


def test_where_there_are_images_the_rows_are_kept_as_they_are() -> None:
    pixels = Pixels(1, 2, 2, 1)
    domain = Domain((Axis("a", 4), *pixels.axes("image")), pixels)
    codes = np.random.default_rng(0).integers(0, [4, 256, 256, 256, 256], (50, 5)).astype(np.uint8)
    none = np.zeros(30, bool)
    halves = [EncodedRows(codes[:20], np.arange(20) < 3, none[:20]), EncodedRows(codes[20:], none, none)]
    whole, parts = Records.of(codes, domain), Records.gathered(halves, domain)
    assert np.shares_memory(whole.matrix(), codes)
    for records in (whole, parts):
        np.testing.assert_array_equal(records.matrix(), codes)
        assert len(records) == 50
        expected, _, _ = np.histogram2d(codes[:, 0], codes[:, 3], [np.arange(5), np.arange(257)])
        np.testing.assert_array_equal(records.table(Query((0, 3))), expected)
    coarse = whole.coarsened([np.arange(4), *[np.arange(256) // 128] * 4])
    np.testing.assert_array_equal(coarse.matrix()[:, 1:], codes[:, 1:] // 128)
    assert (whole.outside, parts.outside) == (0, 3)
    wide = codes.astype(np.int64)
    wide[3, 2] = 256
    with pytest.raises(ValueError, match="a code lies outside the domain"):
        Records.of(wide, domain)
