"""The tables that are compared, and what their anchors are made of."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sfumato.errors import TooFewRows
from sfumato.evaluation.result import Memorisation, Sizes

_FEWEST = 20
"""Rows of each table: with fewer no share means anything."""
_CLEAR = 4
"""Standard deviations by which copies exceed those of holdout rows to be more than chance."""


def check_sizes(real: np.ndarray, holdout: np.ndarray, synthetic: np.ndarray) -> None:
    """TooFewRows where a table has less than 20 rows."""
    for name, table in (("real", real), ("holdout", holdout), ("synthetic", synthetic)):
        if len(table) < _FEWEST:
            raise TooFewRows(f"the {name} table has {len(table)} rows; at least {_FEWEST} are needed to evaluate")


class Tables:
    """The three tables, and as many rows of each as the smallest has, where they are compared.

    Attributes:
        real, holdout, synthetic: as given.
        some_real, some_holdout, some_synthetic: rows of each, all of one number.
        independent: columns of ``real``, each shuffled on its own; as many rows.
    """

    def __init__(self, real: np.ndarray, holdout: np.ndarray, synthetic: np.ndarray, seed: int) -> None:
        rng = np.random.default_rng(seed)
        m = min(len(real), len(holdout), len(synthetic))
        self.real, self.holdout, self.synthetic = real, holdout, synthetic
        self.some_holdout = holdout[rng.permutation(len(holdout))[:m]]
        self.some_synthetic = synthetic[rng.permutation(len(synthetic))[:m]]
        self.some_real = real[rng.permutation(len(real))[:m]]
        self.independent = np.stack([rng.permutation(real[:, i])[:m] for i in range(real.shape[1])], axis=1)

    @property
    def four(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """What a measure is taken of: all synthetic rows, as many as there are holdout ones, and the two anchors."""
        return self.synthetic, self.some_synthetic, self.some_holdout, self.independent

    @property
    def sizes(self) -> Sizes:
        """How many rows each has."""
        return Sizes(len(self.real), len(self.holdout), len(self.synthetic))

    def memorisation(self, closer: bool) -> Memorisation:
        """Flagged by fidelity that holdout rows do not reach (``closer``), or by more copies of real rows."""
        m = len(self.some_holdout)
        pair = self.some_synthetic, self.some_holdout
        one_type = np.result_type(self.real, *pair)
        known = set(_bytes(self.real.astype(one_type)))
        copies, chance = (sum(r in known for r in _bytes(t.astype(one_type))) / m for t in pair)
        spread = np.sqrt(max(chance * (1 - chance), 1 / m) * 2 / m)
        copied = bool(copies - chance > _CLEAR * spread)
        return Memorisation(closer or copied, closer, copied, round(copies, 5), round(chance, 5))


def _bytes(rows: np.ndarray) -> Iterator[bytes]:
    return (row.tobytes() for row in np.ascontiguousarray(rows))
