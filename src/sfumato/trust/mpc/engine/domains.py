"""Whether the numbers of a program stay where fixed-point arithmetic is right: found out in plain JAX, before any run.

On shares nothing says that a number is too large: a product wraps, a root comes back as 0. So a plan is first run on
simulated rows of the declared bounds, every value looked at. The limits were measured for 18 fraction bits in 64.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from sfumato.errors import EngineError
from sfumato.trust.mpc.engine.lowering import wide

PRODUCT = 2.0**26
"""Products, and sums of products: from here the truncation of a product fails, for one in five at 2^26.5."""
ROOT = 2.0**17
"""What sqrt and rsqrt take: they return 0 from here."""
DIVISOR = 2.0**18
"""What is divided by: quotients are 0 from here."""
EXPONENT = 12.0
"""What exp takes: more was not measured."""
VALUE = 2.0**44
"""Any number: the ring ends at 2^45."""
_PRODUCTS = {"mul", "dot_general", "conv_general_dilated", "integer_pow", "square", "div"}
_ARGUMENTS = {"sqrt": (0, ROOT), "rsqrt": (0, ROOT), "div": (1, DIVISOR), "exp": (0, EXPONENT)}
"""Place of the argument that is bounded, and its bound."""


def run_within(function: Callable[..., Any], *arrays: np.ndarray) -> list[np.ndarray]:
    """The results of ``function`` in plain JAX; EngineError where a number on the way is too large for shares.

    Whole numbers are not looked at: they are right to 2^63 on shares, and where JAX wraps the results differ.
    """
    import jax

    with jax.enable_x64(wide(arrays)):
        closed = jax.make_jaxpr(function)(*arrays)
        return [np.asarray(found) for found in _evaluate(closed.jaxpr, closed.consts, arrays)]


def _evaluate(jaxpr: Any, constants: Sequence[Any], arguments: Sequence[Any]) -> list[Any]:
    known: dict[Any, Any] = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*constants, *arguments), strict=True))

    def value(atom: Any) -> Any:
        return atom.val if hasattr(atom, "val") else known[atom]

    for equation in jaxpr.eqns:
        found = _results(equation, [value(atom) for atom in equation.invars])
        known |= dict(zip(equation.outvars, found, strict=True))
    return [value(atom) for atom in jaxpr.outvars]


def _results(equation: Any, arguments: list[Any]) -> list[Any]:
    name, parameters = equation.primitive.name, equation.params
    if name == "scan":
        return _scan(parameters, arguments)
    inner = parameters.get("jaxpr") or parameters.get("call_jaxpr")
    if inner is not None:
        return _evaluate(inner.jaxpr, inner.consts, arguments)
    if name in _ARGUMENTS:
        place, most = _ARGUMENTS[name]
        _check(arguments[place], most, f"{name} takes")
    found = equation.primitive.bind(*arguments, **parameters)
    results = list(found) if equation.primitive.multiple_results else [found]
    for result in results:
        _check(result, PRODUCT if name in _PRODUCTS else VALUE, f"{name} gives")
    return results


def _scan(parameters: Any, arguments: list[Any]) -> list[Any]:
    """All steps, one after another; what a step gives beside what it carries is not allowed on shares anyway."""
    inner, constants, carried = parameters["jaxpr"], parameters["num_consts"], parameters["num_carry"]
    fixed, state, each = arguments[:constants], arguments[constants:][:carried], arguments[constants + carried :]
    steps = range(parameters["length"])
    for step in reversed(steps) if parameters["reverse"] else steps:
        state = _evaluate(inner.jaxpr, inner.consts, [*fixed, *state, *(array[step] for array in each)])[:carried]
    return state


def _check(array: Any, most: float, what: str) -> None:
    numbers = np.asarray(array)
    if np.issubdtype(numbers.dtype, np.floating) and not np.all(np.abs(numbers) < most):
        raise EngineError(
            f"on simulated rows {what} numbers of 2^{math.log2(most):.0f} or more, where arithmetic on shares is wrong"
            " without a word: clamp before, or scale"
        )
