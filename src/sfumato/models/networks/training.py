"""Two ways to train a network: on public rows without end, and on private records by noised gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array, lax

from sfumato.privacy.dp_sgd import DpSgd, Objective
from sfumato.privacy.gradients import Tape
from sfumato.privacy.local_training import LocalTraining
from sfumato.progress import Progress
from sfumato.trust.questions import PublicArrays
from sfumato.trust.setting import Setting

Network = TypeVar("Network", bound=eqx.Module)
Records = TypeVar("Records")
"""A pytree of arrays (B, ...): a batch as the loss sees it."""
_REPORTS = 20
"""How often progress is told of in a training on public rows."""
BATCHES = 20
"""Batches that all records make, on average: a record is in one step of so many."""
PUBLIC_BATCH = 1024
"""Public rows in a batch: they cost none of the budget, so time alone limits it."""
COUNT_SHARE = 0.01
"""Share of the budget that counts records, or those of each class, where nothing else is asked before gradients."""
_AVERAGED, _FEWEST_AVERAGED = 0.1, 2
"""Part of the last steps that the average of a training runs over, and how many at least: noise evens out there."""
_LARGEST_STEP = 50.0
"""Norm to which a gradient on public rows is cut, so that one batch cannot throw the network far off."""
OVERFITTING_STEPS, OVERFITTING_IMAGE_STEPS = 1500, 300
"""Steps without noise after which a network of a table, and one of images, has fitted a few hundred records closely."""
OVERFITTING_IMAGE_SHARE = 0.5
"""Share of gradients in an overfitting network of images; without noise any share but 0 and 1 does."""


def train_on_public(
    objective: Objective[Network, Records],
    network: Network,
    rows: np.ndarray,
    *,
    steps: int,
    batch: int,
    rate: float,
    progress: Progress,
) -> Network:
    """Adam with a cosine schedule on rows that nobody needs to protect; compiled scans."""
    optimiser = optax.chain(
        optax.clip_by_global_norm(_LARGEST_STEP), optax.adam(optax.cosine_decay_schedule(rate, steps))
    )
    data = jnp.asarray(rows)

    def one(carry: tuple[Network, optax.OptState], key: Array) -> tuple[tuple[Network, optax.OptState], None]:
        network, memory = carry
        pick, noise = jax.random.split(key)
        records = objective.prepare(data[jax.random.randint(pick, (batch,), 0, len(data))], noise)
        gradient = jax.grad(lambda n: jnp.mean(objective.loss(n, records, Tape())))(network)
        updates, memory = optimiser.update(gradient, memory)
        return (optax.apply_updates(network, updates), memory), None

    run = jax.jit(lambda carry, keys: lax.scan(one, carry, keys)[0])
    size = max(1, -(-steps // _REPORTS))
    keys = jax.random.split(jax.random.key(1), size * -(-steps // size)).reshape(-1, size)
    progress.stage("training on noisy marginals", keys.size)
    carry = (network, jax.jit(optimiser.init)(network))
    for part in keys:
        carry = run(carry, part)
        jax.block_until_ready(carry)
        progress.step(size)
    return carry[0]


def train_on_private(
    setting: Setting,
    share: float,
    recipe: str,
    arrays: PublicArrays,
    network: Network,
    *,
    total: float,
    steps: int,
    batch: float,
    clip: float,
    rate: float,
    progress: Progress,
) -> Network:
    """DP-SGD through the setting: Adam on noised clipped gradients, and the average of the last steps (EMA).

    ``recipe`` names the installed code that makes the loss, and ``arrays`` are given to it; see ``trust.questions``.

    *Formal guarantee.* Records are touched by ``Setting.dp_sgd`` alone; Adam and the average are post-processing.
    """
    optimiser = optax.adam(rate)
    decay = 1 - 1 / max(_AVERAGED * steps, _FEWEST_AVERAGED)

    def update(
        carry: tuple[Network, optax.OptState, Network], gradient: Network, key: Array
    ) -> tuple[Network, optax.OptState, Network]:
        network, memory, average = carry
        updates, memory = optimiser.update(gradient, memory)
        network = optax.apply_updates(network, updates)
        average = jax.tree.map(lambda a, b: decay * a + (1 - decay) * b, average, network)
        return network, memory, average

    def averaged(
        carry: tuple[Network, optax.OptState, Network], network: Network, steps: int, key: Array
    ) -> tuple[Network, optax.OptState, Network]:
        kept = decay**steps
        return network, carry[1], jax.tree.map(lambda a, b: kept * a + (1 - kept) * b, carry[2], network)

    training = DpSgd(
        carry=(network, optimiser.init(network), network),
        parameters=lambda carry: carry[0],
        recipe=recipe,
        arrays=arrays,
        update=update,
        steps=steps,
        batch=min(batch, total),
        clip=clip,
        total=total,
        local=LocalTraining(rate, averaged),
    )
    return setting.dp_sgd(training, share, progress)[2]


def arrays_of(network: eqx.Module) -> dict[str, np.ndarray]:
    """The arrays of a network, numbered."""
    return {f"parameter{i}": np.asarray(x) for i, x in enumerate(jax.tree.leaves(network))}


def network_of(build: Callable[[Array], Network], arrays: Mapping[str, np.ndarray]) -> Network:
    """The inverse of :func:`arrays_of` for the network that ``build(key)`` makes; ValueError where they do not fit."""
    leaves, structure = jax.tree.flatten(jax.eval_shape(build, jax.random.key(0)))
    found = [arrays.get(f"parameter{i}") for i in range(len(leaves))]
    for leaf, array in zip(leaves, found, strict=True):
        if array is None or array.shape != leaf.shape or array.dtype != leaf.dtype or not np.isfinite(array).all():
            raise ValueError("the saved weights do not fit the network")
    return jax.tree.unflatten(structure, [jnp.asarray(a) for a in found])
