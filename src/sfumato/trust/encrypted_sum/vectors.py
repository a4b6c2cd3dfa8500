"""A site's encrypted numbers as bytes, bound to what they answer."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from sfumato.errors import FederationError
from sfumato.trust.secure_sum.run_keys import packed
from sfumato.trust.secure_sum.terms import HASH_BYTES, RoundNumber, SumTerms

_LENGTH = struct.Struct("<I")
_MOST = 1 << 18
"""Bytes of a ciphertext, of either scheme: two polynomials of 4,096 numbers of 16 bytes, and what says so."""


@dataclass(frozen=True)
class EncryptedAnswer:
    """What a site answers, and by which key.

    Attributes:
        terms: of the sum.
        public: the key that all encrypt by.
        number: of the round.
        subject: hash of what is asked.
    """

    terms: SumTerms
    public: bytes
    number: RoundNumber
    subject: bytes

    def label(self, place: int) -> bytes:
        """What names the answer of the site at ``place``."""
        key = hashlib.sha256(self.public).digest()
        said = (self.terms.digest, key, place.to_bytes(2, "little"), packed(self.number), self.subject)
        return hashlib.sha256(b"sfumato encrypted vector 1" + b"".join(said)).digest()

    def write(self, place: int, ciphertexts: Iterable[bytes]) -> bytes:
        """The message of the site at ``place``."""
        parts = [self.label(place)]
        for one in ciphertexts:
            parts += [_LENGTH.pack(len(one)), one]
        return b"".join(parts)

    def read(self, place: int, message: bytes) -> list[bytes]:
        """Its ciphertexts; FederationError for any other message."""
        if message[:HASH_BYTES] != self.label(place):
            raise FederationError("a message of another site, run, round or question, or of another key")
        found, start = [], HASH_BYTES
        while start < len(message):
            end = start + _LENGTH.size
            (length,) = _LENGTH.unpack(message[start:end].ljust(_LENGTH.size, b"\xff"))
            if length > _MOST or end + length > len(message):
                raise FederationError("a ciphertext that is cut off, or longer than any")
            found.append(message[end : end + length])
            start = end + length
        return found
