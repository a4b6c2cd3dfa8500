"""CKKS (Cheon, Kim, Kim and Song 2017) by TenSEAL, with parameters by which the totals of whole numbers are exact."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from sfumato.errors import FederationError

DEGREE = 4096
"""Of the polynomials: the least that holds a total and its error at 128 bits of security (109 bits of modulus)."""
SLOTS = DEGREE // 2
"""Numbers of one ciphertext."""
MOST_ERROR = 0.25
"""How far what is decrypted may be from a whole number; of a hundred sites at most 0.03 in all that was tried."""


@dataclass(frozen=True)
class Parameters:
    """Of one scheme.

    Attributes:
        moduli: bits of the primes. The last is of no ciphertext: it takes off the noise of encryption.
        scale_bits: of what numbers are multiplied by.
        total_bits: a total lies below two to one less in size, and is then exact.
    """

    moduli: tuple[int, ...]
    scale_bits: int
    total_bits: int

    @property
    def largest(self) -> int:
        """The largest number, of a site or a total."""
        return (1 << (self.total_bits - 1)) - 1


BY_RING = {32: Parameters((55, 54), 21, 32), 64: Parameters((36, 36, 37), 24, 44)}
"""By the bits of the ring of the same sum under masks.

The narrow one holds all that its ring does. The wide one ends where numbers in double precision, which the library
encodes and decodes by, still leave all totals exact. Several ciphertexts for the parts of a larger number would hold
it, and would tell who opens them more than the total: how often the parts carried.
"""
_PAIR = 2
"""Polynomials of what is encrypted, and of sums; products have more."""
UNREADABLE = "a ciphertext, or a key, that cannot be read"


def new_context(parameters: Parameters) -> Any:
    """A fresh pair of keys."""
    import tenseal  # no other sum needs it

    context = tenseal.context(
        tenseal.SCHEME_TYPE.CKKS, DEGREE, coeff_mod_bit_sizes=list(parameters.moduli), n_threads=1
    )
    context.global_scale = 2.0**parameters.scale_bits
    return context


def public_part(context: Any) -> bytes:
    """What encrypts and adds, and opens nothing."""
    return context.serialize(save_public_key=True, save_secret_key=False, save_galois_keys=False, save_relin_keys=False)


def read_public(data: bytes, parameters: Parameters) -> Any:
    """The inverse of ``public_part``; FederationError where it is none, or opens, or is of other ``parameters``."""
    import tenseal  # no other sum needs it

    try:
        context = tenseal.context_from(data, n_threads=1)
    except (ValueError, RuntimeError):
        raise FederationError(UNREADABLE) from None
    if context.is_private():
        raise FederationError("a key that opens was sent to whoever only encrypts or adds: nothing is answered")
    if not context.has_public_key() or _said(context) != _expected(parameters):
        raise FederationError("a key of another scheme, or of other parameters, than sums have: nothing is answered")
    return context


def _said(context: Any) -> tuple[list[int], float | None]:
    """SEAL's hash of scheme, degree and moduli, and the scale, where there is one."""
    try:
        scale = context.global_scale
    except ValueError:
        scale = None
    return context.seal_context().data.key_parms_id(), scale


@cache
def _expected(parameters: Parameters) -> tuple[list[int], float | None]:
    return _said(new_context(parameters))


def encrypted(context: Any, parameters: Parameters, values: np.ndarray) -> Iterator[bytes]:
    """Ciphertexts of whole numbers (n,), ``SLOTS`` of them in each; FederationError for one that is too large."""
    import tenseal  # no other sum needs it

    if values.size and int(np.abs(values).max()) > parameters.largest:
        raise FederationError(f"a number of more than the {parameters.total_bits} bits that add up exactly")
    for start in range(0, values.size, SLOTS):
        yield tenseal.ckks_vector(context, values[start : start + SLOTS].astype(float)).serialize()


def read(context: Any, ciphertexts: Sequence[bytes], numbers: int) -> list[Any]:
    """What can be added, of so many ``numbers``; FederationError for ciphertexts of others, or that are none."""
    import tenseal  # no other sum needs it

    try:
        found = [tenseal.ckks_vector_from(context, one) for one in ciphertexts]
    except (ValueError, RuntimeError):
        raise FederationError(UNREADABLE) from None
    if [one.size() for one in found] != [min(SLOTS, numbers - start) for start in range(0, numbers, SLOTS)]:
        raise FederationError("ciphertexts of more numbers, or fewer, than were asked for")
    if not all(_is_fresh(context, one) for one in found):
        raise FederationError("a ciphertext of another form or scale, which adds up with no other")
    return found


def _is_fresh(context: Any, one: Any) -> bool:
    """Whether it is one ciphertext as they are encrypted, or a sum of such: a pair, at the first level, at the scale.

    The library reads none, or several, as readily: of how many numbers they are stands beside them.
    """
    form = context.global_scale, _PAIR, context.seal_context().data.first_parms_id()
    return [(part.scale, part.size(), part.parms_id()) for part in one.ciphertext()] == [form]


def opened(context: Any, parameters: Parameters, ciphertexts: Sequence[bytes], numbers: int) -> np.ndarray:
    """The whole numbers (numbers,) of a total, int64.

    FederationError, and nothing is told, where one is no whole number or too large: what CKKS opens holds an error that
    depends on the key, and must not leave (Li and Micciancio 2021).
    """
    found = np.concatenate([one.decrypt() for one in read(context, ciphertexts, numbers)])
    whole = np.rint(found)
    if np.abs(found - whole).max() > MOST_ERROR or np.abs(whole).max() > parameters.largest:
        raise FederationError("what was decrypted is no total of whole numbers; nothing is opened")
    return whole.astype(np.int64)
