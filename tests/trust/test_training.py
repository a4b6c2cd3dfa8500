"""Trainings answered by one curator: what is learnt, what is charged, and going on after an interruption."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from safetensors.numpy import save
from tests.trust.training_case import DOMAIN, GUARANTEE, STEPS, case, records

from sfumato.errors import CheckpointError, Overdraft, UnsupportedUnit
from sfumato.privacy.accounting import epsilon
from sfumato.privacy.events import Gaussian, PoissonSampledGaussian
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger
from sfumato.privacy.spending import Spending
from sfumato.progress import Silent
from sfumato.trust.budget import Budget
from sfumato.trust.central import Central
from sfumato.trust.records import Records


def _charged_steps(run):
    return sum(e.count for e in run.events if isinstance(e, PoissonSampledGaussian))


def test_learns_and_spends_its_share_only():
    run = Ledger.open().begin(GUARANTEE, "test")
    setting = Central(records(), Budget(run))
    learnt, _ = setting.dp_sgd(case(), 0.5, Silent())
    np.testing.assert_allclose(learnt.value, records().matrix().mean(0) / 2, atol=0.5)
    assert _charged_steps(run) == STEPS
    assert setting.remaining == pytest.approx(0.5, abs=2e-3)  # noise comes in steps of a thousandth
    rest = Gaussian(1 / setting.mu(0.5))
    spent = epsilon([*run.events, rest], GUARANTEE.delta)
    assert 0.95 * GUARANTEE.epsilon < spent <= GUARANTEE.epsilon
    assert 0.999 < Spending.of([*run.events, rest]).epsilon(GUARANTEE.delta) / GUARANTEE.epsilon <= 1


def test_more_than_is_left_is_refused_and_nothing_charged():
    run = Ledger.open().begin(GUARANTEE, "test")
    setting = Central(records(), Budget(run))
    setting.count(setting.mu(0.6))
    before = run.events
    with pytest.raises(Overdraft, match=r"a share of 0.5"):
        setting.dp_sgd(case(), 0.5, Silent())
    assert run.events == before


def test_without_a_guarantee_nothing_is_charged_and_no_noise_added():
    run = Ledger.open().begin(Guarantee(float("inf")), "test")
    learnt, _ = Central(records(), Budget(run)).dp_sgd(case(batch=1000.0), 1.0, Silent())
    np.testing.assert_allclose(learnt.value, records().matrix().mean(0) / 2, atol=0.2)
    assert run.events == ()


def test_a_table_whose_rows_are_all_left_out_gives_noise():
    """No record is no error: that would tell."""
    run = Ledger.open().begin(GUARANTEE, "test")
    nothing = Records.of(np.zeros((0, 2), np.uint8), DOMAIN)
    learnt, _ = Central(nothing, Budget(run)).dp_sgd(case(), 0.5, Silent())
    assert np.isfinite(learnt.value).all()
    assert np.abs(learnt.value - case().carry[0].value).max() > 0
    assert _charged_steps(run) == STEPS


def test_two_trainings_differ():
    def once():
        run = Ledger.open().begin(GUARANTEE, "test")
        return Central(records(), Budget(run)).dp_sgd(case(4), 1.0, Silent())[0].value

    assert not np.array_equal(once(), once())


def test_units_of_several_rows_are_refused():
    run = Ledger.open().begin(GUARANTEE, "test")
    with pytest.raises(UnsupportedUnit, match="a unit may hold 3 rows"):
        Central(records(), Budget(run), max_rows=3).dp_sgd(case(), 1.0, Silent())


def test_a_killed_training_goes_on_where_it_was_and_pays_nothing_twice(tmp_path):
    ledger, saved = tmp_path / "data.ledger", tmp_path / "training.checkpoint"
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.trust.training_case", str(ledger), str(saved)],
        cwd=root,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout
        for _ in range(4):  # the start, and three chunks
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    with Ledger.open(ledger) as book:
        run = book.resume(1)
        assert _charged_steps(run) == STEPS
        assert 0 < run.steps < STEPS
        learnt, _ = Central(records(), Budget(run), saved=saved).dp_sgd(case(), 0.5, Silent())
        assert run.steps == _charged_steps(run) == STEPS
    np.testing.assert_allclose(learnt.value, records().matrix().mean(0) / 2, atol=0.5)


def test_a_chunk_that_was_begun_but_lost_is_drawn_again_without_a_new_charge(tmp_path):
    saved = tmp_path / "training.checkpoint"
    run = Ledger.open().begin(GUARANTEE, "test")

    class Stop(Silent):
        def __init__(self):
            self.left = 3

        def step(self, n=1):
            self.left -= 1
            if not self.left:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Central(records(), Budget(run), saved=saved).dp_sgd(case(), 0.5, Stop())
    assert _charged_steps(run) == STEPS
    run.begin_steps(run.steps + STEPS // 8)  # as if killed between the ledger and the checkpoint
    Central(records(), Budget(run), saved=saved).dp_sgd(case(), 0.5, Silent())
    assert _charged_steps(run) == STEPS


def test_an_older_copy_of_a_checkpoint_is_refused(tmp_path):
    saved = tmp_path / "training.checkpoint"
    run = Ledger.open().begin(GUARANTEE, "test")
    older = []

    class Copy(Silent):
        def step(self, n=1):
            older.append(saved.read_bytes())

    Central(records(), Budget(run), saved=saved).dp_sgd(case(), 0.5, Copy())
    saved.write_bytes(older[2])
    with pytest.raises(CheckpointError, match="older copy"):
        Central(records(), Budget(run), saved=saved).dp_sgd(case(), 0.5, Silent())


def test_a_training_is_paid_for_whole_before_its_first_step(tmp_path):
    """Also one that is killed at once: its noise and rate were fixed for all steps."""
    run = Ledger.open().begin(GUARANTEE, "test")

    class Stop(Silent):
        def step(self, n=1):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Central(records(), Budget(run), saved=tmp_path / "x").dp_sgd(case(), 0.5, Stop())
    (event,) = run.events
    assert (event.count, run.steps) == (STEPS, 0)


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    saved = tmp_path / "training.checkpoint"
    Central(records(), Budget(Ledger.open().begin(GUARANTEE, "test")), saved=saved).dp_sgd(case(), 0.5, Silent())
    with pytest.raises(CheckpointError, match="did not pay for"):
        Central(records(), Budget(Ledger.open().begin(GUARANTEE, "test")), saved=saved).dp_sgd(case(), 0.5, Silent())


def test_a_second_training_of_the_same_run_is_not_free(tmp_path):
    run = Ledger.open().begin(GUARANTEE, "test")
    budget = Budget(run)
    for i in range(2):
        Central(records(), budget, saved=tmp_path / f"{i}").dp_sgd(case(), 0.5, Silent())
    assert _charged_steps(run) == 2 * STEPS


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    """Of the same network: by what its steps ask."""
    saved, run = tmp_path / "x", Ledger.open().begin(GUARANTEE, "test")
    Central(records(), Budget(run), saved=saved).dp_sgd(case(), 0.5, Silent())
    with pytest.raises(CheckpointError, match="of another training; delete it to begin anew"):
        Central(records(), Budget(run), saved=saved).dp_sgd(case(steps=STEPS - 1), 0.5, Silent())


def test_a_checkpoint_of_an_older_version_is_refused(tmp_path):
    """It does not say what was asked."""
    saved, run = tmp_path / "x", Ledger.open().begin(GUARANTEE, "test")
    leaves = {str(i): np.asarray(x) for i, x in enumerate(jax.tree.leaves(case().carry))}
    mark = {"done": 8, "before": 0, "rate": 0.1, "noise_multiplier": 1.0}
    saved.write_bytes(save(leaves, {"mark": json.dumps(mark)}))
    with pytest.raises(CheckpointError, match="delete it to begin anew"):
        Central(records(), Budget(run), saved=saved).dp_sgd(case(), 0.5, Silent())


@pytest.mark.parametrize("content", [b"", b"garbage" * 9, None])
def test_a_foreign_checkpoint_is_refused(tmp_path, content):
    saved = tmp_path / "x"
    if content is None:
        content = save({"0": np.zeros(3, np.float32)}, {"mark": "{}"})
    saved.write_bytes(content)
    run = Ledger.open().begin(GUARANTEE, "test")
    with pytest.raises(CheckpointError, match="delete it to begin anew"):
        Central(records(), Budget(run), saved=saved).dp_sgd(case(), 0.5, Silent())
    assert run.events == ()
