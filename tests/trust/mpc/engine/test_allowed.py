"""What may run on shares, and programs that must be refused before anything is shared."""

from __future__ import annotations

import re

import jax
import jax.numpy as jnp
import pytest

from sfumato.errors import EngineError
from sfumato.trust.mpc.engine.allowed import OPERATIONS, check_program
from sfumato.trust.mpc.engine.lowering import lower
from sfumato.trust.mpc.engine.rehearsed import REHEARSED, looking_up

ROW, WHOLE = jax.ShapeDtypeStruct((6,), jnp.float32), jax.ShapeDtypeStruct((6,), jnp.int32)


def while_on_data(x):
    return jax.lax.while_loop(lambda s: jnp.sum(s) < 10, lambda s: s * 2, x)


def while_on_what_became_data(x):
    """The counter is public at first, and takes on a secret within the loop."""
    return jax.lax.while_loop(lambda s: s[0] < 10, lambda s: (s[0] + s[1][0], s[1]), (0.0, x))[1]


def stacked(x):
    return jax.lax.scan(lambda c, row: (c, row * 2), 0.0, x)[1]


def within_a_loop(x, i):
    return jax.lax.fori_loop(0, 3, lambda _, s: s + x[i[0]], jnp.zeros(()))


REFUSED = {
    "secret gather": (lambda x, i: x[i], (ROW, WHOLE), "gather with an index that is secret"),
    "secret slice": (lambda x, i: jax.lax.dynamic_slice(x, (i[0],), (2,)), (ROW, WHOLE), "dynamic_slice with an index"),
    "look-up's gradient": (looking_up, (jax.ShapeDtypeStruct((6, 3), jnp.float32), WHOLE), "index that is secret"),
    "secret index in a loop": (within_a_loop, (ROW, WHOLE), "dynamic_slice with an index that is secret"),
    "scatter": (lambda x, i: x.at[i].set(0.0), (ROW, WHOLE), "scatter on shares: the engine opens"),
    "public update": (lambda x: jax.lax.dynamic_update_slice(x, x[:1], (2,)), (ROW,), "opens a secret index"),
    "stacked results of a loop": (stacked, (ROW,), "dynamic_update_slice"),
    "sort": (jnp.sort, (ROW,), "sort on shares: the engine has none"),
    "while on data": (while_on_data, (ROW,), "loop whose end depends on what is secret"),
    "while on what became data": (while_on_what_became_data, (ROW,), "loop whose end depends on what is secret"),
    "branch": (lambda x: jax.lax.cond(x[0] > 0, jnp.sin, jnp.cos, x), (ROW,), "which branch runs would be seen"),
    "noise": (lambda x: x + jax.random.normal(jax.random.key(0), (6,)), (ROW,), "ui32|draw outside"),
    "unsigned": (lambda x: x.astype(jnp.uint32), (WHOLE,), "type ui32"),
    "half": (lambda x: x.astype(jnp.bfloat16), (ROW,), "type bf16"),
    "bits": (lambda x: x & 3, (WHOLE,), "bits of numbers"),
    "callback": (
        lambda x: jax.pure_callback(lambda y: y, ROW, x), (ROW,), "code of another machine"
    ),
    "tanh": (jnp.tanh, (ROW,), "not among those that were found right"),
    "barrier": (jax.lax.optimization_barrier, (ROW,), "not among those"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_opens_or_breaks_on_shares_is_refused(name):
    function, shapes, reason = REFUSED[name]
    with pytest.raises(EngineError, match=reason):
        lower(function, *shapes)


def test_a_slice_with_one_secret_index_of_two_is_refused():
    square = jax.ShapeDtypeStruct((6, 6), jnp.float32)
    with pytest.raises(EngineError, match="dynamic_slice with an index that is secret"):
        lower(lambda x, i: jax.lax.dynamic_slice(x, (2, i[0]), (1, 1)), square, WHOLE)


def test_a_fixed_number_of_steps_and_a_public_index_are_let_through():
    def program(x):
        steps = jax.lax.fori_loop(0, 3, lambda i, s: s + x[i], jnp.zeros(()))
        return steps + x[jnp.array([1, 2])].sum()

    assert "stablehlo.while" in lower(program, ROW).text


def test_an_index_may_be_an_argument_that_is_public():
    assert lower(lambda x, i: x[i], ROW, WHOLE, public=[1]).public == {1}
    with pytest.raises(EngineError, match="gather with an index that is secret"):
        lower(lambda x, i: x[i], ROW, WHOLE, public=[0])


def test_a_result_that_follows_from_what_is_public_is_refused():
    with pytest.raises(EngineError, match="follows from what is public alone"):
        lower(lambda x, y: (x + y, y * 2), ROW, ROW, public=[1])


def test_what_is_no_program_is_refused():
    with pytest.raises(EngineError, match="is no StableHLO"):
        check_program("module { nonsense }")


def test_what_is_allowed_is_what_a_rehearsal_runs():
    """No operation comes onto the list without being compared with plain JAX on the engine itself."""
    found = set()
    for what in (make() for make in REHEARSED):
        text = lower(what.function, *(jax.ShapeDtypeStruct(a.shape, a.dtype) for a in what.arrays)).text
        found |= set(re.findall(r"stablehlo\.\w+", text))
    assert found - {"stablehlo.return"} == OPERATIONS
