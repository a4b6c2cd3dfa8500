"""Whoever adds ciphertexts: it has the key that opens nothing, and hands on totals alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sfumato.errors import FederationError
from sfumato.trust.encrypted_sum.ckks import BY_RING, read, read_public
from sfumato.trust.encrypted_sum.vectors import EncryptedAnswer
from sfumato.trust.secure_sum.terms import RoundNumber, SumTerms


@dataclass(frozen=True)
class EncryptedTotal:
    """What the holder of the key is shown.

    Attributes:
        number: of the round.
        survivors: places of the sites that are in it, in order.
        numbers: how many there are.
        ciphertexts: of the total.
    """

    number: RoundNumber
    survivors: tuple[int, ...]
    numbers: int
    ciphertexts: tuple[bytes, ...]


class Aggregator:
    """Adds up what the sites of ``terms`` encrypted by the ``public`` key.

    Attributes:
        refused: by place, why a message of the last round was not taken.
    """

    def __init__(self, terms: SumTerms, public: bytes) -> None:
        self._terms, self._public = terms, public
        self._context = read_public(public, BY_RING[terms.bits])
        self.refused: dict[int, str] = {}

    def total(self, number: RoundNumber, subject: bytes, numbers: int, messages: Mapping[int, bytes]) -> EncryptedTotal:
        """The total over the sites whose messages are what they should be.

        FederationError, and nothing is handed on, where they are fewer than the plan allows.
        """
        asked, survivors, totals = EncryptedAnswer(self._terms, self._public, number, subject), [], []
        self.refused = {}
        for place, message in sorted(messages.items()):
            try:
                found = read(self._context, asked.read(place, message), numbers)
            except FederationError as error:
                self.refused[place] = str(error)
            else:
                totals = [total + one for total, one in zip(totals, found, strict=True)] if survivors else found
                survivors.append(place)
        self._terms.check_survivors(survivors)
        return EncryptedTotal(number, tuple(survivors), numbers, tuple(total.serialize() for total in totals))
