"""The random numbers of steps of DP-SGD: each purpose has a stream of its own, each step a key of its own.

They are drawn beside the step, by the ChaCha20 of the ``cryptography`` package, and given to it: a compiled step is a
function of its arguments, and XLA's own code for such streams takes three to ten times as long on a CPU.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import numpy as np
from jax import Array

from sfumato.privacy.gradients.noise import NoiseWords, padded
from sfumato.privacy.gradients.rare import rare_draws, slots, words_needed
from sfumato.privacy.randomness import KEY_BYTES, Entropy, expand

_INCLUSION, _ONE, _TWO, _RARE_ONE, _RARE_TWO, _MODEL = range(1, 7)  # nonces: no two purposes share a stream
_ALIGNED = 64  # bytes: XLA takes such memory as it is, without a copy


class Draws(NamedTuple):
    """Uniform random words, with steps on the first axis (or none, for one step).

    Attributes:
        inclusion: (k, n) uint32, one for each record of each group.
        noise: for the sum's noise; empty without a guarantee.
        batches: (k, 2) uint32, the model's key for the records of each group.
        update: (2,) uint32, the model's key for its update.
    """

    inclusion: Array
    noise: NoiseWords
    batches: Array
    update: Array


def fresh(steps: int, groups: tuple[int, int], numbers: int, entropy: Entropy) -> Draws:
    """Draws for so many steps over ``groups`` (k, n), with noise for ``numbers``.

    *Formal guarantee.* Each step takes 256 bits of ``entropy`` for a key that is used for nothing else, and each
    purpose a stream of its own: sampling, noise and what a model draws are independent, unless ChaCha20 is broken.
    """
    k, n = groups
    lanes = padded(numbers)
    shapes = {
        _INCLUSION: (k, n),
        _ONE: (lanes,),
        _TWO: (lanes,),
        _RARE_ONE: words_needed(numbers),
        _RARE_TWO: words_needed(numbers),
        _MODEL: (k + 1, 2),
    }
    made = {purpose: _room((steps, *shape)) for purpose, shape in shapes.items()}
    for step in range(steps):
        key = entropy.take(KEY_BYTES)
        for purpose, out in made.items():
            expand(key, purpose, out[step])
    given = {purpose: jax.device_put(made[purpose]) for purpose in (_INCLUSION, _ONE, _TWO, _MODEL)}
    noise = NoiseWords(given[_ONE], given[_TWO], *_rare((made[_RARE_ONE], made[_RARE_TWO]), numbers))
    return Draws(given[_INCLUSION], noise, given[_MODEL][:, :k], given[_MODEL][:, k])


def bytes_of(groups: tuple[int, int], numbers: int) -> int:
    """Memory of one step's draws."""
    return 4 * (groups[0] * groups[1] + 2 * padded(numbers))


def _rare(parts: tuple[np.ndarray, np.ndarray], numbers: int) -> tuple[Array, Array]:
    """Places and columns of rare draws, (steps, 2, slots): of x1 and x2, each from words of its own."""
    shape = (len(parts[0]), 2, slots(numbers))
    where, column = np.empty(shape, np.int32), np.empty(shape, np.int32)
    for part, of_steps in enumerate(parts):
        for step, words in enumerate(of_steps):
            rare_draws(words, numbers, where[step, part], column[step, part])
    return jax.device_put(where), jax.device_put(column)


def _room(shape: tuple[int, ...]) -> np.ndarray:
    size = 4 * int(np.prod(shape))
    memory = np.empty(size + _ALIGNED, np.uint8)
    start = -memory.ctypes.data % _ALIGNED
    return memory[start : start + size].view(np.uint32).reshape(shape)
