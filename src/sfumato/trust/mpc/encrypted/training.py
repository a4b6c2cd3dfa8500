"""What three parties agree to where a model is trained on their shares without noise, and who alone gets it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sfumato.errors import FederationError
from sfumato.results.plain import Json

RECIPE = "vae of tables for shares"
"""The installed code whose loss is made small."""
BATCH = 64
"""Persons in a step: bytes grow with them, messages do not."""
TOGETHER = 25
"""Steps that the engine takes at one go: of more it needs as much time for each, and nobody is told how far it is."""
MOST_STEPS = 10_000
"""Of one training: at a third of a second each it lasts an hour."""
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class EncryptedTraining:
    """A training on shares without differential privacy.

    Attributes:
        receiver: name of the party that gets the last parameters, exactly; nobody else does.
        steps: of gradient descent, in multiples of ``TOGETHER``.
        program: SHA-256 of the programs that the engine runs.
    """

    receiver: str
    steps: int
    program: str

    def check(self, parties: Sequence[str]) -> None:
        """FederationError where this is nothing that these parties can do."""
        if self.receiver not in parties:
            raise FederationError(
                f"what is trained on shares is opened to one of the parties ({', '.join(parties)}), not to"
                f" {self.receiver!r}"
            )
        if type(self.steps) is not int or self.steps % TOGETHER or not TOGETHER <= self.steps <= MOST_STEPS:
            raise FederationError(
                f"a training on shares takes {TOGETHER} to {MOST_STEPS:,} steps, in multiples of {TOGETHER}, not"
                f" {self.steps!r}"
            )
        if not _HASH.fullmatch(self.program):
            raise FederationError("a training on shares names its programs by their SHA-256")

    @property
    def runs(self) -> int:
        """How often the engine is asked for steps."""
        return self.steps // TOGETHER

    def to_dict(self) -> dict[str, Json]:
        """As JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> EncryptedTraining:
        """The inverse of ``to_dict``."""
        return cls(data["receiver"], data["steps"], data["program"])

    def words(self) -> list[str]:
        """What each party reads before it signs."""
        return [
            f"TRAINED ON SECRET SHARES, WITHOUT DIFFERENTIAL PRIVACY: {self.receiver}, and nobody else, obtains the"
            f" parameters of the model, exactly as {self.steps} steps over the rows of all three parties leave them."
            f" They may reveal rows, and so may all that {self.receiver} makes of them. There is no certificate.",
            f"Until then no party sees a parameter, a gradient or a row of another. You give {self.receiver} what your"
            " rows teach it, for good: sign only if you would show it your rows.",
            f"Programs: SHA-256 {self.program}. No sum is opened, and no ledger is charged: nothing is promised.",
        ]
