"""A store gives each key its value, any other key one that nobody chose, and is as long for any keys."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from sfumato.errors import FederationError
from sfumato.privacy.randomness import SYSTEM
from sfumato.trust.mpc.intersection.store import VALUE_BYTES, read, store_bytes, written


def keys_of(n: int, seed: int) -> list[bytes]:
    rng = np.random.default_rng(seed)
    return [rng.bytes(33) for _ in range(n)]


def values_of(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**64, (n, 2), dtype=np.uint64)


@pytest.mark.parametrize("n", [1, 2, 3, 10, 100, 3000])
def test_each_key_has_its_value(n: int) -> None:
    for seed in range(20 if n < 1000 else 1):
        keys, values = keys_of(n, seed), values_of(n, seed + 1)
        store = written(keys, values, SYSTEM)
        assert len(store) == store_bytes(n)
        np.testing.assert_array_equal(read(store, keys, n), values)
        others = read(store, keys_of(n, seed + 99), n)
        assert not (others[:, None] == values).all(axis=2).any()


def test_a_store_of_random_values_is_random_in_every_byte() -> None:
    """Also where no key needs a cell. Error rate 1e-6; one byte in twenty that is always zero is seen for certain."""
    store = written(keys_of(300, 1), values_of(300, 2), SYSTEM)[1:]
    assert stats.chisquare(np.bincount(np.frombuffer(store, np.uint8), minlength=256)).pvalue > 1e-6


def test_cells_that_no_key_needs_are_drawn() -> None:
    keys, values = keys_of(3, 1), values_of(3, 2)
    cells = np.frombuffer(written(keys, values, SYSTEM), np.uint8).reshape(-1, VALUE_BYTES)
    assert cells.any(axis=1).all()


def test_two_keys_of_the_same_cells_have_values_that_hang_on_the_store() -> None:
    """A key that was not put in, whose cells are those of one that was, has neither its value nor one in two stores."""
    (key,), value = keys_of(1, 1), values_of(1, 2)
    stores = [written([key], value, SYSTEM) for _ in range(2)]
    others = keys_of(30_000, 3)  # of some the cells in a store of one key, of 16 in a third, are those of the key
    assert not (read(stores[0], others, 1) == value).all(axis=1).any()
    assert not (read(stores[0], others, 1) == read(stores[1], others, 1)).all(axis=1).any()


def test_a_key_that_is_there_twice_ends_without_a_store() -> None:
    twice = keys_of(1, 1) * 2
    with pytest.raises(FederationError, match="there twice"):
        written(twice, values_of(2, 2), SYSTEM)


def test_a_store_of_another_size_is_refused() -> None:
    store = written(keys_of(5, 1), values_of(5, 2), SYSTEM)
    for wrong in (store[:-1], store + b"\0", b""):
        with pytest.raises(FederationError, match="another size"):
            read(wrong, keys_of(5, 1), 5)
