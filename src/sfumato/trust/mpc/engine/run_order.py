"""What is run next in a session: a program, where each argument comes from, and who gets each result.

All three parties say the same in their own words, and compare the hash of it before anything is shared.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from sfumato.errors import EngineError
from sfumato.trust.mpc.engine.engine_plan import FRACTION_BITS, PARTIES

_DTYPES = ("float32", "int32", "int64")
_LARGEST = 1 << 22
"""Numbers in one argument or result: a share of more would not be one piece of the engine's."""
_LONGEST_NAME = 64
"""Letters in the name of what is kept."""


@dataclass(frozen=True, eq=False)
class OwnSecret:
    """A secret of this party, which it shares with the two others."""

    array: np.ndarray


@dataclass(frozen=True)
class PeerSecret:
    """A secret of the party of this rank, which says ``OwnSecret`` of it."""

    rank: int


@dataclass(frozen=True, eq=False)
class PublicInput:
    """What all three know, and give alike: the program takes it as public."""

    array: np.ndarray


@dataclass(frozen=True, eq=False)
class Parts:
    """This party's part, int64, of a sum modulo 2^64 that no party knows: each of the three gives its own.

    Where the program takes float32, the sum counts units of 2^-18.
    """

    array: np.ndarray


@dataclass(frozen=True)
class KeptSecret:
    """What an earlier run kept, still secret."""

    name: str


@dataclass(frozen=True)
class Keep:
    """Stays secret in the session, until something else is kept by this name."""

    name: str


@dataclass(frozen=True)
class OpenTo:
    """The party of this rank alone gets it."""

    rank: int


@dataclass(frozen=True)
class Opened:
    """All three get it."""


@dataclass(frozen=True)
class Additive:
    """Each party gets a part, uint64; the three sum to it modulo 2^64, in units of 2^-18 where it is float32.

    *Formal guarantee.* The part of one party is uniform to each of the two others that lacks it; one of them holds it.
    """


Argument = OwnSecret | PeerSecret | PublicInput | Parts | KeptSecret
Result = Keep | OpenTo | Opened | Additive


@dataclass(frozen=True)
class ArrayForm:
    """An argument or a result, as all parties say it alike.

    Attributes:
        how: ``given``, ``public``, ``parts`` or ``kept``; ``kept``, ``to``, ``opened`` or ``additive``.
        shape: of the array.
        dtype: ``float32``, ``int32`` or ``int64``.
        detail: who gives or gets it, its hash where it is public, or the name by which it is kept.
    """

    how: str
    shape: tuple[int, ...]
    dtype: str
    detail: str = ""

    def check(self) -> None:
        """EngineError where it is nothing that is shared."""
        if self.dtype not in _DTYPES or any(size < 1 for size in self.shape) or math.prod(self.shape) > _LARGEST:
            raise EngineError(
                f"arrays on shares are {', '.join(_DTYPES)}, none of them empty or of more than 2^22 numbers; this is"
                f" {self.dtype} of shape {self.shape}"
            )
        if self.how in ("given", "to") and self.detail not in map(str, range(PARTIES)):
            raise EngineError(f"parties are 0 to {PARTIES - 1}, not {self.detail}")
        if self.how == "kept" and not 0 < len(self.detail.encode()) <= _LONGEST_NAME:
            raise EngineError(f"what is kept has a name of 1 to {_LONGEST_NAME} letters")


@dataclass(frozen=True)
class RunOrder:
    """What is run, as all parties say it alike.

    Attributes:
        program: SHA-256 of the StableHLO text.
        longest: bytes of the longest message that a party may send while it runs.
        arguments, results: in the order of the program's.
        subject: hash of what the parties were asked, in hexadecimal digits.
    """

    program: str
    longest: int
    arguments: tuple[ArrayForm, ...]
    results: tuple[ArrayForm, ...]
    subject: str = ""

    def to_bytes(self) -> bytes:
        """The same bytes for the same order."""
        return json.dumps(asdict(self), sort_keys=True).encode("ascii")

    @cached_property
    def digest(self) -> bytes:
        """What the parties compare."""
        return hashlib.sha256(self.to_bytes()).digest()

    @classmethod
    def from_bytes(cls, data: bytes) -> RunOrder:
        """The inverse of :meth:`to_bytes`, of a party's own words."""
        fields: dict[str, Any] = json.loads(data)
        for name in ("arguments", "results"):
            fields[name] = tuple(ArrayForm(**{**form, "shape": tuple(form["shape"])}) for form in fields[name])
        return cls(**fields)


def argument_form(argument: Argument, shape: tuple[int, ...], dtype: str, rank: int) -> ArrayForm:
    """What the party of ``rank`` says of an argument; EngineError where its array is of another form."""
    how, detail, wanted = "", "", dtype
    match argument:
        case OwnSecret():
            how, detail = "given", str(rank)
        case PeerSecret():
            how, detail = "given", str(argument.rank)
            if argument.rank == rank:
                raise EngineError("a party gives what is its own: write OwnSecret")
        case PublicInput():
            how, detail = "public", hashlib.sha256(np.ascontiguousarray(argument.array).tobytes()).hexdigest()
        case Parts():
            how, wanted = "parts", "int64"
        case KeptSecret():
            how, detail = "kept", argument.name
    if isinstance(argument, OwnSecret | PublicInput | Parts):
        found = argument.array
        if found.shape != shape or found.dtype != wanted:
            raise EngineError(f"an argument is to be {wanted} of shape {shape}, not {found.dtype} of {found.shape}")
    form = ArrayForm(how, shape, dtype, detail)
    form.check()
    return form


def result_form(result: Result, shape: tuple[int, ...], dtype: str) -> ArrayForm:
    """What every party says of a result; EngineError where there can be none such."""
    match result:
        case Keep():
            how, detail = "kept", result.name
        case OpenTo():
            how, detail = "to", str(result.rank)
        case Opened():
            how, detail = "opened", ""
        case Additive():
            how, detail = "additive", ""
    form = ArrayForm(how, shape, dtype, detail)
    form.check()
    return form


def gets(form: ArrayForm, rank: int) -> bool:
    """Whether the party of ``rank`` gets this result, or a part of it."""
    return form.how in ("opened", "additive") or (form.how == "to" and form.detail == str(rank))


def gives(form: ArrayForm, rank: int) -> bool:
    """Whether the party of ``rank`` gives an array for this argument."""
    return form.how in ("public", "parts") or (form.how == "given" and form.detail == str(rank))


def decoded(elements: np.ndarray, dtype: str) -> np.ndarray:
    """Numbers of a result from their elements modulo 2^64."""
    whole = elements.view(np.int64)
    return (whole / (1 << FRACTION_BITS)).astype(dtype) if dtype == "float32" else whole.astype(dtype)


def check_alike(forms: Sequence[ArrayForm]) -> None:
    """EngineError where two results are kept by one name."""
    names = [form.detail for form in forms if form.how == "kept"]
    if len(set(names)) != len(names):
        raise EngineError("two results are kept by one name")
