"""Attacks of one who holds the saved model: how well it explains a record, and the tables it was made of.

Sources: Yeom et al. 2018 (loss); Bertran et al. 2023 (the loss a record like this one has when it was not used, learnt
from reference rows); Andrey, Le Bars, Tommasi 2025 (TAMIS: log-ratios over the very cliques a marginal model measured);
the loss at chosen noise levels is what won MIDST 2025 and is part of ``record_loss`` of the diffusion model.

A saved GAN is its generator: the discriminator, which alone touched records, is not needed for drawing rows and not
saved, so nobody can ask it. The generator's likelihood of a record is what is left to attack.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge

from sfumato.auditing.attacks.game import Game
from sfumato.auditing.attacks.image_neighbours import image_features
from sfumato.auditing.attacks.marginal_ratio import log_ratios
from sfumato.encoding.domain import Domain
from sfumato.models.marginals.fitted import FittedMarginals
from sfumato.models.model import RecordLoss

if TYPE_CHECKING:  # it comes with networks, and marginal models are attacked without
    from jaxtyping import Float, Integer

_DRAWS = 50_000
"""Rows that are drawn from a model: as many as are attacked at most."""
_TREES = 50
"""Of the regression on losses: as strong as twice as many, which fit the reference rows' own losses."""


@dataclass(frozen=True)
class WhiteBox:
    """A model in the attacker's hands, and one of the same kind that is known to leak.

    Attributes:
        model: what is attacked.
        overfitted: the same recipe fitted without noise to ``few``; what an attack finds there is its power.
        few: some of the real rows, (k, d).
    """

    model: RecordLoss
    overfitted: RecordLoss
    few: np.ndarray


def model_loss(game: Game, rng: np.random.Generator) -> Float[np.ndarray, " candidates"]:
    """Minus the loss of each candidate."""
    return -game.losses


def model_loss_calibrated(game: Game, rng: np.random.Generator) -> Float[np.ndarray, " candidates"]:
    """How far the loss is below what it is for unused rows like the candidate, by a regression on reference rows."""
    population = game.population
    known, asked = (_points(t, population.domain) for t in (population.reference, population.candidates))
    if population.domain.content == "table":
        learner = HistGradientBoostingRegressor(max_iter=_TREES, random_state=int(rng.integers(2**31)))
    else:
        learner = Ridge(alpha=1.0)
    return learner.fit(known, game.loss_of(population.reference)).predict(asked) - game.losses


class MeasuredMarginals:
    """Mean log-ratio of model to reference over the columns and pairs that the model holds, at their resolution.

    Rows are drawn from a model once for all games in which it is attacked.
    """

    def __init__(self) -> None:
        self._drawn: list[tuple[FittedMarginals, np.ndarray]] = []

    def __call__(self, game: Game, rng: np.random.Generator) -> Float[np.ndarray, " candidates"]:
        """The score of each candidate, (n,)."""
        model = game.model
        assert isinstance(model, FittedMarginals)
        maps, domain = model.columns.maps, model.columns.grouped
        candidates, released, reference = (
            np.stack([m[t[:, i]] for i, m in enumerate(maps)], axis=1)
            for t in (game.population.candidates, self._rows(model, rng), game.population.reference)
        )
        held = {(c.column,) for c in model.chain.conditionals}
        held |= {(min(c.column, p), max(c.column, p)) for c in model.chain.conditionals for p in c.parents}
        return log_ratios(candidates, released, reference, domain, sorted(held))

    def _rows(self, model: FittedMarginals, rng: np.random.Generator) -> Integer[np.ndarray, "draws columns"]:
        for known, rows in self._drawn:
            if known is model:
                return rows
        self._drawn.append((model, model.sample(_DRAWS, rng)))
        return self._drawn[-1][1]


def _points(codes: Integer[np.ndarray, "rows columns"], domain: Domain) -> Float[np.ndarray, "rows features"]:
    return codes.astype(np.float32) if domain.content == "table" else image_features(codes, domain)
