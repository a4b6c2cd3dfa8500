"""What simulated parties train on their shares, and for whom."""

from __future__ import annotations

from dataclasses import dataclass

from sfumato.trust.mpc.engine.engine import Engine


@dataclass(frozen=True)
class EncryptedFor:
    """What simulated parties train.

    Attributes:
        receiver: name of the party that obtains the model.
        steps: of gradient descent.
        engine: that they compute with; None: in the open.
    """

    receiver: str
    steps: int
    engine: Engine | None
