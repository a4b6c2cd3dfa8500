"""Rows that an evaluation leaves out, as a fit does."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RefusedRows:
    """How many rows hold a cell that the schema refuses: no model saw them, so nothing is compared with them."""

    real: int
    holdout: int

    def __bool__(self) -> bool:
        """Whether there are any."""
        return self.real + self.holdout > 0

    def __str__(self) -> str:
        return (
            f"{self.real:,} real and {self.holdout:,} holdout rows are left out: the schema refuses a cell of theirs,"
            " and a fit leaves them out too"
        )


NONE_REFUSED = RefusedRows(0, 0)
"""Each row takes part."""
