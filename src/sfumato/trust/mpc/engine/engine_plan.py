"""Who runs programs on shares together, and how: what three parties compare before anything else is said."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from sfumato.errors import EngineError

PROTOCOL, RING = "ABY3", "FM64"
"""What is run: replicated shares of three parties, any two of whom could open everything, over integers mod 2^64."""
PARTIES = 3
"""What the protocol takes: no more, no fewer."""
FRACTION_BITS = 18
"""Of a fixed-point number. The limits in ``domains`` follow from it and from the ring."""
_REFUSED = {
    "REF2K": "it opens everything: it is for tests of programs",
    "SEMI2K": "its first party deals the others' randomness, and can learn everything",
    "CHEETAH": "it was not measured here",
    "SECURENN": "it costs twenty times as much for nothing",
    "FM32": "programs over it end processes",
    "FM128": "it was not measured here",
}
_PORTS = range(1, 1 << 16)
_FORMAT = "sfumato-engine/2"


@dataclass(frozen=True)
class EngineParty:
    """One of the three.

    Attributes:
        name: as the others call it.
        host: under which it is reached.
        port: likewise.
        certificate: of its connections, in PEM: the very one, whoever signed it.
    """

    name: str
    host: str
    port: int
    certificate: str


@dataclass(frozen=True)
class EnginePlan:
    """Everything of a session that is the same at all parties. EngineError where it is not to be run.

    Attributes:
        parties: by rank.
        subject: what the session is for: the hash of the plan that the parties signed; empty in a rehearsal.
        protocol: ``ABY3``.
        ring: ``FM64``.
    """

    parties: tuple[EngineParty, ...]
    subject: str = ""
    protocol: str = PROTOCOL
    ring: str = RING

    def __post_init__(self) -> None:
        for what, allowed in ((self.protocol, PROTOCOL), (self.ring, RING)):
            if what != allowed:
                raise EngineError(f"{what} is refused ({_REFUSED.get(what, 'it is not known')}): only {allowed} is run")
        if type(self.subject) is not str:
            raise TypeError("what a session is for is a hash")
        for party in self.parties:
            if not all(isinstance(said, str) for said in (party.name, party.host, party.certificate)):
                raise TypeError("names, hosts and certificates are texts")
            if type(party.port) is not int or party.port not in _PORTS:
                raise EngineError(f"a port is a number from 1 to {_PORTS[-1]}")
        names = [party.name for party in self.parties]
        if len(names) != PARTIES or len(set(names)) != PARTIES:
            raise EngineError(f"shares are held by {PARTIES} parties of different names, not by {len(set(names))}")
        if len({party.certificate.strip() for party in self.parties}) != PARTIES:
            raise EngineError("two parties have one certificate: who holds it could open everything alone")

    def to_bytes(self) -> bytes:
        """The same bytes for the same plan."""
        return json.dumps({"format": _FORMAT, **asdict(self)}, sort_keys=True).encode("ascii")

    @property
    def digest(self) -> str:
        """What the parties compare before anything else is said."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    @classmethod
    def from_bytes(cls, data: bytes) -> EnginePlan:
        """The inverse of :meth:`to_bytes`; EngineError for anything else."""
        try:
            fields: dict[str, Any] = json.loads(data)
            if fields.pop("format") != _FORMAT:
                raise ValueError
            fields["parties"] = tuple(EngineParty(**f) for f in fields["parties"])
            return cls(**fields)
        except (ValueError, TypeError, KeyError, AttributeError):
            raise EngineError("this is no plan of an engine's session, or one of another version of sfumato") from None
