"""The tables that are compared, and one measure of them between its two anchors."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sfumato.errors import TooFewRows

_FEWEST = 20


def check_sizes(real: np.ndarray, test: np.ndarray, synthetic: np.ndarray) -> None:
    """TooFewRows where a table has less than 20 rows."""
    for name, table in (("real", real), ("test", test), ("synthetic", synthetic)):
        if len(table) < _FEWEST:
            raise TooFewRows(f"the {name} table has {len(table)} rows; at least {_FEWEST} are needed to evaluate")


class Tables:
    """The three tables, and what the anchors are made of, all of one size where they are compared.

    Attributes:
        real, test, synthetic: as given.
        fresh: rows of ``test``; ``matched``: as many of ``synthetic``; ``other``: as many of ``real``.
        independent: columns of ``real``, each shuffled on its own; as many rows.
    """

    def __init__(self, real: np.ndarray, test: np.ndarray, synthetic: np.ndarray, seed: int) -> None:
        rng = np.random.default_rng(seed)
        m = min(len(real), len(test), len(synthetic))
        self.real, self.test, self.synthetic = real, test, synthetic
        self.fresh = test[rng.permutation(len(test))[:m]]
        self.matched = synthetic[rng.permutation(len(synthetic))[:m]]
        self.other = real[rng.permutation(len(real))[:m]]
        self.independent = np.stack([rng.permutation(real[:, i])[:m] for i in range(real.shape[1])], axis=1)

    @property
    def four(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """What a measure is taken of: all synthetic rows, as many as there are fresh ones, and the two anchors."""
        return self.synthetic, self.matched, self.fresh, self.independent

    @property
    def sizes(self) -> dict[str, int]:
        """How many rows each has."""
        return {"real": len(self.real), "test": len(self.test), "synthetic": len(self.synthetic)}

    def memorisation(self, closer: bool) -> dict[str, bool | float]:
        """What flags memorisation: fidelity that fresh rows do not reach (``closer``), or more copies of real rows.

        ``copies`` is the share of ``matched`` rows that stand in ``real`` too, ``copies_fresh`` that of ``fresh``; more
        than chance gives are those beyond four standard deviations.
        """
        m = len(self.fresh)
        one_type = np.result_type(self.real, self.matched, self.fresh)
        known = set(_bytes(self.real.astype(one_type)))
        copies, chance = (sum(r in known for r in _bytes(t.astype(one_type))) / m for t in (self.matched, self.fresh))
        spread = np.sqrt(max(chance * (1 - chance), 1 / m) * 2 / m)
        copied = bool(copies - chance > 4 * spread)
        return {
            "flag": closer or copied,
            "closer_than_fresh_rows": closer,
            "more_copies_than_fresh_rows": copied,
            "copies": round(copies, 5),
            "copies_fresh": round(chance, 5),
        }


def _bytes(rows: np.ndarray) -> Iterator[bytes]:
    return (row.tobytes() for row in np.ascontiguousarray(rows))


def measure(
    value: float, matched: float, fresh: float, independent: float, *, higher: bool = False
) -> dict[str, float | None]:
    """A measure between its anchors; no score where independent columns are not clearly worse than fresh rows."""
    width = (fresh - independent) if higher else (independent - fresh)
    gain = (matched - independent) if higher else (independent - matched)
    score = gain / width if width > 0.1 * max(abs(independent), abs(fresh), 1e-9) else None
    entries = {"value": value, "matched": matched, "fresh": fresh, "independent": independent, "score": score}
    return {k: None if v is None else round(float(v), 5) for k, v in entries.items()}


def rounded(scores: dict[str, float]) -> dict[str, float]:
    """Five digits after the point."""
    return {k: round(v, 5) for k, v in scores.items()}
