"""The critic of tables in the form for rows that are secret shares (``networks.shares``): one hidden layer."""

from __future__ import annotations

from functools import partial

import equinox as eqx
import jax
from jax import Array
from jaxtyping import Float, Integer, Key

from sfumato.encoding.domain import Domain
from sfumato.models.gan.adversarial import real_squares
from sfumato.models.networks.layout import Layout
from sfumato.models.networks.shares import HIDDEN
from sfumato.privacy.dp_sgd import Objective, SecretView
from sfumato.privacy.gradients import Dense, EmbeddingSum, OneHots, Tape
from sfumato.trust.questions import PublicArrays, fitting


class ShareDiscriminator(eqx.Module):
    """Tells records from generated rows."""

    first: EmbeddingSum
    last: Dense

    def __init__(self, width: int, columns: int, key: Key[Array, ""]) -> None:
        a, b = jax.random.split(key)
        self.first = EmbeddingSum(width, HIDDEN, a, scale=columns**-0.5)
        self.last = Dense(HIDDEN, 1, b)

    def on_records(self, rows: Integer[Array, "batch columns"] | OneHots, tape: Tape) -> Float[Array, " batch"]:
        """Scores (B,) of rows (B, d)."""
        return self._rest(self.first(rows, tape), tape)

    def on_generated(self, soft: Float[Array, "batch width"]) -> Float[Array, " batch"]:
        """Scores (B,) of relaxed rows (B, width)."""
        return self._rest(soft @ self.first.table + self.first.bias, Tape())

    def _rest(self, h: Float[Array, "batch hidden"], tape: Tape) -> Float[Array, " batch"]:
        return self.last(jax.nn.relu(h), tape)[:, 0]


def objective(domain: Domain, arrays: PublicArrays) -> Objective:
    """The installed recipe "critic of tables for shares", given nothing: what a record costs the discriminator."""
    fitting(arrays, {})
    layout = Layout(domain)
    like = jax.eval_shape(partial(ShareDiscriminator, layout.width, len(domain)), jax.random.key(0))
    view = SecretView(lambda key, n: (), lambda critic, hot, _: hot @ critic.first.table, lambda hots, _: hots)
    return Objective(like, lambda codes, key: layout.rows(codes), real_squares, view)
