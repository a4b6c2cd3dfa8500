"""How a curator answers a descent: chunks of compiled steps, each charged before its result exists."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sfumato.errors import CheckpointError, Overdraft
from sfumato.privacy.accounting import poisson_noise_multiplier
from sfumato.privacy.descent import KEYS, Descent, compiled
from sfumato.privacy.events import Gaussian, PoissonSampledGaussian, Threshold
from sfumato.privacy.randomness import Entropy
from sfumato.privacy.sampling import PoissonSteps
from sfumato.progress import Progress
from sfumato.trust import checkpoint
from sfumato.trust.purse import Purse

_RELEASES = 8  # chunks of steps; after each one the state is public and may be saved
_RECORDS = 1024  # worked on at a time: 512 take up to a sixth longer, 4096 more memory and no less time


class Trainer:
    """Runs a descent over private codes.

    Args:
        codes: private codes (n, d); put on the device once.
        purse: what may be spent.
        entropy: source of the keys for sampling and noise, fresh for every step.
        saved: where to keep a checkpoint, to go on after an interruption in a resumed run; None: nowhere.

    *Formal guarantee.* Every chunk of steps is charged, durably, before it is computed. The result of a chunk leaves
    this object, as the next checkpoint or as the answer, only once: a chunk that was charged but whose result was lost
    with its process was never seen, so its steps are drawn again, with fresh entropy, at no new charge. Rate and noise
    are fixed before the first step.
    """

    def __init__(self, codes: np.ndarray, purse: Purse, entropy: Entropy, saved: Path | None = None) -> None:
        self._codes, self._purse, self._entropy, self._saved = codes, purse, entropy, saved

    def descend(self, descent: Descent, share: float, progress: Progress) -> Any:
        """The final carry, public; costs ``share`` of the squared budget. See ``Setting.descend``."""
        carry, mark = self._begin(descent, share)
        steps = PoissonSteps(mark.rate, mark.noise_multiplier)
        run = compiled(descent, steps, _RECORDS)
        codes = jnp.asarray(self._codes)
        size = -(-descent.steps // _RELEASES)
        progress.stage("private gradients", descent.steps)
        progress.step(mark.done)
        while mark.done < descent.steps:
            count = min(size, descent.steps - mark.done)
            self._pay(steps, mark, count, share * count / descent.steps)
            keys = np.frombuffer(self._entropy.take(count * KEYS * 8), np.uint32).reshape(count, KEYS, 2)
            carry = jax.block_until_ready(run(carry, codes, jnp.asarray(keys)))
            mark = checkpoint.Mark(mark.done + count, mark.before, mark.rate, mark.noise_multiplier)
            self._save(mark, carry)
            progress.step(count)
        return carry

    def _begin(self, descent: Descent, share: float) -> tuple[Any, checkpoint.Mark]:
        if self._saved is not None and self._saved.exists():
            mark, carry = checkpoint.read(self._saved, descent.carry)
            return carry, mark
        noise = self._noise_multiplier(descent, share)
        mark = checkpoint.Mark(0, len(self._purse.run.events), descent.rate, noise)
        self._save(mark, descent.carry)
        return descent.carry, mark

    def _noise_multiplier(self, descent: Descent, share: float) -> float:
        """The noise that fits beside what the rest of the squared budget may still be spent on."""
        if not self._purse.private:
            return 0.0
        if not 0 < share <= self._purse.remaining + 1e-9:
            raise Overdraft(f"nothing was released: a share of {share:g} of the budget was asked for, less is left")
        others: list[Any] = [e for e in self._purse.run.events if isinstance(e, Threshold)]
        if share < 1 - 1e-9:
            others.append(Gaussian(1 / (self._purse.total * math.sqrt(1 - share))))
        probability = PoissonSteps(descent.rate, 0).probability
        return poisson_noise_multiplier(self._purse.run.guarantee, probability, descent.steps, others)

    def _pay(self, steps: PoissonSteps, mark: checkpoint.Mark, count: int, share: float) -> None:
        """Charge what of the next ``count`` steps was not charged by the process that was interrupted."""
        if not self._purse.private:
            return
        event = steps.event(1)
        charged = sum(
            e.count
            for e in self._purse.run.events[mark.before :]
            if isinstance(e, PoissonSampledGaussian)
            and (e.sampling_probability, e.noise_multiplier) == (event.sampling_probability, event.noise_multiplier)
        )
        missing = mark.done + count - charged
        if missing < 0:  # each chunk is saved before the next is paid for
            raise CheckpointError(f"{self._saved} is an older copy: the run went further than it says")
        if missing > 0:
            self._purse.charge_steps(steps.event(missing), share * missing / count)

    def _save(self, mark: checkpoint.Mark, carry: Any) -> None:
        if self._saved is not None:
            checkpoint.write(self._saved, mark, carry)
