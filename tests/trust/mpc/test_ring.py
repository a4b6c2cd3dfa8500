"""Products modulo 2^32."""

from __future__ import annotations

import numpy as np
import pytest

from sfumato.trust.mpc.ring import MOST_ROWS, WORD, product

LARGEST = 2**32 - 1


@pytest.mark.parametrize("rows", [1, 7, 1000])
def test_products_are_those_of_whole_numbers(rows: int) -> None:
    rng = np.random.default_rng(rows)
    left, right = (rng.integers(0, 2**32, (rows, width), dtype=np.uint32) for width in (5, 3))
    expected = left.T.astype(object) @ right.astype(object) % 2**32
    assert product(left, right).tolist() == expected.tolist()


def test_the_largest_elements_of_the_longest_factor_stay_exact() -> None:
    """Twice 2^20 products of two halves are the most that double precision adds up exactly."""
    left, right = (np.random.default_rng(i).integers(LARGEST - 999, LARGEST, (MOST_ROWS, 1), WORD) for i in (1, 2))
    expected = (left.astype(np.uint64) * right.astype(np.uint64)).sum()  # wraps at 2^64, a multiple of 2^32
    assert int(product(left, right)[0, 0]) == int(expected) % 2**32
    with pytest.raises(ValueError, match="at most"):
        product(np.zeros((MOST_ROWS + 1, 1), WORD), np.zeros((MOST_ROWS + 1, 1), WORD))
