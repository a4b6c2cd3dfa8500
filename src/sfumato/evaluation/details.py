"""The parts of an evaluation's result beside its measures: plain facts that need no library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Task = Literal["binary", "multiclass", "regression"]


@dataclass(frozen=True)
class Region:
    """A box of codes, (column, low, high) per condition, and the share of each table inside it (held-out half)."""

    conditions: tuple[tuple[str, int, int], ...]
    real: float
    synthetic: float


@dataclass(frozen=True)
class Detection:
    """Outcome of the test.

    Attributes:
        auc: held-out area under the ROC curve; 0.5 means not told apart, 1 always.
        columns: (name, drop of the AUC when the column is shuffled), largest first.
        regions: boxes where the two tables differ most, largest difference of shares first.
    """

    auc: float
    columns: tuple[tuple[str, float], ...]
    regions: tuple[Region, ...]


@dataclass(frozen=True)
class Subgroup:
    """One value of one column.

    Attributes:
        column: name of the column; ``code``: its code.
        real_share: share of the real rows; ``synthetic_share``: of the synthetic rows.
        tvd: mean total variation over the other columns' marginals within the group (1 if no synthetic row is in it).
        holdout_tvd: the same of holdout rows, the floor for a group of this size (None if none is in it).
        accuracy_gap: TSTR accuracy minus TRTR accuracy within the group; None without a class target or holdout rows.
    """

    column: str
    code: int
    real_share: float
    synthetic_share: float
    tvd: float
    holdout_tvd: float | None
    accuracy_gap: float | None


@dataclass(frozen=True)
class Coefficient:
    """A main effect with its 95 % interval in both tables, and the overlap of the two in [0, 1]."""

    name: str
    real: tuple[float, float, float]
    synthetic: tuple[float, float, float]
    overlap: float
