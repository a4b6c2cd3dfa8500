"""What each measure says in plain words, which way is better, and which measures speak of the same thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Meaning:
    """What a measure says.

    Attributes:
        family: measures of one family say much the same: the overall figure counts each family once.
        better: whether ``less`` or ``more`` is better.
        words: what it is, for a reader without a manual.
    """

    family: str
    better: Literal["less", "more"]
    words: str


_BY_START = {
    "tvd1": Meaning("marginals", "less", "how far the shares of single columns are off"),
    "tvd2": Meaning("marginals", "less", "how far the shares of pairs of columns are off"),
    "tvd3": Meaning("marginals", "less", "how far the shares of three columns together are off"),
    "query3": Meaning("queries", "less", "how far counts under three conditions are off"),
    "association": Meaning("association", "less", "how far the correlation of two columns is off"),
    "tstr": Meaning("prediction", "more", "how well what is learnt from synthetic rows predicts holdout rows"),
    "detection": Meaning("detection", "less", "how well trees tell synthetic rows from real ones; 0.5: not at all"),
    "precision": Meaning("coverage", "more", "share of synthetic rows that lie where real ones lie"),
    "recall": Meaning("coverage", "more", "share of real rows that lie where synthetic ones lie"),
    "density": Meaning("coverage", "more", "how many real rows are near a synthetic one"),
    "coverage": Meaning("coverage", "more", "share of real rows with a synthetic one near"),
    "alpha_precision": Meaning("coverage", "more", "whether synthetic rows are as typical as real ones"),
    "beta_recall": Meaning("coverage", "more", "whether synthetic rows reach the unusual real ones"),
    "coefficient": Meaning("coefficients", "more", "how far a regression would lead to the same conclusions"),
    "frechet": Meaning("images", "less", "how far the images are from real ones as a whole"),
}


def meaning(name: str) -> Meaning:
    """Of a measure by its name; the name's longest known beginning counts."""
    known = [start for start in _BY_START if name.startswith(start)]
    if not known:
        raise KeyError(f"measure {name!r} has no meaning written down")
    return _BY_START[max(known, key=len)]
