"""The denoiser of tables in the form for rows that are secret shares (``networks.shares``): one residual block."""

from __future__ import annotations

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float, Integer, Key

from sfumato.encoding.domain import Domain
from sfumato.models.diffusion.masking import hidden_columns
from sfumato.models.networks.initial import BEFORE_ACTIVATION, LEAVING_BLOCK, LOGITS
from sfumato.models.networks.layout import Layout
from sfumato.models.networks.shares import HIDDEN, hot_of, logits
from sfumato.privacy.dp_sgd import Objective, SecretView
from sfumato.privacy.gradients import Dense, EmbeddingSum, OneHots, Tape
from sfumato.trust.questions import PublicArrays, fitting


class ShareDenoiser(eqx.Module):
    """From a row with masked columns to the distribution of every column."""

    first: EmbeddingSum
    block: tuple[Dense, Dense]
    last: Dense

    def __init__(self, width: int, columns: int, key: Key[Array, ""]) -> None:
        a, b, c, d = jax.random.split(key, 4)
        self.first = EmbeddingSum(width + columns, HIDDEN, a, scale=columns**-0.5)
        self.block = Dense(HIDDEN, HIDDEN, b, BEFORE_ACTIVATION), Dense(HIDDEN, HIDDEN, c, LEAVING_BLOCK)
        self.last = Dense(HIDDEN, width, d, LOGITS)

    def chances(self, rows: Integer[Array, "batch columns"] | OneHots, tape: Tape) -> Float[Array, "batch width"]:
        """Rows (B, d), the mask of column c being ``width + c``, to probabilities (B, width), about."""
        enter, leave = self.block
        h = self.first(rows, tape)
        h = h + leave(jax.nn.relu(enter(jax.nn.relu(h), tape)), tape)
        return self.last(jax.nn.relu(h), tape)

    def __call__(self, rows: Integer[Array, "batch columns"], tape: Tape) -> Float[Array, "batch width"]:
        """The same as logits."""
        return logits(self.chances(rows, tape))


def squared_bound(
    layout: Layout,
    network: ShareDenoiser,
    records: tuple[Integer[Array, "batch columns"] | OneHots, Bool[Array, "batch columns"]],
    tape: Tape,
) -> Float[Array, " batch"]:
    """Brier's score of hidden columns, weighted as ``diffusion.order_agnostic_bound`` weights them."""
    rows, masked = records
    columns = len(layout.domain)
    seen = (
        _hidden(layout, network, rows, masked)
        if isinstance(rows, OneHots)
        else jnp.where(masked, layout.width + jnp.arange(columns), rows)
    )
    weights = jnp.where(masked, columns / masked.sum(axis=1, keepdims=True), 0)
    each = layout.squared_errors(network.chances(seen, tape), hot_of(layout, rows))
    return jnp.sum(each * weights, axis=1)


def _hidden(layout: Layout, network: ShareDenoiser, rows: OneHots, masked: Bool[Array, "batch columns"]) -> OneHots:
    """What the network sees of one-hots: those of columns that are not hidden, and one for the mask of each other."""
    masks = masked.astype(jnp.float32)
    hot = jnp.concatenate([_shown(layout, rows.hot, masked), masks], axis=1)
    return OneHots(
        hot, rows.ones, None if rows.sums is None else rows.sums + masks @ network.first.table[layout.width :]
    )


def _shown(
    layout: Layout, hot: Float[Array, "batch width"], masked: Bool[Array, "batch columns"]
) -> Float[Array, "batch width"]:
    return jnp.where(layout.spread(masked), 0, hot)


def objective(domain: Domain, arrays: PublicArrays) -> Objective:
    """The installed recipe "masked diffusion of tables for shares", given nothing."""
    fitting(arrays, {})
    layout, columns = Layout(domain), len(domain)
    like = jax.eval_shape(partial(ShareDenoiser, layout.width, columns), jax.random.key(0))

    def prepare(codes: Array, key: Array) -> tuple[Array, Array]:
        return layout.rows(codes), hidden_columns(key, codes.shape[0], columns)

    def part(network: ShareDenoiser, hot: Array, masked: Array) -> Array:
        return _shown(layout, hot, masked) @ network.first.table[: layout.width]

    view = SecretView(lambda key, n: hidden_columns(key, n, columns), part, lambda hots, masked: (hots, masked))
    return Objective(like, prepare, partial(squared_bound, layout), view)
