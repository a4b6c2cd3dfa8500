"""A small training: the mean of standardised codes, by gradients. As a program: trains until it is killed."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax

from sfumato.encoding.domain import Domain
from sfumato.privacy.dp_sgd import DpSgd, Objective
from sfumato.privacy.gradients import Constant
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger
from sfumato.progress import Silent
from sfumato.trust.budget import Budget
from sfumato.trust.central import Central
from sfumato.trust.questions import OBJECTIVES
from sfumato.trust.records import Records

DOMAIN = Domain.of(["a", "b"], [10, 10])
GUARANTEE = Guarantee(epsilon=2, delta=1e-6)
STEPS = 48


def _half_the_mean(domain, arrays):
    return Objective(
        like=jax.eval_shape(lambda key: Constant((2,), key), jax.random.key(0)),
        prepare=lambda codes, key: codes.astype(jnp.float32) / 2,
        loss=lambda parameters, records, tape: jnp.sum((parameters(records.shape[0], tape) - records) ** 2, axis=1),
    )


OBJECTIVES.add("test: half the mean", _half_the_mean)


def case(steps=STEPS, batch=100.0):
    """Learns half the mean code of 1,000 records."""
    start = Constant((2,), jax.random.key(0))
    optimiser = optax.adam(0.1)

    def update(carry, gradient, key):
        parameters, memory = carry
        updates, memory = optimiser.update(gradient, memory)
        return optax.apply_updates(parameters, updates), memory

    return DpSgd(
        carry=(start, optimiser.init(start)),
        parameters=lambda carry: carry[0],
        recipe="test: half the mean",
        arrays={},
        update=update,
        steps=steps,
        batch=batch,
        clip=1.0,
        total=1000.0,
    )


def records():
    codes = np.random.default_rng(0).binomial(9, 0.6, (1000, 2)).astype(np.uint8)
    return Records.of(codes, DOMAIN)


class Halting(Silent):
    """Says where it is, and goes no further than the start and three chunks: there its killer finds it."""

    left = 4

    def step(self, n=1):
        print("step", n, flush=True)
        self.left -= 1
        if not self.left:
            signal.pause()


def main(ledger: str, saved: str) -> None:
    with Ledger.open(ledger) as book:
        run = book.begin(GUARANTEE, "killed")
        Central(records(), Budget(run), saved=Path(saved)).dp_sgd(case(), 0.5, Halting())


if __name__ == "__main__":
    main(*sys.argv[1:])
