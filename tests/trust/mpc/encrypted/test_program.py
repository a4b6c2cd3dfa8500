"""What the engine runs in a training on shares: the same steps as in the open, and nothing that would open a secret."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.trust.mpc.encrypted.columns import COLUMNS, PERSONS, SEED, SIZES, codes, own, rows, start

from sfumato.errors import EngineError
from sfumato.privacy.gradients import Tape
from sfumato.progress import Silent
from sfumato.trust.mpc.counting import Codes
from sfumato.trust.mpc.encrypted import program
from sfumato.trust.mpc.encrypted.program import BOX, TrainingPrograms, descended, shared
from sfumato.trust.mpc.encrypted.shared_training import own_one_hots
from sfumato.trust.mpc.encrypted.training import BATCH, TOGETHER
from sfumato.trust.mpc.encrypted.trial import check_inside, drawn_for, try_out
from sfumato.trust.mpc.engine.lowering import lower

ALL = np.ones(PERSONS, bool)


STEPS = 5
DRAWN = [drawn[:STEPS] for drawn in drawn_for(COLUMNS, SEED, 0, PERSONS)]


@jax.jit
def steps(*given):
    return descended(COLUMNS, *shared(COLUMNS, *given[:-2]), *given[-2:])


def trained(columns: list[np.ndarray], present: np.ndarray) -> np.ndarray:
    """Parameters after some steps, in the open, by the programs' own functions."""
    return np.asarray(steps(start(), *rows(columns, present), *DRAWN))


def test_the_steps_are_those_of_gradient_descent_on_codes() -> None:
    columns = codes()
    table, objective = np.stack(columns, axis=1), COLUMNS.objective
    who, noise = DRAWN

    @jax.jit
    def gradient(flat, batch, coins):
        records = objective.prepare(jnp.asarray(table)[batch], jax.random.key(0))[0], coins
        return jax.grad(lambda f: jnp.sum(objective.loss(objective.tree(f), records, Tape())))(flat)

    expected = start()
    for step in range(STEPS):
        expected = expected - COLUMNS.scale * gradient(expected, who[step], noise[step])
    assert np.abs(expected - start()).max() > 0.005
    assert np.allclose(trained(columns, ALL), expected, atol=1e-5)


def test_who_is_absent_at_one_party_is_not_learnt_from() -> None:
    present = ALL.copy()
    present[:150] = False
    one, other = codes(1), codes(1)
    for column in other:
        column[:150] = 0
    assert np.array_equal(trained(one, present), trained(other, present))
    assert not np.array_equal(trained(one, ALL), trained(other, ALL))


def test_programs_are_named_by_a_hash_that_any_change_moves(monkeypatch) -> None:
    made = TrainingPrograms.of(COLUMNS)
    assert made.digest == TrainingPrograms.of(COLUMNS).digest
    assert made.descended.public == {5, 6}
    for text in ("exponential", "divide", "scatter", "sort", "dynamic_update_slice"):
        assert f"stablehlo.{text}" not in made.descended.text
    with monkeypatch.context() as changed:
        changed.setattr(program, "BOX", 8.0)
        assert TrainingPrograms.of(COLUMNS).digest != made.digest
    monkeypatch.setattr(program.SharedColumns, "gathered", lambda self, parts: _transposed(GATHERED(self, parts)))
    assert TrainingPrograms.of(COLUMNS).digest != made.digest


GATHERED = program.SharedColumns.gathered


def _transposed(hot):
    """A mistake: a constant that should do nothing, the wrong way round."""
    turned = np.roll(np.eye(hot.shape[1], dtype=np.float32), 1, axis=0)
    return hot @ turned.T


def test_batches_that_were_secret_are_refused() -> None:
    forms = [jax.ShapeDtypeStruct((COLUMNS.objective.numbers,), jnp.float32)]
    forms += [jax.ShapeDtypeStruct((PERSONS, width), jnp.float32) for width in COLUMNS.layout.widths]
    forms += [jax.ShapeDtypeStruct((PERSONS,), jnp.float32), jax.ShapeDtypeStruct((TOGETHER, BATCH), jnp.int32)]
    forms += [jax.ShapeDtypeStruct((TOGETHER, *COLUMNS.noise_shape), jnp.float32)]
    with pytest.raises(EngineError, match="an index that is secret"):
        lower(partial(descended, COLUMNS), *forms, public=(6,))


def test_a_trial_on_simulated_rows_goes_well() -> None:
    try_out(COLUMNS, start(), SEED, 1, Silent())


def test_an_overflow_is_seen_before_a_run(monkeypatch) -> None:
    monkeypatch.setattr(program, "_SLOWEST", 2.0)
    with pytest.raises(EngineError, match=r"the training diverged|arithmetic on shares is wrong"):
        try_out(COLUMNS, start(), SEED, 1, Silent())


def test_parameters_at_the_end_of_their_box_are_refused() -> None:
    check_inside(np.array([BOX - 1.0, -BOX + 1.0]))
    for wrong in (BOX, -BOX, np.nan):
        with pytest.raises(EngineError, match="the training diverged"):
            check_inside(np.array([0.0, wrong]))


class Huge(Codes):
    """One-hots of a party whose machine errs: a record of norm 10^6."""

    def one_hots(self, sizes):
        return super().one_hots(sizes) * 2**20


def test_a_record_of_huge_norm_is_not_shared() -> None:
    mine = own(codes(), 2)
    made = own_one_hots(COLUMNS, mine, 2)
    assert made.shape == (PERSONS, SIZES[2] + SIZES[4])
    assert (made.sum(axis=1) == 2).all()
    with pytest.raises(EngineError, match="zeros and ones"):
        own_one_hots(COLUMNS, Huge(mine.columns, mine.present), 2)
    with pytest.raises(EngineError, match="a row for each person"):
        own_one_hots(COLUMNS, Codes(tuple(c[:-1] for c in mine.columns), mine.present[:-1]), 2)
