"""The private game: the discriminator learns from noised gradients, the generator from the discriminator alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Generic, NamedTuple, Protocol, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jax import Array, lax
from jaxtyping import Float, Int

from sfumato.privacy.dp_sgd import DpSgd
from sfumato.privacy.gradients import Tape
from sfumato.privacy.local_training import LocalTraining
from sfumato.trust.questions import PublicArrays

_DISCRIMINATOR_STEPS = 5
"""Per step of the generator (Bie, Kamath, Zhang 2023: many help)."""
_DECAY = 0.95
"""Of the generator's average: over the last twenty steps or so, which evens out what each noised step does."""
_RATE = 1e-3
"""Learning rate of the discriminator, which starts untrained with or without a warm start."""
_MOMENTUM = 0.5
"""Adam's first decay in a game of two players (Radford, Metz, Chintala 2016): more makes them swing."""
_CLIP = 1.0
"""Norm of a record's gradient."""


Generator = TypeVar("Generator", bound=eqx.Module)
Records = TypeVar("Records", contravariant=True)
"""A pytree of arrays (B, ...): a batch of records as the discriminator sees it."""
Made = TypeVar("Made", contravariant=True)
"""A pytree of arrays (B, ...): a batch of what a generator makes."""


class Discriminator(Protocol[Records, Made]):
    """The player that learns from records: a network."""

    def on_records(self, records: Records, tape: Tape, /) -> Float[Array, " batch"]:
        """Scores (B,) of records."""
        ...

    def on_generated(self, made: Made, /) -> Float[Array, " batch"]:
        """Scores (B,) of what a generator made."""
        ...


Generated = Callable[[Generator, Array], Made]
"""(generator, key) -> a batch of what it makes."""


class GameState(NamedTuple, Generic[Records, Made, Generator]):
    """All that changes: two players, their optimisers, the generator's average, and the number of the step."""

    discriminator: Discriminator[Records, Made]
    generator: Generator
    memories: tuple[optax.OptState, optax.OptState]
    average: Generator
    step: Int[Array, ""]


class Scoring(NamedTuple):
    """What scores (B,) cost: of records the discriminator, and of what is generated the generator; and the reverse."""

    real: Callable[[Array], Array]
    fake: Callable[[Array], Array]


LOGISTIC = Scoring(lambda s: jax.nn.softplus(-s), jax.nn.softplus)
"""The game of Goodfellow et al. 2014, in which the generator's loss does not saturate."""
SQUARES = Scoring(lambda s: (s - 1) ** 2 / 2, lambda s: s**2 / 2)
"""Least squares (Mao et al. 2017): scores aim at one for records, and at zero for what is generated."""


def real_loss(discriminator: Discriminator[Records, Made], records: Records, tape: Tape) -> Float[Array, " batch"]:
    """What a record costs the discriminator, (B,): the only loss that sees records."""
    return LOGISTIC.real(discriminator.on_records(records, tape))


def real_squares(discriminator: Discriminator[Records, Made], records: Records, tape: Tape) -> Float[Array, " batch"]:
    """The same by least squares."""
    return SQUARES.real(discriminator.on_records(records, tape))


def game(
    discriminator: Discriminator[Records, Made],
    generator: Generator,
    generated: Generated[Generator, Made],
    recipe: str,
    arrays: PublicArrays,
    *,
    steps: int,
    batch: float,
    total: float,
    rate: float,
    scoring: Scoring = LOGISTIC,
) -> DpSgd[GameState[Records, Made, Generator], Discriminator[Records, Made]]:
    """The training of the discriminator; the generator moves in its update, after the noise (post-processing).

    ``recipe`` names the installed code of the discriminator, and ``arrays`` are given to it; see ``trust.questions``.
    """
    optimisers = optax.adam(_RATE, b1=_MOMENTUM), optax.adam(rate, b1=_MOMENTUM)
    memories = (optimisers[0].init(discriminator), optimisers[1].init(generator))  # pyright: ignore[reportArgumentType]
    return DpSgd(
        carry=GameState(discriminator, generator, memories, generator, jnp.zeros((), jnp.int32)),
        parameters=lambda game: game.discriminator,
        recipe=recipe,
        arrays=arrays,
        update=partial(_update, generated, optimisers, scoring),
        steps=steps,
        batch=batch,
        clip=_CLIP,
        total=total,
        local=LocalTraining(
            _RATE, partial(_averaged, generated, optimisers[1], scoring), partial(_on_fake, generated, scoring)
        ),
    )


def _update(
    generated: Generated[Generator, Made],
    optimisers: tuple[optax.GradientTransformation, optax.GradientTransformation],
    scoring: Scoring,
    state: GameState[Records, Made, Generator],
    gradient: Discriminator[Records, Made],
    key: Array,
) -> GameState[Records, Made, Generator]:
    """One step of the discriminator on noised real and on generated records, and now and then one of the generator."""
    both = jax.tree.map(jnp.add, gradient, _on_fake(generated, scoring, state, key))
    updates, memory = optimisers[0].update(both, state.memories[0])
    discriminator = optax.apply_updates(state.discriminator, updates)
    turn = state.step % _DISCRIMINATOR_STEPS == _DISCRIMINATOR_STEPS - 1
    generator, own = lax.cond(
        turn,
        partial(
            *(_play, generated, optimisers[1], scoring, discriminator),
            key=jax.random.fold_in(jax.random.wrap_key_data(key), 1),
        ),
        lambda g, m: (g, m),
        state.generator,
        state.memories[1],
    )
    average = jax.tree.map(lambda a, b: _DECAY * a + (1 - _DECAY) * b, state.average, generator)
    return GameState(discriminator, generator, (memory, own), average, state.step + 1)


def _on_fake(
    generated: Generated[Generator, Made], scoring: Scoring, state: GameState[Records, Made, Generator], key: Array
) -> Discriminator[Records, Made]:
    """The gradient of the discriminator on generated records alone."""
    fake = generated(state.generator, jax.random.wrap_key_data(key))
    return jax.grad(lambda d: jnp.mean(scoring.fake(d.on_generated(fake))))(state.discriminator)


def _play(
    generated: Generated[Generator, Made],
    optimiser: optax.GradientTransformation,
    scoring: Scoring,
    discriminator: Discriminator[Records, Made],
    generator: Generator,
    memory: optax.OptState,
    *,
    key: Array,
) -> tuple[Generator, optax.OptState]:
    """One step of the generator."""

    def loss(g: Generator) -> Float[Array, ""]:
        return jnp.mean(scoring.real(discriminator.on_generated(generated(g, key))))

    changes, memory = optimiser.update(jax.grad(loss)(generator), memory)
    return optax.apply_updates(generator, changes), memory


def _averaged(
    generated: Generated[Generator, Made],
    optimiser: optax.GradientTransformation,
    scoring: Scoring,
    state: GameState[Records, Made, Generator],
    discriminator: Discriminator[Records, Made],
    steps: int,
    key: Array,
) -> GameState[Records, Made, Generator]:
    """The generator plays against the average of the sites' discriminators, as often as it would have done."""

    def turn(number: Array, playing: tuple[Generator, optax.OptState]) -> tuple[Generator, optax.OptState]:
        folded = jax.random.fold_in(jax.random.wrap_key_data(key), number + 1)
        return _play(generated, optimiser, scoring, discriminator, *playing, key=folded)

    turns = max(1, steps // _DISCRIMINATOR_STEPS)  # a loop is compiled once, whatever their number
    generator, own = lax.fori_loop(0, turns, turn, (state.generator, state.memories[1]))
    kept = _DECAY**steps
    average = jax.tree.map(lambda a, b: kept * a + (1 - kept) * b, state.average, generator)
    return GameState(discriminator, generator, (state.memories[0], own), average, state.step + steps)
