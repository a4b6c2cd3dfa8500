"""What the survey says of privacy-preserving GANs by MPC, shown: a critic of rows that no party has whole."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfumato.encoding.domain import Domain
from sfumato.models.gan import gan
from sfumato.models.gan.adversarial import SQUARES, game
from sfumato.models.gan.networks import TableGenerator
from sfumato.models.gan.shares import ShareDiscriminator, objective
from sfumato.models.networks.layout import Layout
from sfumato.privacy.dp_sgd import DpSgd
from sfumato.privacy.randomness import SYSTEM
from sfumato.trust.mpc.engine.gradient_step import GradientProgram, OwnInputs
from sfumato.trust.mpc.engine.local_parties import at_once, local_sessions
from sfumato.trust.mpc.engine.run_order import Additive, Argument, OwnSecret, PeerSecret, PublicInput
from sfumato.trust.mpc.engine.session import EngineSession
from sfumato.trust.secure_sum.masks import centred, in_ring
from sfumato.trust.secure_sum.noise import VectorNoise
from sfumato.trust.secure_sum.roster import Member, Roster

DOMAIN = Domain.of(["a", "b", "c"], [4, 3, 5])
PERSONS, ROWS, STEPS = 200, 32, 5
ROSTER = Roster(tuple(Member(name, bytes([i]) * 32) for i, name in enumerate("abc")), 1, 0)
MULTIPLIER = 0.5
"""Of the noise: enough to be seen, and not to drown what is learnt."""


def training() -> DpSgd:
    """A generator that never sees a row, against a critic that learns from noised sums of gradients."""
    layout = Layout(DOMAIN)
    critic = jax.jit(partial(ShareDiscriminator, layout.width, len(DOMAIN)))(jax.random.key(2))
    generator = jax.jit(partial(TableGenerator, layout.width))(jax.random.key(0))
    made = partial(gan._generated, layout)
    return game(
        *(critic, generator, made, "critic of tables for shares", {}),
        steps=STEPS, batch=float(ROWS), total=float(PERSONS), rate=1e-3, scoring=SQUARES,
    )  # fmt: skip


def forms(given: OwnInputs, rank: int, session: EngineSession) -> list[Argument]:
    """What one party says of the inputs of another, or of its own."""
    return [OwnSecret(a) if session.rank == rank else PeerSecret(rank) for a in given]


def noised_part(
    session: EngineSession, step: GradientProgram, public: list[np.ndarray], given: list[OwnInputs], noise: VectorNoise
) -> np.ndarray:
    """What a party gives to the secure sum of a step: its part with its noise, modulo 2^32."""
    secret = [one for rank in range(3) for one in forms(given[rank], rank, session)]
    (part,) = session.run(step.program, [*map(PublicInput, public), *secret], [Additive()])
    assert part is not None
    return in_ring(noise.add(part.view(np.int64), SYSTEM), 32)


@pytest.mark.engine
def test_privacy_preserving_gans_by_mpc(engine: Path, tmp_path: Path) -> None:
    """Three parties with a column each train the critic. What is opened is noised sums alone, as wide of the plain ones
    as the noise is, and the game that follows from them is played in the open."""
    rng = np.random.default_rng(0)
    codes = np.stack([rng.integers(0, size, PERSONS) for size in DOMAIN.sizes], axis=1)
    asked, step = training(), GradientProgram(objective(DOMAIN, {}), DOMAIN, (0, 1, 2), ROWS, 1.0)
    noise = VectorNoise.of_multiplier(MULTIPLIER, ROSTER, step.sensitivity)
    coins = hashlib.sha256(b"".join(SYSTEM.take(32) for _ in range(3))).digest()  # each party's, committed to before
    carry: Any = asked.carry
    apart, key = [], jax.random.PRNGKey(0)
    with local_sessions(engine, tmp_path / "parties") as sessions:
        for number in range(STEPS):
            drawn = np.random.default_rng([*coins, number]).permutation(PERSONS)[:ROWS]
            critic = asked.parameters(carry)
            given = [step.own(p, [codes[drawn, p]], np.ones(ROWS, bool), critic, key) for p in range(3)]
            public = step.public(critic, key)
            play = partial(noised_part, step=step, public=public, given=given, noise=noise)
            opened = centred(np.add.reduce(at_once(sessions, play), dtype=np.uint32)) / 2**18
            plain = np.asarray(jax.jit(step.function)(*public, *(a for one in given for a in one)))
            apart.append(opened - plain)
            summed = step.objective.tree(jnp.asarray(opened, jnp.float32))
            carry = asked.updated(carry, summed, jnp.zeros(2, jnp.uint32))
    wide = noise.deviation(3) / 2**18
    assert np.std(apart) == pytest.approx(wide, rel=0.05)
    assert abs(np.mean(apart)) < 5 * wide / np.sqrt(np.size(apart))
    moved = [
        float(sum(jnp.abs(a - b).sum() for a, b in zip(*map(jax.tree.leaves, pair), strict=True)))
        for pair in ((carry.discriminator, asked.carry.discriminator), (carry.generator, asked.carry.generator))
    ]
    assert min(moved) > 0
    assert int(carry.step) == STEPS
