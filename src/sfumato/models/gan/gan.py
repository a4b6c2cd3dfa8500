"""Generative adversarial network (Goodfellow et al. 2014) over encoded rows, warm-started on noisy marginals.

Only the discriminator touches records. The generator gives, for each latent point, a distribution of every column; rows
are drawn from those. Its warm start is maximum likelihood on rows sampled from a model over noisy marginals.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Integer, Key

from sfumato.encoding.domain import Domain
from sfumato.models.gan.adversarial import LOGISTIC, SQUARES, game, real_loss
from sfumato.models.gan.networks import (
    TableDiscriminator,
    TableGenerator,
    latent_points,
    negative_log_likelihood,
    relaxed_rows,
)
from sfumato.models.gan.shares import ShareDiscriminator
from sfumato.models.model import SavedArrays, SavedFacts, SavedState, total_of
from sfumato.models.networks.layout import BLOCK, Layout, batched
from sfumato.models.networks.training import (
    BATCHES,
    COUNT_SHARE,
    OVERFITTING_STEPS,
    PUBLIC_BATCH,
    arrays_of,
    network_of,
    train_on_public,
)
from sfumato.models.networks.warm_start import rows_of, warm_start
from sfumato.models.settings import SHARES, USUAL, check_settings, count, none_to_all, word
from sfumato.privacy.dp_sgd import Objective
from sfumato.privacy.gradients import Tape
from sfumato.progress import Progress
from sfumato.trust.questions import PublicArrays, fitting
from sfumato.trust.setting import Setting

_GENERATED = 1024
"""Generated rows in a batch of the game."""
_PUBLIC_ROWS = 200_000
"""Rows that the generator is trained on first, drawn from the marginals: more than it sees twice."""
_PUBLIC_RATE = 3e-3
"""Learning rate on them, at first."""
_RATE, _COLD_RATE = 1e-5, 5e-4
"""Learning rates of the generator in the game, with a warm start, which it must not leave, and without."""


@dataclass(frozen=True)
class FittedGan:
    """A trained generator.

    Attributes:
        layout: the columns.
        total: noisy number of records.
        network: the generator's weights.
    """

    layout: Layout
    total: float
    network: TableGenerator

    @property
    def domain(self) -> Domain:
        """Columns and codes that are sampled."""
        return self.layout.domain

    def sample(self, n: int, rng: np.random.Generator, given: Mapping[int, np.ndarray] | None = None) -> np.ndarray:
        """Draw records. Under a condition, latent points are drawn in proportion to its chance, exactly."""
        allowed = self.layout.allowed(given)
        outputs = np.asarray(jax.jit(lambda z: self.network(z, Tape()))(latent_points()))
        weights = None
        if allowed is not None:
            chance = self.layout.log_chance(outputs, allowed)
            weights = np.exp(chance - chance.max())
            weights /= weights.sum()
        out = np.empty((n, len(self.domain)), self.domain.code_dtype())
        for start in range(0, n, BLOCK):
            points = rng.choice(len(outputs), min(BLOCK, n - start), p=weights)
            out[start : start + BLOCK] = self.layout.draw(outputs[points], rng, allowed)
        return out

    def record_loss(self, codes: np.ndarray) -> np.ndarray:
        """-log p of records (n, d) under the mixture of all latent points, exact; see ``RecordLoss``."""
        return batched(lambda part: _loss(self.layout, self.network, jnp.asarray(part)), codes)

    def state(self) -> SavedState:
        """(facts, arrays) for saving."""
        return {"total": self.total}, arrays_of(self.network)


@eqx.filter_jit
def _loss(layout: Layout, network: TableGenerator, codes: Integer[Array, "batch columns"]) -> Float[Array, " batch"]:
    return negative_log_likelihood(layout, network, layout.rows(codes), Tape())


_FORMS = {
    USUAL: (TableDiscriminator, "critic of tables", LOGISTIC),
    SHARES: (ShareDiscriminator, "critic of tables for shares", SQUARES),
}
"""By the form of the discriminator, its class, its installed recipe and what scores cost."""


@dataclass(frozen=True)
class Gan:
    """The recipe: a share for gradients, the rest for the noisy marginals that the generator is trained on first.

    Attributes:
        gradients: share of the budget for DP-SGD on the rows; 1 means no warm start.
        warm_steps, steps: of the generator on public rows, and of the discriminator on private ones.
        form: of the discriminator, "usual", or "shares": what can be trained on secret shares too.
    """

    gradients: float = none_to_all(0.1)
    warm_steps: int = count(1500)
    steps: int = count(100)
    form: str = word(USUAL, SHARES)

    name = "gan"

    def __post_init__(self) -> None:
        check_settings(self)

    def fit(self, setting: Setting, *, target: int | None, progress: Progress) -> FittedGan:
        """Learn from noisy marginals, then play against a discriminator with noised gradients."""
        layout = Layout(setting.domain)
        network = jax.jit(partial(TableGenerator, layout.width))(jax.random.key(0))
        rate = _COLD_RATE
        if self.gradients < 1:
            known = warm_start(setting, self.gradients, target, progress)
            total, share, rate = known.total, self.gradients, _RATE
            network = train_on_public(
                _likelihood(setting.domain), network, rows_of(known, _PUBLIC_ROWS),
                steps=self.warm_steps, batch=PUBLIC_BATCH, rate=_PUBLIC_RATE, progress=progress,
            )  # fmt: skip
        else:
            total, share = max(1.0, setting.count(setting.mu(COUNT_SHARE))), min(1.0, setting.remaining)
        if share > 0:
            kind, recipe, scoring = _FORMS[self.form]
            critic = jax.jit(partial(kind, layout.width, len(layout.domain)))(jax.random.key(2))
            training = game(
                critic, network, partial(_generated, layout), recipe, {},
                steps=self.steps, batch=total / BATCHES, total=total, rate=rate, scoring=scoring,
            )  # fmt: skip
            network = setting.dp_sgd(training, share, progress).average
        return FittedGan(layout, total, network)

    def restore(self, domain: Domain, facts: SavedFacts, arrays: SavedArrays) -> FittedGan:
        """From a saved state."""
        layout = Layout(domain)
        return FittedGan(layout, total_of(facts), network_of(partial(TableGenerator, layout.width), arrays))

    def gradients_only(self) -> Gan:
        """All of the budget for gradients: no warm start."""
        return replace(self, gradients=1.0)

    def overfitting(self) -> Gan:
        """Many steps on the records, and no warm start."""
        return replace(self, gradients=1.0, steps=OVERFITTING_STEPS)


def _generated(layout: Layout, generator: TableGenerator, key: Key[Array, ""]) -> Float[Array, "generated width"]:
    pick, noise = jax.random.split(key)
    points = latent_points()[jax.random.randint(pick, (_GENERATED,), 0, len(latent_points()))]
    return relaxed_rows(layout, generator(points, Tape()), noise)


def _prepare(
    layout: Layout, codes: Integer[Array, "batch columns"], key: Key[Array, ""]
) -> Integer[Array, "batch columns"]:
    return layout.rows(jnp.asarray(codes))


def _likelihood(domain: Domain) -> Objective:
    """That of the generator, of public rows."""
    layout = Layout(domain)
    like = jax.eval_shape(partial(TableGenerator, layout.width), jax.random.key(0))
    return Objective(like, partial(_prepare, layout), partial(negative_log_likelihood, layout))


def objective(domain: Domain, arrays: PublicArrays) -> Objective:
    """The installed recipe "critic of tables", given nothing: what a record costs the discriminator."""
    fitting(arrays, {})
    layout = Layout(domain)
    like = jax.eval_shape(partial(TableDiscriminator, layout.width, len(domain)), jax.random.key(0))
    return Objective(like, partial(_prepare, layout), real_loss)
