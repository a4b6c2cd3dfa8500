"""What three parties agree to run on shares: the program, who gives what, who gets what, and who they are."""

from __future__ import annotations

import hashlib
import json
import math
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
_FORMAT = "sfumato-engine/1"
_DTYPES = ("float32", "int32", "int64")
_LARGEST = 1 << 22
"""Numbers in one input or result: a share of more would not be one piece of the engine's."""


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
class SharedArray:
    """An input or a result of the program.

    Attributes:
        shape: of the array.
        dtype: ``float32``, ``int32`` or ``int64``.
        party: who gives the input, or alone gets the result.
    """

    shape: tuple[int, ...]
    dtype: str
    party: str


@dataclass(frozen=True)
class EnginePlan:
    """Everything that is the same at all parties. EngineError where it is not to be run.

    Attributes:
        program: StableHLO text.
        inputs: in the order of the program's arguments; each is a secret of who gives it.
        outputs: in the order of the program's results.
        parties: by rank.
        longest: bytes of the longest message that a party may send.
        protocol: ``ABY3``.
        ring: ``FM64``.
    """

    program: str
    inputs: tuple[SharedArray, ...]
    outputs: tuple[SharedArray, ...]
    parties: tuple[EngineParty, ...]
    longest: int
    protocol: str = PROTOCOL
    ring: str = RING

    def __post_init__(self) -> None:
        for what, allowed in ((self.protocol, PROTOCOL), (self.ring, RING)):
            if what != allowed:
                raise EngineError(f"{what} is refused ({_REFUSED.get(what, 'it is not known')}): only {allowed} is run")
        names = [party.name for party in self.parties]
        if len(names) != PARTIES or len(set(names)) != PARTIES:
            raise EngineError(f"shares are held by {PARTIES} parties of different names, not by {len(set(names))}")
        if len({party.certificate.strip() for party in self.parties}) != PARTIES:
            raise EngineError("two parties have one certificate: who holds it could open everything alone")
        if type(self.longest) is not int or type(self.program) is not str:
            raise TypeError("a plan's program is text, its longest message a number of bytes")
        for array in (*self.inputs, *self.outputs):
            if array.party not in names or array.dtype not in _DTYPES:
                raise EngineError("an input or a result is of no party of the plan, or of a type that is not shared")
            if any(size < 1 for size in array.shape) or math.prod(array.shape) > _LARGEST:
                raise EngineError(f"an input or a result has the shape {array.shape}: none may be empty or above 2^22")

    def rank(self, name: str) -> int:
        """The place of a party."""
        return [party.name for party in self.parties].index(name)

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
            for name in ("inputs", "outputs"):
                fields[name] = tuple(SharedArray(**{**f, "shape": tuple(f["shape"])}) for f in fields[name])
            fields["parties"] = tuple(EngineParty(**f) for f in fields["parties"])
            return cls(**fields)
        except (ValueError, TypeError, KeyError, AttributeError):
            raise EngineError("this is no plan of an engine's run, or one of another version of sfumato") from None
