"""What a certificate says of the ledger of its data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kept = Literal["file", "memory", "public example", "sites"]
_KEPT = {
    "file": "in a file shared by all runs",
    "memory": "in memory: other runs over the data are not counted",
    "sites": "by each site, in a ledger of its own, where attempts that failed are charged too",
    "public example": "nowhere: the rows are a public example that comes with sfumato, and nothing is added up",
}


@dataclass(frozen=True)
class Cap:
    """What all runs over a data set may cost together."""

    epsilon: float
    delta: float


@dataclass(frozen=True)
class LedgerStatement:
    """Where the ledger stood: what all runs over the data had cost before this one, and with it.

    Attributes:
        kept: where the ledger is.
        id: names the ledger; None where there is none to be named.
        run: number of the run in it.
        cap: most that all runs together may cost; None: nothing was added up.
        before: epsilon of all other runs, at the cap's delta, when the certificate was issued; None without a cap.
        after: the same with this run.
    """

    kept: Kept = "memory"
    id: str | None = None
    run: int | None = None
    cap: Cap | None = None
    before: float | None = None
    after: float | None = None

    def in_words(self) -> str:
        """One sentence for people."""
        said = f"kept {_KEPT[self.kept]}"
        if self.id is not None:
            said = f"{self.id}, run {self.run}, {said}"
        if self.cap is None:
            return f"{said}; no cap on all runs together"
        spent = (
            ""
            if self.after is None
            else f"; all runs together: epsilon {self.before:.6g} before, {self.after:.6g} after"
        )
        return f"{said}{spent}, of a cap of {self.cap.epsilon:g} at delta {self.cap.delta:g}"

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> LedgerStatement:
        """The inverse of ``asdict``; ValueError on anything malformed."""
        known = {name: fields[name] for name in ("kept", "id", "run", "before", "after")}
        cap = fields["cap"]
        numbers = [
            x for x in (known["before"], known["after"], *(() if cap is None else cap.values())) if x is not None
        ]
        if known["kept"] not in _KEPT or not all(isinstance(x, int | float) and x >= 0 for x in numbers):
            raise ValueError("the certificate's ledger is malformed")
        return cls(**known, cap=None if cap is None else Cap(**cap))
