"""A store of values by keys that tells nothing of which keys are in it, where its values look random.

An oblivious key-value store (Garimella et al., CRYPTO 2021): each key has three cells, one in each third, and a hash,
and its value is the sum in bits of all four. The cells are found by peeling, as those of an XOR filter are (Botelho,
Pagh and Ziviani 2007); what no key needs is random. So every key has a value, and one that was not put in has one that
nobody chose: without the hash two keys with the same cells, of which large stores have some, had one value too, and in
every store. Cells and hashes are of one store. Its size hangs on the number of keys alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from sfumato.errors import FederationError
from sfumato.privacy.randomness import Entropy

VALUE_BYTES = 16
"""Of a value."""
_THIRDS = 3  # of all cells; with fewer, peeling needs twice as many cells
_FILLED = 1.3
"""Cells for each key: peeling goes through, for many keys, from 1.23 on."""
_MORE = 16
"""Cells of a third beyond that: few keys then go through as well."""
_MOST_TRIES = 255
"""Each at other cells; of a few keys one in some fails, of thousands hardly any."""
_SALT_BYTES = 16
"""Of a number drawn for a store, which its cells and hashes hang on."""
_CELL_BYTES = 24  # of a hash: eight for each cell; the value's part follows
Layers = list[tuple[np.ndarray, np.ndarray]]
"""Keys that are peeled together, each with the cell that it alone has of those that are left."""


def _third(keys: int) -> int:
    return int(_FILLED * keys / _THIRDS) + _MORE


def store_bytes(keys: int) -> int:
    """Of a store of so many keys."""
    return _SALT_BYTES + _THIRDS * _third(keys) * VALUE_BYTES


def written(keys: Sequence[bytes], values: np.ndarray, entropy: Entropy) -> bytes:
    """The store of ``values`` (n, 2) uint64 by ``keys`` (n,), each of them once.

    *Formal guarantee.* Where the values are random to whoever reads it, and the keys are, so is every cell of it: two
    sets of as many keys have stores of one law. How often it was tried hangs on the keys alone, which are random.
    """
    third = _third(len(keys))
    for _ in range(_MOST_TRIES):
        salt = entropy.take(_SALT_BYTES)
        cells, hashes = _placed(keys, third, salt)
        layers = _peeled(cells, _THIRDS * third)
        if layers is not None:
            table = np.frombuffer(bytearray(entropy.take(_THIRDS * third * VALUE_BYTES)), np.uint64).reshape(-1, 2)
            for some, own in reversed(layers):
                table[own] ^= values[some] ^ hashes[some] ^ np.bitwise_xor.reduce(table[cells[some]], axis=1)
            return salt + table.tobytes()
    raise FederationError("keys that no store holds: is one of them there twice?")


def read(store: bytes, keys: Sequence[bytes], size: int) -> np.ndarray:
    """(n, 2) uint64: what a store of ``size`` keys has at each of these; random for those that were not put in."""
    if len(store) != store_bytes(size):
        raise FederationError("a store of another size than the plan says")
    table = np.frombuffer(store, np.uint64, offset=_SALT_BYTES).reshape(-1, 2)
    cells, hashes = _placed(keys, _third(size), store[:_SALT_BYTES])
    return hashes ^ np.bitwise_xor.reduce(table[cells], axis=1)


def _placed(keys: Sequence[bytes], third: int, salt: bytes) -> tuple[np.ndarray, np.ndarray]:
    """(n, 3) and (n, 2): the cells of each key, one in each third, and its part of its value."""
    drawn = b"".join(hashlib.sha512(salt + key).digest()[: _CELL_BYTES + VALUE_BYTES] for key in keys)
    numbers = np.frombuffer(drawn, np.uint64).reshape(-1, (_CELL_BYTES + VALUE_BYTES) // 8)
    cells = (numbers[:, :_THIRDS] % np.uint64(third)).astype(np.int64) + third * np.arange(_THIRDS)
    return cells, numbers[:, _THIRDS:]


def _peeled(cells: np.ndarray, size: int) -> Layers | None:
    """All keys by layers; None where some are left, each of whose cells another one has too."""
    keys = np.arange(len(cells))
    number = np.bincount(cells.ravel(), minlength=size)
    added = np.zeros(size, np.int64)
    np.add.at(added, cells.ravel(), keys.repeat(_THIRDS))
    layers: Layers = []
    left = len(cells)
    while left:
        alone = np.flatnonzero(number == 1)
        some, first = np.unique(added[alone], return_index=True)
        if not len(some):
            return None
        layers.append((some, alone[first]))
        gone = cells[some].ravel()
        np.subtract.at(number, gone, 1)
        np.subtract.at(added, gone, some.repeat(_THIRDS))
        left -= len(some)
    return layers
