"""Membership by log-ratios of low-dimensional marginals, the attack that knows what marginal models measure.

Source: Golob et al. 2024 (MAMA-MIA), with all pairs and a seeded choice of triples in place of the measured cliques.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sfumato.auditing.attacks.game import Game
from sfumato.encoding.domain import Clique, Domain
from sfumato.evaluation.marginals import Binning, cell_index, cliques

_PAIRS, _TRIPLES = 400, 100
"""Pairs and triples of columns that are compared, some at random where there are more."""
_BINS = 32
"""Of an ordered column."""
_DENSE_CELLS = 1 << 20
"""Cells of a table that is held whole: a larger one is held by the cells that occur."""
"""Up to so many cells are counted in an array, which is faster than sorting; beyond, it would not fit."""


def marginal_ratio(game: Game, rng: np.random.Generator) -> np.ndarray:
    """Mean over cliques of ``log(p_synthetic / p_reference)`` in the candidate's cell, smoothed by one count."""
    population = game.population
    binning = Binning.of(population.domain, _BINS)
    candidates, synthetic, reference = (
        binning.apply(t) for t in (population.candidates, game.synthetic, population.reference)
    )
    chosen = cliques(binning.domain, min(2, len(binning.domain)), _PAIRS)
    if len(binning.domain) > 2:
        chosen += cliques(binning.domain, 3, _TRIPLES)
    return log_ratios(candidates, synthetic, reference, binning.domain, chosen)


def log_ratios(
    candidates: np.ndarray, synthetic: np.ndarray, reference: np.ndarray, domain: Domain, chosen: Sequence[Clique]
) -> np.ndarray:
    """The mean over ``chosen`` cliques for each candidate, (n,)."""
    total = np.zeros(len(candidates))
    for clique in chosen:
        cells, s, r = (cell_index(t, domain, clique) for t in (candidates, synthetic, reference))
        size = domain.cells(clique)
        total += np.log(_shares(s, cells, size)) - np.log(_shares(r, cells, size))
    return total / len(chosen)


def _shares(table: np.ndarray, cells: np.ndarray, size: int) -> np.ndarray:
    """Smoothed share of ``table``'s rows in each of ``cells``, of which there are ``size``."""
    if size <= _DENSE_CELLS:
        return (np.bincount(table, minlength=size)[cells] + 1) / (len(table) + 1)
    values, counts = np.unique(table, return_counts=True)
    at = np.minimum(np.searchsorted(values, cells), len(values) - 1)
    return (np.where(values[at] == cells, counts[at], 0) + 1) / (len(table) + 1)
