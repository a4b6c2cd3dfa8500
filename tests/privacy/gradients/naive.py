"""The slow truth: every per-record gradient formed by vmap, clipped, added. And networks at random to compare on."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from sfumato.privacy.gradients import (
    Constant,
    Convolution,
    Dense,
    Embedding,
    EmbeddingSum,
    GroupNorm,
    Tape,
)

QUICK = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
ROWS = 7  # entries of the embedding tables


def quick(function):
    """Compiled with little optimisation: these programs run once."""
    return jax.jit(function, compiler_options=QUICK)


def per_record(loss, parameters, records):
    """Gradients with a leading record axis."""
    learnt, fixed = eqx.partition(parameters, eqx.is_inexact_array)

    def one(p, record):
        alone = jax.tree.map(lambda x: x[None], record)
        return loss(eqx.combine(p, fixed), alone, Tape())[0]

    return quick(jax.vmap(jax.grad(one), in_axes=(None, 0)))(learnt, records)


def naive_sum(loss, parameters, records, mask, clip):
    """Formed, clipped in double precision, added; what is not finite or masked counts nothing."""
    leaves = [np.asarray(g, np.float64) for g in jax.tree.leaves(per_record(loss, parameters, records))]
    norms = np.sqrt(sum((g.reshape(len(g), -1) ** 2).sum(1) for g in leaves))
    usable = np.asarray(mask) & np.isfinite(norms)
    weights = np.where(usable, np.minimum(1, clip / np.maximum(norms, 1e-300)), 0)
    return [np.tensordot(weights, np.where(np.isfinite(g), g, 0), 1) for g in leaves]


class Everything(eqx.Module):
    """A network of a random shape that uses any of the layers."""

    convolutions: list[Convolution]
    norms: list[GroupNorm]
    rows: Embedding | EmbeddingSum
    attention: list[Dense]
    position: Constant
    head: list[Dense]
    pooled: bool = eqx.field(static=True)

    def __init__(self, draw, key):
        """``draw(low, high)`` gives integers."""
        keys = iter(jax.random.split(key, 32))
        depth, channels = draw(0, 2), [draw(1, 2)] + [2 * draw(1, 4) for _ in range(2)]
        self.convolutions = [
            Convolution(channels[i], channels[i + 1], 2 * draw(0, 1) + 1, next(keys), stride=draw(1, 2))
            for i in range(depth)
        ]
        self.norms = [GroupNorm(c.bias.shape[0], draw(1, 2)) for c in self.convolutions]
        width = draw(2, 12)
        self.pooled = bool(draw(0, 1))
        self.rows = (EmbeddingSum if self.pooled else Embedding)(ROWS, width, next(keys))
        self.attention = [] if self.pooled else [Dense(width, width, next(keys)) for _ in range(3)]
        self.position = Constant((3, width), next(keys))
        self.head = [Dense(channels[depth] + width, 9, next(keys)), Dense(9, draw(1, 3), next(keys))]

    def __call__(self, images, rows, tape):
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            images = jax.nn.silu(norm(convolution(images, tape), tape))
        seen = self.rows(rows, tape)
        position = self.position(rows.shape[0], tape)
        if self.pooled:
            seen = seen + position.sum(1)
        else:
            q, k, v = (layer(seen + position, tape) for layer in self.attention)
            seen = (jax.nn.softmax(jnp.einsum("bti,bsi->bts", q, k)) @ v).mean(1)
        h = jnp.concatenate([images.mean((1, 2)), seen], -1)
        return self.head[1](jnp.tanh(self.head[0](h, tape)), tape)


def random_network(seed):
    """An architecture and its parameters, and how many channels its images have."""
    rng = np.random.default_rng(seed)
    network = eqx.filter_eval_shape(
        Everything, lambda low, high: int(rng.integers(low, high + 1)), jax.random.key(seed)
    )
    filled = jax.tree.map(lambda x: jnp.asarray(rng.normal(size=x.shape) * 0.3 + 0.1, x.dtype), network)
    width = filled.position.value.shape[1]
    first = filled.convolutions[0].weight.shape[2] if filled.convolutions else 0
    return filled, first or filled.head[0].weight.shape[0] - width


def everything_loss(network, records, tape):
    """A smooth loss of a network's output, its scale given per record."""
    images, rows, scale = records
    return scale * jnp.sum(jnp.square(network(images, rows, tape) - 1), axis=1)


def random_records(rng, records, channels):
    """Images, rows to look up, and a scale of loss per record over six orders of magnitude."""
    return (
        jnp.asarray(rng.normal(size=(records, 6, 6, channels)), jnp.float32),
        jnp.asarray(rng.integers(0, ROWS, (records, 3)), jnp.int32),
        jnp.asarray(10.0 ** rng.uniform(-3, 3, records), jnp.float32),
    )
