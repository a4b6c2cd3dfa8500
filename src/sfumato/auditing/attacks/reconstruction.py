"""Linear reconstruction: a secret bit of all rows at once from many aggregates of the synthetic table.

Source: Annamalai, Gadotti, Rocher 2024 (linear reconstruction attack on synthetic data), after Dinur and Nissim 2003.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import lsmr

from sfumato.auditing.attacks.game import Population
from sfumato.evaluation.marginals import Binning, cell_index, cliques

_BINS = 16
"""Of an ordered column that is known: cells hold some rows each."""
_CLIQUES = 300
"""Pairs, and triples, that are asked about."""
_ITERATIONS = 200
"""Of least squares; it converges in fewer."""


def secret_bit(population: Population) -> tuple[int, int]:
    """(column, code): the value whose share among reference rows is nearest to one half."""
    shares = [np.bincount(c.astype(np.int64)) / len(population.reference) for c in population.reference.T]
    gaps = [np.abs(s - 0.5).min() for s in shares]
    column = int(np.argmin(gaps))
    return column, int(np.abs(shares[column] - 0.5).argmin())


def linear_reconstruction(
    population: Population, synthetic: np.ndarray, column: int, bit: int
) -> tuple[np.ndarray, np.ndarray]:
    """Whether the secret ``column == bit`` was guessed right, for members and for controls.

    The attacker knows every other column of all rows, takes the count of the bit in each synthetic cell of pairs and
    triples of the others (300 of each at most) as the answer of a linear query, and solves for the bits by damped
    least squares around their mean. Controls go through the same as if they had been used.
    """
    members = _attack(population.members, population, synthetic, column, bit)
    return members, _attack(population.controls, population, synthetic, column, bit)


def _attack(rows: np.ndarray, population: Population, synthetic: np.ndarray, column: int, bit: int) -> np.ndarray:
    binning = Binning.of(population.domain, _BINS)
    others = [i for i in range(len(binning.domain)) if i != column]
    known, released = binning.apply(rows), binning.apply(synthetic)
    held = released[synthetic[:, column] == bit]
    blocks, answers = [], []
    for order in (2, 3):
        for clique in (c for c in cliques(binning.domain, order, _CLIQUES) if set(c) <= set(others)):
            cells = cell_index(known, binning.domain, clique)
            values, position = np.unique(cells, return_inverse=True)
            blocks.append(sparse.csr_matrix((np.ones(len(rows)), (position, np.arange(len(rows))))))
            answers.append(_counts(cell_index(held, binning.domain, clique), values) * len(rows) / len(synthetic))
    if not blocks:
        return np.zeros(len(rows), bool)
    base = len(held) / len(synthetic)
    queries, target = sparse.vstack(blocks).tocsr(), np.concatenate(answers)
    weight = sparse.diags(1 / np.sqrt(np.asarray(queries.sum(1)).ravel()))
    off = weight @ (target - queries @ np.full(len(rows), base))
    solved = lsmr(weight @ queries, off, damp=1.0, maxiter=_ITERATIONS)[0]
    guess = solved >= np.quantile(solved, 1 - base)
    return guess == (rows[:, column] == bit)


def _counts(table: np.ndarray, cells: np.ndarray) -> np.ndarray:
    table = np.sort(table)
    return np.searchsorted(table, cells, side="right") - np.searchsorted(table, cells, side="left")
