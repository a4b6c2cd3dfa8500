"""Where a training goes on after an interruption: its state between steps, and what the ledger knows of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jax

from sfumato.errors import CheckpointError
from sfumato.privacy.dp_sgd import Carry
from sfumato.privacy.events import DistributedGaussian, PoissonSampledGaussian, is_training
from sfumato.trust import checkpoint
from sfumato.trust.budget import Budget
from sfumato.trust.checkpoint import Mark


class TrainingLog:
    """The checkpoint of one training, and its place in the ledger.

    Args:
        budget: what is charged.
        saved: the file; None: nothing is kept.

    *Formal guarantee.* All steps are charged once. The ledger is told of steps before they are taken, so an older copy
    of the file, from which they would be taken twice, is refused; what lies between two saves was never seen.
    """

    def __init__(self, budget: Budget, saved: Path | None) -> None:
        self._budget, self._saved = budget, saved

    def kept(self, carry: Carry, digest: Callable[[Mark], str]) -> tuple[Mark, Carry] | None:
        """The state that an interrupted run left, in the structure of ``carry``; None where there is none.

        CheckpointError where it is of another training than the one whose steps have the ``digest``.
        """
        if self._saved is None or not self._saved.exists():
            return None
        mark, state = checkpoint.read(self._saved, carry)
        if digest(mark) != mark.descent:
            raise CheckpointError(f"{self._saved} is a checkpoint of another training; delete it to begin anew")
        return mark, state

    def begin(self, rate: float, noise_multiplier: float, digest: str, carry: object) -> Mark:
        """The mark of a new training, which is saved."""
        mark = Mark(0, len(self._budget.run.events), rate, noise_multiplier, digest)
        self._save(mark, carry)
        return mark

    def pay(self, event: PoissonSampledGaussian | DistributedGaussian, mark: Mark) -> None:
        """Charge all steps as one event, unless the process that was interrupted did; Overdraft if it is too much."""
        paid = event in self._budget.run.events[mark.before :]
        if mark.done and not paid:
            raise CheckpointError(
                f"run {self._budget.run.id} of the ledger did not pay for the training in {self._saved}"
            )
        self._budget.charge_training(event, paid)

    def announce(self, mark: Mark, count: int) -> None:
        """Tell the ledger of the next ``count`` steps before they are taken, so that no older copy takes them again."""
        run = self._budget.run
        earlier = sum(e.count for e in run.events[: mark.before] if is_training(e))
        last = earlier + mark.done + count
        if run.steps > last:  # each chunk is saved before the next is announced
            raise CheckpointError(f"{self._saved} is an older copy: the run went further than it says")
        run.begin_steps(last)

    def advance(self, mark: Mark, count: int, carry: object) -> Mark:
        """Keep the state after ``count`` more steps; only then may it be given."""
        further = replace(mark, done=mark.done + count)
        self._save(further, carry)
        return further

    def _save(self, mark: Mark, carry: object) -> None:
        if self._saved is not None:
            with self._budget.run.held():  # only the run's holder may give the result of a chunk
                checkpoint.write(self._saved, mark, jax.tree.leaves(carry))
