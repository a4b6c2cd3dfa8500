"""How a curator runs DP-SGD: charged as a whole, then chunks of compiled steps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import jax

from sfumato.errors import Overdraft
from sfumato.privacy.accounting import poisson_noise_multiplier
from sfumato.privacy.dp_sgd import Carry, DpSgd, Parameters, compiled
from sfumato.privacy.draws import bytes_of, fresh
from sfumato.privacy.groups import Rooms, deal, rooms
from sfumato.privacy.randomness import Entropy
from sfumato.privacy.sampling import PoissonSteps
from sfumato.progress import Progress
from sfumato.trust.budget import ROUNDING, Budget
from sfumato.trust.checkpoint import Mark
from sfumato.trust.records import ExactRecords
from sfumato.trust.steps import Planned, descent_of
from sfumato.trust.training_log import TrainingLog

_RELEASES = 8  # chunks of steps; after each one the state is public and may be saved
_DRAWN = 1 << 26  # bytes of random numbers that are drawn at a time


class Trainer:
    """Runs DP-SGD over private records.

    Args:
        records: their codes are put on the device once.
        budget: what may be spent.
        entropy: source of the keys for sampling and noise, fresh for every step.
        saved: where to keep a checkpoint, to go on after an interruption in a resumed run; None: nowhere.

    *Formal guarantee.* All steps are charged, durably and as one event, before the first of them: their number, rate
    and noise are fixed by then. The ledger is told of each chunk before it is computed. The result of a chunk leaves
    this object, as the next checkpoint or as the answer, only once: a chunk whose result was lost with its process was
    never seen, so its steps are drawn again, with fresh entropy, at no new charge.
    """

    def __init__(self, records: ExactRecords, budget: Budget, entropy: Entropy, saved: Path | None = None) -> None:
        self._codes, self._domain = records.matrix(), records.domain
        self._budget, self._entropy, self._log = budget, entropy, TrainingLog(budget, saved)

    def dp_sgd(self, training: DpSgd[Carry, Parameters], share: float, progress: Progress) -> Carry:
        """The final carry, public; costs ``share`` of the squared budget. See ``Setting.dp_sgd``."""
        carry, mark = self._begin(training, share)
        planned, into = self._planned(training, mark.rate, mark.noise_multiplier)
        self._pay(planned, mark, share)
        groups = deal(self._codes, into, self._entropy)
        run = compiled(training, planned.step(into.capacity))
        numbers = 0 if planned.grid is None else planned.numbers
        shape = (into.groups, into.length)
        size = -(-training.steps // _RELEASES)
        piece = max(1, min(size, _DRAWN // bytes_of(shape, numbers)))
        progress.stage("private gradients", training.steps)
        progress.step(mark.done)
        while mark.done < training.steps:
            count = min(size, training.steps - mark.done)
            if self._budget.private:
                self._log.announce(mark, count)
            for start in range(0, count, piece):
                draws = fresh(piece, shape, numbers, self._entropy)
                jax.block_until_ready(carry)  # of the piece before, which was computed while these were drawn
                carry = run(carry, groups, draws, min(piece, count - start))
            jax.block_until_ready(carry)
            mark = self._log.advance(mark, count, carry)
            progress.step(count)
        return carry

    def _planned(self, training: DpSgd, rate: float, noise_multiplier: float) -> tuple[Planned, Rooms]:
        """What a step does, from public facts: the same for a run that goes on."""
        at_least = 0 if self._budget.private else len(self._codes)
        into = rooms(rate, training.total, at_least)
        return Planned(descent_of(training, noise_multiplier, rate, into), self._domain), into

    def _begin(self, training: DpSgd[Carry, Parameters], share: float) -> tuple[Carry, Mark]:
        kept = self._log.kept(
            training.carry, lambda mark: self._planned(training, mark.rate, mark.noise_multiplier)[0].descent.digest
        )
        if kept is not None:
            return kept[1], kept[0]
        rate, noise = training.rate, self._noise_multiplier(training, share)
        asked = self._planned(training, rate, noise)[0].descent
        return training.carry, self._log.begin(rate, noise, asked.digest, training.carry)

    def _noise_multiplier(self, training: DpSgd, share: float) -> float:
        """The noise at which all steps cost ``share`` of the squared budget."""
        if not self._budget.private:
            return 0.0
        if not 0 < share <= self._budget.remaining + ROUNDING:
            raise Overdraft(f"nothing was released: a share of {share:g} of the budget was asked for, less is left")
        probability = PoissonSteps(training.rate, 0).probability
        return poisson_noise_multiplier(probability, training.steps, self._budget.mu(share), self._budget.tail(share))

    def _pay(self, planned: Planned, mark: Mark, share: float) -> None:
        """Charge all steps as one event, unless the process that was interrupted did."""
        if self._budget.private:
            self._log.pay(replace(planned.event(), tail=self._budget.tail(share)), mark)
