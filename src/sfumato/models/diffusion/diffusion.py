"""Masked diffusion over encoded rows, warm-started on noisy marginals.

Forward, columns turn into a mask one after the other in random order; the network learns to undo it. That is the
absorbing case of discrete diffusion (Austin et al. 2021), trained with the order-agnostic bound of Hoogeboom et al.
2022 (arXiv 2110.02037, eq. 5). All columns are codes here, numbers too, so one process serves them all; ``numbers`` has
the other form, in which they are continuous.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float, Integer, Key

from sfumato.encoding.domain import Domain
from sfumato.models.diffusion import numbers as continuous
from sfumato.models.diffusion.blocks import Blocks, residual_blocks
from sfumato.models.diffusion.joint import FittedJointDiffusion
from sfumato.models.diffusion.masking import hidden_columns
from sfumato.models.diffusion.shares import ShareDenoiser, squared_bound
from sfumato.models.model import SavedArrays, SavedFacts, SavedState, total_of
from sfumato.models.networks.initial import LOGITS
from sfumato.models.networks.latent import inverse_rosenblatt, rosenblatt
from sfumato.models.networks.layout import BLOCK, Layout, batched, fixed_masks
from sfumato.models.networks.training import (
    BATCHES,
    COUNT_SHARE,
    OVERFITTING_STEPS,
    PUBLIC_BATCH,
    Network,
    arrays_of,
    network_of,
    train_on_private,
    train_on_public,
)
from sfumato.models.networks.warm_start import rows_of, warm_start
from sfumato.models.settings import SHARES, USUAL, check_settings, count, none_to_all, word
from sfumato.privacy.dp_sgd import Objective
from sfumato.privacy.gradients import Dense, EmbeddingSum, Tape
from sfumato.progress import Progress
from sfumato.trust.questions import OBJECTIVES, PublicArrays, fitting
from sfumato.trust.setting import Setting

HIDDEN = 256
"""Width of the layers."""
_PUBLIC_ROWS = 200_000
"""Rows that the network is trained on first, drawn from the marginals."""
_PUBLIC_RATE = 2e-3
"""Learning rate on them, at first."""
_RATE, _COLD_RATE = 1e-5, 1e-3
"""Learning rates on private rows, with a warm start, which must not be left, and without."""
_CLIP = 1.0
"""Norm of a record's gradient."""

Masked: TypeAlias = tuple[Integer[Array, "batch columns"], Bool[Array, "batch columns"]]
"""Rows, and which columns are hidden."""


class TableDenoiser(eqx.Module):
    """From a row with masked columns to the distribution of every column: two residual blocks."""

    first: EmbeddingSum
    blocks: Blocks
    last: Dense

    def __init__(self, width: int, columns: int, key: Key[Array, ""]) -> None:
        first, last, *blocks = jax.random.split(key, 6)
        self.first = EmbeddingSum(width + columns, HIDDEN, first, scale=columns**-0.5)
        self.blocks = residual_blocks(HIDDEN, blocks)
        self.last = Dense(HIDDEN, width, last, LOGITS)

    def __call__(self, rows: Integer[Array, "batch columns"], tape: Tape) -> Float[Array, "batch width"]:
        """Rows (B, d), the mask of column c being ``width + c``, to outputs (B, width)."""
        h = self.first(rows, tape)
        for enter, leave in (self.blocks[:2], self.blocks[2:]):
            h = h + leave(jax.nn.silu(enter(jax.nn.silu(h), tape)), tape)
        return self.last(jax.nn.silu(h), tape)


def order_agnostic_bound(layout: Layout, network: TableDenoiser, records: Masked, tape: Tape) -> Float[Array, " batch"]:
    """An upper bound of -log p per record; ``records`` are rows (B, d) and which columns are masked (B, d)."""
    rows, masked = records
    columns = len(layout.domain)
    outputs = network(jnp.where(masked, layout.width + jnp.arange(columns), rows), tape)
    each = jnp.where(masked, layout.log_likelihoods(outputs, rows), 0)
    return -each.sum(axis=1) * columns / masked.sum(axis=1)


def _prepare(layout: Layout, codes: Integer[Array, "batch columns"], key: Key[Array, ""]) -> Masked:
    """Between one and all columns masked, in random order."""
    return layout.rows(codes), hidden_columns(key, *codes.shape)


def objective(domain: Domain, arrays: PublicArrays) -> Objective:
    """The installed recipe "masked diffusion of tables", given nothing."""
    fitting(arrays, {})
    layout = Layout(domain)
    like = jax.eval_shape(partial(TableDenoiser, layout.width, len(domain)), jax.random.key(0))
    return Objective(like, partial(_prepare, layout), partial(order_agnostic_bound, layout))


@dataclass(frozen=True)
class FittedDiffusion:
    """A trained denoiser.

    Attributes:
        layout: the columns.
        total: noisy number of records.
        network: weights.
    """

    layout: Layout
    total: float
    network: TableDenoiser | ShareDenoiser

    @property
    def domain(self) -> Domain:
        """Columns and codes that are sampled."""
        return self.layout.domain

    def sample(self, n: int, rng: np.random.Generator, given: Mapping[int, np.ndarray] | None = None) -> np.ndarray:
        """Draw records, a column at a time in random order; conditioned columns first, so that the rest follows."""
        allowed = self.layout.allowed(given)
        parts = [self._block(min(BLOCK, n - s), rng, given or {}, allowed) for s in range(0, n, BLOCK)]
        return np.concatenate(parts) if parts else np.empty((0, len(self.domain)), self.domain.code_dtype())

    def record_loss(self, codes: np.ndarray) -> np.ndarray:
        """The order-agnostic bound of records (n, d), averaged over fixed masks; see ``RecordLoss``.

        Four masks each of an eighth, a quarter, a half and all of the columns: where few columns are hidden, the loss
        says most about a single record (as in the attacks that won MIDST 2025).
        """
        return batched(lambda part: _mean_loss(self.layout, self.network, jnp.asarray(part)), codes)

    def _block(
        self, n: int, rng: np.random.Generator, given: Mapping[int, np.ndarray], allowed: np.ndarray | None
    ) -> np.ndarray:
        columns = len(self.domain)
        first = sorted(given, key=lambda c: int(np.sum(given[c])))
        rest = rng.permutation([c for c in range(columns) if c not in given])
        rows = np.tile(self.layout.width + np.arange(columns, dtype=np.int32), (n, 1))
        for column in (*first, *rest):
            outputs = batched(lambda part: _denoised(self.network, jnp.asarray(part)), rows)
            rows[:, column] = self.layout.offsets[column] + self.layout.draw_column(outputs, column, rng, allowed)
        return (rows - self.layout.offsets).astype(self.domain.code_dtype())

    @property
    def latent(self) -> int:
        """Dimension of the latent space: one coordinate per column."""
        return len(self.domain)

    def encode(self, codes: np.ndarray) -> np.ndarray:
        """Latent points (n, d) of records (n, d) that the caller owns; see ``latent.rosenblatt``."""
        return rosenblatt(self.layout, self._given_before, codes)

    def decode(self, points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The record of each latent point, (n, d) -> (n, d); nothing is drawn, and :meth:`encode` is undone exactly."""
        return inverse_rosenblatt(self.layout, self._given_before, points)

    def _given_before(self, codes: np.ndarray, column: int) -> np.ndarray:
        """Outputs (n, width) for records of which only the columns before ``column`` are seen."""
        masks = self.layout.width + np.arange(len(self.domain), dtype=np.int32)
        seen = np.arange(len(self.domain)) < column
        rows = np.where(seen, codes.astype(np.int32) + self.layout.offsets, masks)
        return batched(lambda part: _denoised(self.network, jnp.asarray(part)), rows)

    def state(self) -> SavedState:
        """(facts, arrays) for saving."""
        form = SHARES if isinstance(self.network, ShareDenoiser) else USUAL
        return {"total": self.total, "form": form}, arrays_of(self.network)


@eqx.filter_jit
def _mean_loss(
    layout: Layout, network: TableDenoiser | ShareDenoiser, codes: Integer[Array, "batch columns"]
) -> Float[Array, " batch"]:
    rows = layout.rows(codes)

    def one(mask: Bool[Array, " columns"]) -> Float[Array, " batch"]:
        records = rows, jnp.broadcast_to(mask, rows.shape)
        if isinstance(network, ShareDenoiser):
            return squared_bound(layout, network, records, Tape())
        return order_agnostic_bound(layout, network, records, Tape())

    return jax.lax.map(one, jnp.asarray(fixed_masks(len(layout.domain)))).mean(axis=0)


@eqx.filter_jit
def _denoised(
    network: TableDenoiser | ShareDenoiser, rows: Integer[Array, "batch columns"]
) -> Float[Array, "batch width"]:
    return network(rows, Tape())


_FORMS = {
    USUAL: (TableDenoiser, "masked diffusion of tables"),
    SHARES: (ShareDenoiser, "masked diffusion of tables for shares"),
}
"""By the form of the network, its class and its installed recipe."""


@dataclass(frozen=True)
class Diffusion:
    """The recipe: a share for gradients, the rest for the noisy marginals that the network is trained on first.

    Attributes:
        gradients: share of the budget for DP-SGD on the rows; 1 means no warm start.
        warm_steps, steps: of training on public rows, and on private ones.
        numbers: ordered columns of more than eight codes as "codes" under a mask, or "continuous" under Gaussian noise.
        form: of the network under masks, "usual", or "shares": what can be trained on secret shares too.
    """

    gradients: float = none_to_all(0.1)
    warm_steps: int = count(1000)
    steps: int = count(100)
    numbers: str = word("codes", "continuous")
    form: str = word(USUAL, SHARES)

    name = "diffusion"

    def __post_init__(self) -> None:
        check_settings(self)

    def fit(
        self, setting: Setting, *, target: int | None, progress: Progress
    ) -> FittedDiffusion | FittedJointDiffusion:
        """Learn from noisy marginals, then from noised gradients.

        *Formal guarantee.* All questions go to ``setting``, which charges each; the scale of continuous numbers is
        made of public rows. A record's loss depends on no other record.
        """
        domain = setting.domain
        if self.gradients < 1:
            known = warm_start(setting, self.gradients, target, progress)
            total, share, rows = known.total, self.gradients, rows_of(known, _PUBLIC_ROWS)
        else:
            total, share, rows = max(1.0, setting.count(setting.mu(COUNT_SHARE))), min(1.0, setting.remaining), None
        if self.numbers == "continuous" and len(continuous.number_columns(domain)):
            scale = continuous.QuantileScale.of(domain, rows)
            build = partial(continuous.JointDenoiser, scale.layout.width, len(domain), len(scale.columns))
            given = {"chances": scale.chances}
            network = self._trained(setting, share, "joint diffusion of tables", given, build, rows, total, progress)
            return FittedJointDiffusion(scale, total, network)
        layout = Layout(domain)
        kind, recipe = _FORMS[self.form]
        build = partial(kind, layout.width, len(domain))
        network = self._trained(setting, share, recipe, {}, build, rows, total, progress)
        return FittedDiffusion(layout, total, network)

    def _trained(
        self, setting: Setting, share: float, recipe: str, arrays: PublicArrays,
        build: Callable[[Array], Network], rows: np.ndarray | None, total: float, progress: Progress,
    ) -> Network:  # fmt: skip
        """A network trained on public rows, if there are any, then on private ones."""
        network, rate = jax.jit(build)(jax.random.key(0)), _COLD_RATE
        if rows is not None:
            rate, known = _RATE, OBJECTIVES.make(recipe, setting.domain, arrays)
            network = train_on_public(
                known, network, rows,
                steps=self.warm_steps, batch=PUBLIC_BATCH, rate=_PUBLIC_RATE, progress=progress,
            )  # fmt: skip
        if share > 0:
            network = train_on_private(
                setting, share, recipe, arrays, network, total=total, steps=self.steps, batch=total / BATCHES,
                clip=_CLIP, rate=rate, progress=progress,
            )  # fmt: skip
        return network

    def restore(self, domain: Domain, facts: SavedFacts, arrays: SavedArrays) -> FittedDiffusion | FittedJointDiffusion:
        """From a saved state, whose form of numbers is its own."""
        if facts.get("numbers") == "continuous":
            return FittedJointDiffusion.restored(domain, facts, arrays)
        layout = Layout(domain)
        kind, _ = _FORMS[SHARES if facts.get("form") == SHARES else USUAL]
        network = network_of(partial(kind, layout.width, len(domain)), arrays)
        return FittedDiffusion(layout, total_of(facts), network)

    def gradients_only(self) -> Diffusion:
        """All of the budget for gradients: no warm start."""
        return replace(self, gradients=1.0)

    def overfitting(self) -> Diffusion:
        """Many steps on the records, and no warm start."""
        return replace(self, gradients=1.0, steps=OVERFITTING_STEPS)
