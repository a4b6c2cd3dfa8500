"""The private game: the discriminator learns from noised gradients, the generator from the discriminator alone."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array, lax

from sfumato.models.gan.networks import Discriminator, Generator, latent_points, relaxed_rows
from sfumato.models.networks.layout import Layout
from sfumato.privacy.descent import Descent
from sfumato.privacy.gradients import Tape

_GENERATED = 1024
_DISCRIMINATOR_STEPS = 5  # per step of the generator (Bie, Kamath, Zhang 2023: many help)
_DECAY = 0.95


class Game(NamedTuple):
    """All that changes: two players, their optimisers, the generator's average, and the number of the step."""

    discriminator: Discriminator
    generator: Generator
    memories: tuple[Any, Any]
    average: Generator
    step: Array


def real_loss(discriminator: Discriminator, rows: Array, tape: Tape) -> Array:
    """What a record costs the discriminator, (B,): the only loss that sees records."""
    return jax.nn.softplus(-discriminator.on_records(rows, tape))


def game(layout: Layout, generator: Generator, *, steps: int, total: float, rate: float) -> Descent:
    """The descent of the discriminator; the generator moves in its update, after the noise (post-processing)."""
    discriminator = jax.jit(partial(Discriminator, layout.width, len(layout.domain)))(jax.random.key(2))
    optimisers = optax.adam(1e-3, b1=0.5), optax.adam(rate, b1=0.5)
    memories = (optimisers[0].init(discriminator), optimisers[1].init(generator))
    batch = total / 20
    return Descent(
        carry=Game(discriminator, generator, memories, generator, jnp.zeros((), jnp.int32)),
        parameters=lambda game: game.discriminator,
        prepare=lambda codes, key: layout.rows(codes),
        loss=real_loss,
        update=partial(_update, layout, optimisers),
        steps=steps,
        batch=batch,
        clip=1.0,
        total=total,
    )


def _generated(layout: Layout, generator: Generator, key: Array) -> Array:
    pick, noise = jax.random.split(key)
    points = latent_points()[jax.random.randint(pick, (_GENERATED,), 0, len(latent_points()))]
    return relaxed_rows(layout, generator(points, Tape()), noise)


def _update(layout: Layout, optimisers: Any, state: Game, gradient: Any, key: Array) -> Game:
    """One step of the discriminator on noised real and on generated rows, and now and then one of the generator."""
    key = jax.random.wrap_key_data(key)
    fake = _generated(layout, state.generator, key)
    on_fake = jax.grad(lambda d: jnp.mean(jax.nn.softplus(d.on_generated(fake))))(state.discriminator)
    both = jax.tree.map(jnp.add, gradient, on_fake)
    updates, memory = optimisers[0].update(both, state.memories[0])
    discriminator = optax.apply_updates(state.discriminator, updates)

    def play(generator: Generator, own: Any) -> tuple[Generator, Any]:
        def loss(g: Generator) -> Array:
            scores = discriminator.on_generated(_generated(layout, g, jax.random.fold_in(key, 1)))
            return jnp.mean(jax.nn.softplus(-scores))

        changes, own = optimisers[1].update(jax.grad(loss)(generator), own)
        return optax.apply_updates(generator, changes), own

    turn = state.step % _DISCRIMINATOR_STEPS == _DISCRIMINATOR_STEPS - 1
    generator, own = lax.cond(turn, play, lambda g, m: (g, m), state.generator, state.memories[1])
    average = jax.tree.map(lambda a, b: _DECAY * a + (1 - _DECAY) * b, state.average, generator)
    return Game(discriminator, generator, (memory, own), average, state.step + 1)
