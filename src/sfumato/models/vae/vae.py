"""Variational autoencoder (Kingma and Welling 2014) over encoded rows, warm-started on noisy marginals.

The prior is the mixture of what the encoder makes of public rows (VampPrior: Tomczak and Welling 2018) where there is a
warm start, else the standard normal distribution.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Integer, Key

from sfumato.encoding.domain import Domain
from sfumato.models.model import SavedArrays, SavedFacts, SavedState, total_of
from sfumato.models.networks.coarse import CoarseCodes, FittedCoarse, bins_of
from sfumato.models.networks.initial import BEFORE_ACTIVATION, LOGITS
from sfumato.models.networks.layout import BLOCK, Layout, batched
from sfumato.models.networks.training import (
    BATCHES,
    COUNT_SHARE,
    OVERFITTING_STEPS,
    PUBLIC_BATCH,
    arrays_of,
    network_of,
    train_on_private,
    train_on_public,
)
from sfumato.models.networks.warm_start import rows_of, warm_start
from sfumato.models.settings import SHARES, USUAL, check_settings, count, none_to_all, word
from sfumato.models.vae import shares
from sfumato.models.vae.shares import ShareAutoencoder
from sfumato.privacy.dp_sgd import Objective
from sfumato.privacy.gradients import Dense, EmbeddingSum, Tape
from sfumato.progress import Progress
from sfumato.trust.questions import OBJECTIVES, PublicArrays, fitting
from sfumato.trust.setting import Setting

LATENT = 24
"""Numbers of a latent point."""
HIDDEN = 256
"""Width of the layers."""
LOG_VARIANCES = -12.0, 6.0
"""Least and largest of a latent point: exponentials stay finite, and no noise vanishes."""
DRAWS = 4
"""Of the noise, for the loss of a record."""
_ANCHORS = 8192
"""Components of the prior, one for each of so many public rows."""
_CANDIDATES = 16
"""Latent points tried per row when there is a condition."""
_PUBLIC_ROWS = 100_000
"""Rows that the network is trained on first, drawn from the marginals."""
_PUBLIC_RATE = 2e-3
"""Learning rate on them, at first."""
_RATE, _COLD_RATE = 1e-5, 1e-3
"""Learning rates on private rows, with a warm start, which must not be left, and without."""
_CLIP = 1.0
"""Norm of a record's gradient."""
_PUBLIC_WEIGHT = 0.5
"""Of the divergence from the prior where that is made of what the encoder says: sharper rows than with all of it."""

RowsAndNoise: TypeAlias = tuple[Integer[Array, "batch columns"], Float[Array, "batch latent"]]
"""Rows, and the noise of their latent points."""


class TableAutoencoder(eqx.Module):
    """Encoder and decoder, three layers each."""

    encoder: tuple[EmbeddingSum, Dense, Dense]
    decoder: tuple[Dense, Dense, Dense]

    def __init__(self, width: int, columns: int, key: Key[Array, ""]) -> None:
        a, b, c, d, e, f = jax.random.split(key, 6)
        first = EmbeddingSum(width, HIDDEN, a, scale=columns**-0.5)
        self.encoder = (first, Dense(HIDDEN, HIDDEN, b, BEFORE_ACTIVATION), Dense(HIDDEN, 2 * LATENT, c))
        second, last = Dense(HIDDEN, HIDDEN, e, BEFORE_ACTIVATION), Dense(HIDDEN, width, f, LOGITS)
        self.decoder = (Dense(LATENT, HIDDEN, d), second, last)

    def encode(
        self, rows: Integer[Array, "batch columns"], tape: Tape
    ) -> tuple[Float[Array, "batch latent"], Float[Array, "batch latent"]]:
        """Mean and log-variance of the latent point, (B, LATENT) each."""
        a, b, c = self.encoder
        out = c(jax.nn.silu(b(jax.nn.silu(a(rows, tape)), tape)), tape)
        return out[:, :LATENT], jnp.clip(out[:, LATENT:], *LOG_VARIANCES)

    def decode(self, points: Float[Array, "batch latent"], tape: Tape) -> Float[Array, "batch width"]:
        """Outputs (B, width) of latent points."""
        d, e, f = self.decoder
        return f(jax.nn.silu(e(jax.nn.silu(d(points, tape)), tape)), tape)


def negative_elbo(
    layout: Layout, weight: float, network: TableAutoencoder, records: RowsAndNoise, tape: Tape
) -> Float[Array, " batch"]:
    """-log p(x | z) + weight * KL per record; ``records`` are rows (B, d) and the noise of z (B, LATENT)."""
    rows, noise = records
    mean, log_variance = network.encode(rows, tape)
    outputs = network.decode(mean + jnp.exp(log_variance / 2) * noise, tape)
    divergence = jnp.sum(mean**2 + jnp.exp(log_variance) - log_variance - 1, axis=1) / 2
    return weight * divergence - layout.log_likelihoods(outputs, rows).sum(axis=1)


def _prepare(layout: Layout, codes: Integer[Array, "batch columns"], key: Key[Array, ""]) -> RowsAndNoise:
    return layout.rows(codes), jax.random.normal(key, (codes.shape[0], LATENT))


def objective(domain: Domain, arrays: PublicArrays) -> Objective:
    """The installed recipe "vae of tables", given the ``weight`` () of the divergence."""
    (weight,) = fitting(arrays, {"weight": ()})
    layout = Layout(domain)
    like = jax.eval_shape(partial(TableAutoencoder, layout.width, len(domain)), jax.random.key(0))
    return Objective(like, partial(_prepare, layout), partial(negative_elbo, layout, float(weight)))


@dataclass(frozen=True)
class FittedVae:
    """A trained autoencoder and its prior.

    Attributes:
        layout: the columns.
        total: noisy number of records.
        network: weights.
        prior: (k, 2, latent) means and standard deviations of a mixture.
    """

    layout: Layout
    total: float
    network: TableAutoencoder | ShareAutoencoder
    prior: np.ndarray

    @property
    def domain(self) -> Domain:
        """Columns and codes that are sampled."""
        return self.layout.domain

    @property
    def latent(self) -> int:
        """Dimension of the latent space."""
        return self.prior.shape[2]

    def encode(self, codes: np.ndarray) -> np.ndarray:
        """Latent means (n, latent) of records (n, d) that the caller owns."""
        run = jax.jit(lambda c: self.network.encode(self.layout.rows(c), Tape())[0])
        return batched(run, codes)

    def decode(
        self, points: np.ndarray, rng: np.random.Generator, given: Mapping[int, np.ndarray] | None = None
    ) -> np.ndarray:
        """One record per latent point, (n, latent) -> (n, d)."""
        allowed = self.layout.allowed(given)
        return self.layout.draw(self._outputs(points.astype(np.float32)), rng, allowed)

    def sample(self, n: int, rng: np.random.Generator, given: Mapping[int, np.ndarray] | None = None) -> np.ndarray:
        """Draw records. Under a condition, latent points are drawn in proportion to its chance (of 16 tried)."""
        allowed = self.layout.allowed(given)
        parts = [self._block(min(BLOCK, n - s), rng, allowed) for s in range(0, n, BLOCK)]
        return np.concatenate(parts) if parts else np.empty((0, len(self.domain)), self.domain.code_dtype())

    def _block(self, n: int, rng: np.random.Generator, allowed: np.ndarray | None) -> np.ndarray:
        tries = 1 if allowed is None else _CANDIDATES
        chosen = self.prior[rng.integers(0, len(self.prior), n * tries)]
        points = (chosen[:, 0] + chosen[:, 1] * rng.standard_normal((n * tries, self.latent))).astype(np.float32)
        outputs = self._outputs(points)
        if allowed is not None:
            chance = self.layout.log_chance(outputs, allowed).reshape(n, tries)
            best = (chance + rng.gumbel(size=chance.shape)).argmax(axis=1)
            outputs = outputs.reshape(n, tries, -1)[np.arange(n), best]
        return self.layout.draw(outputs, rng, allowed)

    def record_loss(self, codes: np.ndarray) -> np.ndarray:
        """Negative ELBO of records (n, d), averaged over four fixed draws of the noise; see ``RecordLoss``."""
        return batched(lambda part: _mean_loss(self.layout, self.network, jnp.asarray(part)), codes)

    def _outputs(self, points: np.ndarray) -> np.ndarray:
        return batched(lambda part: _decoded(self.network, jnp.asarray(part)), points)

    def state(self) -> SavedState:
        """(facts, arrays) for saving."""
        form = SHARES if isinstance(self.network, ShareAutoencoder) else USUAL
        return {"total": self.total, "form": form}, {"prior": self.prior, **arrays_of(self.network)}


@eqx.filter_jit
def _decoded(
    network: TableAutoencoder | ShareAutoencoder, points: Float[Array, "batch latent"]
) -> Float[Array, "batch width"]:
    return network.decode(points, Tape())


@eqx.filter_jit
def _mean_loss(
    layout: Layout, network: TableAutoencoder | ShareAutoencoder, codes: Integer[Array, "batch columns"]
) -> Float[Array, " batch"]:
    rows = layout.rows(codes)

    def one(draw: Float[Array, " latent"]) -> Float[Array, " batch"]:
        records = rows, jnp.broadcast_to(draw, (len(rows), len(draw)))
        if isinstance(network, ShareAutoencoder):
            return shares.squared_elbo(layout, 1.0, network, records, Tape())
        return negative_elbo(layout, 1.0, network, records, Tape())

    latent = shares.LATENT if isinstance(network, ShareAutoencoder) else LATENT
    return jax.lax.map(one, jax.random.normal(jax.random.key(0), (DRAWS, latent))).mean(axis=0)


@dataclass(frozen=True)
class _Form:
    """What a form of the network is made of.

    Attributes:
        network: its class.
        recipe: the installed code of its gradients.
        latent: numbers of a latent point.
    """

    network: type[TableAutoencoder] | type[ShareAutoencoder]
    recipe: str
    latent: int


_FORMS = {
    USUAL: _Form(TableAutoencoder, "vae of tables", LATENT),
    SHARES: _Form(ShareAutoencoder, "vae of tables for shares", shares.LATENT),
}


@dataclass(frozen=True)
class Vae:
    """The recipe: a share for gradients, the rest for the noisy marginals that the network is trained on first.

    Attributes:
        gradients: share of the budget for DP-SGD on the rows; 1 means no warm start.
        warm_steps, steps: of training on public rows, and on private ones.
        form: of the network, "usual", or "shares": what can be trained on secret shares too.
    """

    gradients: float = none_to_all(0.1)
    warm_steps: int = count(1000)
    steps: int = count(100)
    form: str = word(USUAL, SHARES)

    name = "vae"

    def __post_init__(self) -> None:
        check_settings(self)

    def fit(self, setting: Setting, *, target: int | None, progress: Progress) -> FittedVae:
        """Learn from noisy marginals, then from noised gradients."""
        layout, form = Layout(setting.domain), _FORMS[self.form]
        network = jax.jit(partial(form.network, layout.width, len(setting.domain)))(jax.random.key(0))
        prior, share = np.stack([np.zeros((1, form.latent)), np.ones((1, form.latent))], 1).astype(np.float32), 1.0
        rows, given = None, {"weight": np.array(1.0)}
        if self.gradients < 1:
            known = warm_start(setting, self.gradients, target, progress)
            total, rows, share = known.total, rows_of(known, _PUBLIC_ROWS), self.gradients
            given = {"weight": np.array(_PUBLIC_WEIGHT)}
            made = OBJECTIVES.make(form.recipe, setting.domain, given)
            network = train_on_public(
                made,
                network,
                rows,
                steps=self.warm_steps,
                batch=PUBLIC_BATCH,
                rate=_PUBLIC_RATE,
                progress=progress,
            )
        else:
            total, share = max(1.0, setting.count(setting.mu(COUNT_SHARE))), min(1.0, setting.remaining)
        if share > 0:
            network = train_on_private(
                setting, share, form.recipe, given, network, total=total, steps=self.steps,
                batch=total / BATCHES, clip=_CLIP, rate=_COLD_RATE if rows is None else _RATE, progress=progress,
            )  # fmt: skip
        if rows is not None:
            prior = _mixture(layout, network, rows[:_ANCHORS])
        return FittedVae(layout, total, network, prior)

    def restore(self, domain: Domain, facts: SavedFacts, arrays: SavedArrays) -> FittedVae | FittedCoarse:
        """From a saved state."""
        if "bins" not in facts:
            return self._restored(domain, facts, arrays)
        codes = CoarseCodes(domain, bins_of(facts))
        return FittedCoarse(codes, self._restored(codes.domain, facts, arrays))

    def _restored(self, domain: Domain, facts: SavedFacts, arrays: SavedArrays) -> FittedVae:
        layout, form = Layout(domain), _FORMS[SHARES if facts.get("form") == SHARES else USUAL]
        prior = arrays.get("prior")
        if prior is None or prior.ndim != 3 or prior.shape[1:] != (2, form.latent) or not len(prior):
            raise ValueError("the saved prior is malformed")
        network = network_of(partial(form.network, layout.width, len(domain)), arrays)
        return FittedVae(layout, total_of(facts), network, prior)

    def gradients_only(self) -> Vae:
        """All of the budget for gradients: no warm start."""
        return replace(self, gradients=1.0)

    def overfitting(self) -> Vae:
        """Many steps on the records, and no warm start."""
        return replace(self, gradients=1.0, steps=OVERFITTING_STEPS)


def _mixture(layout: Layout, network: TableAutoencoder | ShareAutoencoder, rows: np.ndarray) -> np.ndarray:
    """What the encoder makes of public rows: (k, 2, latent) means and standard deviations."""
    run = jax.jit(lambda c: jnp.concatenate(network.encode(layout.rows(c), Tape()), axis=1))
    mean, log_variance = np.split(batched(run, rows), 2, axis=1)
    return np.stack([mean, np.exp(log_variance / 2)], axis=1).astype(np.float32)
