"""What a program may do on shares: operations that are right there, and open nothing.

The list is what ``rehearsed`` runs and compares with plain JAX, and no more. An operation that is not on it is refused
before anything is shared, since the engine does not refuse: it opens a secret index with no more than a line in its
log, and gives finite numbers where it went wrong.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from sfumato.errors import EngineError

OPERATIONS = frozenset(
    f"stablehlo.{name}"
    for name in (
        *("abs", "add", "and", "broadcast_in_dim", "compare", "concatenate", "constant", "convert"),
        *("convolution", "divide", "dot_general", "dynamic_slice", "exponential", "floor", "gather", "iota"),
        *("maximum", "minimum", "multiply", "negate", "not", "or", "pad", "reduce", "reduce_window", "reshape"),
        *("reverse", "rsqrt", "select", "sign", "slice", "sqrt", "subtract", "transpose", "while"),
    )
)
"""Those that are right on shares. Some may not take a secret everywhere: see ``_Reading``."""
_TRUTHS = frozenset(f"stablehlo.{name}" for name in ("and", "or", "not"))
_TYPES = frozenset({"f32", "i32", "i64", "i1"})
_REASONS = {
    "stablehlo.dynamic_update_slice": "the engine opens a secret index of it",
    "stablehlo.scatter": "the engine opens its indices; use one-hots and a product",
    "stablehlo.sort": "the engine has none on secrets",
    "stablehlo.custom_call": "it is code of another machine",
    "stablehlo.case": "which branch runs would be seen; use where",
    "stablehlo.if": "which branch runs would be seen; use where",
    "stablehlo.rng_bit_generator": "the engine's integers do not wrap; draw outside",
    "stablehlo.shift_right_logical": "the engine's integers do not wrap; draw outside",
    "stablehlo.xor": "the engine's integers do not wrap; draw outside",
}
_UNKNOWN = "it is not among those that were found right on shares"


@lru_cache(maxsize=64)
def check_program(text: str, public: frozenset[int] = frozenset()) -> None:
    """EngineError unless the StableHLO ``text`` may run on shares, and all of its results are secret.

    All of its arguments are secret, except for those at the places in ``public``.
    """
    import jax
    from jax.extend.mlir import ir

    empty: Any = jax.jit(lambda: 0.0).lower().compiler_ir("stablehlo")
    with empty.context:  # a fresh one knows neither functions nor StableHLO
        try:
            module = ir.Module.parse(text)
        except (ir.MLIRError, ValueError):
            raise EngineError("the program is no StableHLO") from None
        reading = _Reading(list(module.body.operations))
        if not all(reading.function("main", [place not in public for place in range(reading.arguments)])):
            raise EngineError("a result of the program follows from what is public alone: compute it outside")


class _Reading:
    """A walk over a program that knows which values are secret, or follow from secrets."""

    def __init__(self, functions: list[Any]) -> None:
        self._functions = {str(f.attributes["sym_name"]).strip('"'): f for f in functions if "sym_name" in f.attributes}
        if len(self._functions) != len(functions) or "main" not in self._functions:
            raise EngineError("the program holds something beside its functions")

    @property
    def arguments(self) -> int:
        """How many the program takes."""
        (block,) = self._functions["main"].regions[0].blocks
        return len(block.arguments)

    def function(self, name: str, secret: list[bool]) -> list[bool]:
        """Which results are secret, given which arguments are."""
        (block,) = self._functions[name].regions[0].blocks
        return self._block(block, secret, {})

    def _block(self, block: Any, secret: list[bool], outside: dict[Any, bool]) -> list[bool]:
        """Which values of its return are secret."""
        known = {**outside, **dict(zip(block.arguments, secret, strict=True))}
        _check_types(block.arguments)
        for operation in block.operations:
            operands = [known[value] for value in operation.operands]
            name = operation.operation.name
            if name in ("func.return", "stablehlo.return"):
                return operands
            results = list(operation.operation.results)
            _check_types(results)
            known |= dict(zip(results, self._results(operation, name, operands, known), strict=True))
        return []

    def _results(self, operation: Any, name: str, secret: list[bool], known: dict[Any, bool]) -> list[bool]:
        if name in ("func.call", "call"):
            return self.function(str(operation.attributes["callee"]).removeprefix("@"), secret)
        if name not in OPERATIONS:
            raise EngineError(f"the program may not use {name} on shares: {_REASONS.get(name, _UNKNOWN)}")
        if name in _TRUTHS and any("i1>" not in str(value.type) for value in operation.operands):
            raise EngineError(f"the program uses {name} on the bits of numbers, which the engine does not keep as such")
        if name in ("stablehlo.gather", "stablehlo.dynamic_slice") and any(secret[1:]):
            raise EngineError(f"the program uses {name} with an index that is secret: use a one-hot and a product")
        if name == "stablehlo.while":
            return self._loop(operation, secret, known)
        for region in operation.operation.regions:
            for block in region.blocks:
                self._block(block, [any(secret)] * len(block.arguments), known)
        return [any(secret)] * len(operation.operation.results)

    def _loop(self, operation: Any, secret: list[bool], known: dict[Any, bool]) -> list[bool]:
        condition, body = (region.blocks[0] for region in operation.operation.regions)
        while (after := _either(secret, self._block(body, secret, known))) != secret:
            secret = after
        if any(self._block(condition, secret, known)):
            raise EngineError("the program has a loop whose end depends on what is secret: use a fixed number of steps")
        return secret


def _either(one: Iterable[bool], other: Iterable[bool]) -> list[bool]:
    return [a or b for a, b in zip(one, other, strict=True)]


def _check_types(values: Iterable[Any]) -> None:
    for value in values:
        kind = str(value.type).removesuffix(">").rpartition("<")[2].rpartition("x")[2]
        if kind not in _TYPES:
            raise EngineError(
                f"the program has numbers of the type {kind}: the engine is right for f32, i32, i64 and i1"
            )
