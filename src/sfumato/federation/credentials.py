"""What a side of a connection shows to the other."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Credentials:
    """What a side shows to the other.

    Attributes:
        key: private, in PEM.
        certificate: for it.
        authority: certificate of who signed both sides'.
    """

    key: bytes = field(repr=False)
    certificate: str
    authority: str
