"""Numbers that are too large for shares are seen in plain JAX, on simulated rows, before any run."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfumato.errors import EngineError
from sfumato.trust.mpc.engine.domains import DIVISOR, PRODUCT, ROOT, run_within
from sfumato.trust.mpc.engine.rehearsed import REHEARSED, overflowing


def one(value: float) -> np.ndarray:
    return np.full((2, 2), value, dtype=np.float32)


def grown(x):
    return jax.lax.scan(lambda s, _: (s * s, None), x, length=5)[0]


BEYOND = {
    "product": (lambda x: x * x, PRODUCT**0.5, "mul gives"),
    "square": (jnp.square, PRODUCT**0.5, "gives"),
    "power": (lambda x: x**3, 2.0**9, "integer_pow gives"),
    "matrix": (lambda x: x @ x, (PRODUCT / 2) ** 0.5 * 1.001, "dot_general gives"),
    "root": (jnp.sqrt, ROOT, "sqrt takes"),
    "one over root": (jax.lax.rsqrt, ROOT, "rsqrt takes"),
    "divisor": (lambda x: 1 / x, DIVISOR, "div takes"),
    "quotient": (lambda x: 2.0**12 / x, 2.0**-14, "div gives"),
    "exponent": (jnp.exp, 12.0, "exp takes"),
    "sum": (lambda x: x + x, 2.0**43, "add gives"),
    "within a loop": (grown, 3.0, "gives"),
    "within a function": (jax.jit(lambda x: jax.nn.relu(x * x)), PRODUCT**0.5, "mul gives"),
    "no number": (lambda x: jnp.log(x - x - 1), 1.0, "log gives"),
}


@pytest.mark.parametrize("name", BEYOND)
def test_a_number_beyond_the_limit_is_seen(name):
    function, value, said = BEYOND[name]
    with pytest.raises(EngineError, match=said):
        run_within(function, one(value))


@pytest.mark.parametrize(
    ("function", "value"),
    [(lambda x: x * x, 2**13.25), (jnp.sqrt, 2**17.2), (jax.lax.rsqrt, 2**17.2), (lambda x: x / x, 2**18.1)],
    ids=["product", "root", "one over root", "divisor"],
)
def test_what_was_seen_to_fail_on_the_engine_is_refused(function, value):
    """One product of 2^26.5 in five came back wrong, every root of 2^17.2 as 0, every quotient by 2^18.1."""
    with pytest.raises(EngineError, match="arithmetic on shares is wrong"):
        run_within(function, one(value))


@pytest.mark.parametrize("name", ["product", "root", "one over root", "divisor", "exponent", "matrix"])
def test_a_number_just_below_passes_and_the_results_are_jaxs(name):
    function, value, _ = BEYOND[name]
    below = one(value * 0.99)
    assert np.array_equal(run_within(function, below)[0], np.asarray(function(below)))


def test_a_loop_gives_what_jax_gives():
    (found,) = run_within(grown, one(1.5))
    assert np.array_equal(found, np.asarray(grown(one(1.5))))


def test_a_clip_that_leaves_too_much_is_judged():
    clipping = REHEARSED[0]()
    found = run_within(clipping.function, *clipping.arrays)
    assert clipping.judge(found) == ""
    assert "was left by a clip at 1" in clipping.judge([found[0] * 1.01, *found[1:]])


def test_the_planted_overflow_is_seen():
    what = overflowing()
    with pytest.raises(EngineError, match="on simulated rows mul gives"):
        run_within(what.function, *what.arrays)
