"""A function of JAX as a program for the engine: StableHLO text, with what goes in and comes out."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sfumato.trust.mpc.engine.allowed import check_program

if TYPE_CHECKING:
    import jax
    import numpy as np

_TENSOR = re.compile(r"tensor<((?:\d+x)*)(?:f32|i32|i64|i1)>")
_MESSAGE_BYTES = 64
"""Bytes that the engine sends at most at once for each number of an array: eight words, of which it packs two."""
_LEAST = 1 << 16
"""Bytes that a message may have in any case."""


@dataclass(frozen=True)
class Program:
    """What runs on shares.

    Attributes:
        text: StableHLO.
        inputs: shape and type of each argument.
        outputs: likewise of each result.
        longest: bytes of the longest message between two parties.
        public: places of the arguments that all parties know; the others are secret.
    """

    text: str
    inputs: tuple[tuple[tuple[int, ...], str], ...]
    outputs: tuple[tuple[tuple[int, ...], str], ...]
    longest: int
    public: frozenset[int] = frozenset()


def lower(
    function: Callable[..., jax.Array | tuple[jax.Array, ...]],
    *shapes: jax.ShapeDtypeStruct,
    public: Iterable[int] = (),
) -> Program:
    """``function`` of arrays of these ``shapes`` as a program; all are secret but those at the places in ``public``.

    Raises:
        EngineError: it does what may not be done on shares (``allowed``).
    """
    import jax

    with jax.enable_x64(wide(shapes)):
        lowered = jax.jit(function, keep_unused=True).lower(*shapes)
    text, known = str(lowered.compiler_ir("stablehlo")), frozenset(public)
    check_program(text, known)
    results = jax.tree.leaves(lowered.out_info)
    largest = max(math.prod(int(n) for n in found.split("x")[:-1]) for found in _TENSOR.findall(text))
    return Program(text, _forms(shapes), _forms(results), max(_LEAST, _MESSAGE_BYTES * largest), known)


def wide(arrays: Iterable[jax.ShapeDtypeStruct | np.ndarray]) -> bool:
    """Whether JAX is to keep integers of 64 bits as such, which it does for no program that does not need them."""
    return any(array.dtype == "int64" for array in arrays)


def _forms(arrays: object) -> tuple[tuple[tuple[int, ...], str], ...]:
    return tuple((tuple(array.shape), str(array.dtype)) for array in arrays)  # type: ignore[attr-defined]
