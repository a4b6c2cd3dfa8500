"""Private records dealt out to groups by chance, so that one more record concerns one group alone."""

from __future__ import annotations

from typing import NamedTuple

import jax
import numpy as np
from jax import Array

from sfumato.privacy.gradients.contractions import BLOCK
from sfumato.privacy.randomness import Entropy, words
from sfumato.privacy.sampling import PoissonSteps


class Groups(NamedTuple):
    """Records in groups of one length, padded.

    Attributes:
        codes: (k, n, d).
        records: (k,) how many of the n are real, at the beginning.
    """

    codes: Array
    records: Array

    @property
    def multiple(self) -> int:
        """What the number of records drawn from a group is a multiple of."""
        return BLOCK


def deal(codes: np.ndarray, steps: PoissonSteps, capacity: int, entropy: Entropy) -> Groups:
    """Records (n, d), each to a group of its own random choice: as few groups as draw at most ``capacity`` at a step.

    *Formal guarantee.* The choice of a record depends on nothing but fresh entropy, so given the choices of the others,
    one record more changes one group. How many groups there are depends on the number of records; only the time that a
    step takes shows it.
    """
    k = max(1, round(len(codes) * steps.probability / capacity))
    while True:
        choice = words(len(codes), entropy) % np.uint64(k)
        records = np.bincount(choice.astype(np.int64), minlength=k)
        length = max(1, int(records.max()))
        if steps.capacity(length, BLOCK) <= capacity:
            break
        k += 1
    dealt = np.zeros((k, length, codes.shape[1]), codes.dtype)
    for group in range(k):
        chosen = codes[choice == group]
        dealt[group, : len(chosen)] = chosen
    return Groups(jax.device_put(dealt), jax.device_put(records.astype(np.int32)))
