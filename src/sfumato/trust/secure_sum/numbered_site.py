"""What every site of a sum does, however its numbers are hidden: each number of the plan is used once."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from sfumato.errors import FederationError
from sfumato.privacy.randomness import SYSTEM, Entropy
from sfumato.trust.secure_sum.identity import SiteIdentity
from sfumato.trust.secure_sum.keyed_entropy import KeyedEntropy
from sfumato.trust.secure_sum.masks import SEED_BYTES, derived
from sfumato.trust.secure_sum.run_keys import packed
from sfumato.trust.secure_sum.terms import RoundNumber, SumTerms


class NumberedSite(ABC):
    """One site in one run.

    Args:
        terms: what was agreed on.
        identity: the site's signing key; FederationError where the plan does not name it.
        entropy: of keys, masks and shares. Another one than the system's is for tests alone.
        answered: by place, how many numbers of the plan each site was seen to have used, this one by its ledger. It is
            kept up to date here, and given to the next object after a new set-up: see ``accounts.SiteAccount``.

    Attributes:
        place: of the site in the roster.
    """

    def __init__(
        self,
        terms: SumTerms,
        identity: SiteIdentity,
        entropy: Entropy = SYSTEM,
        answered: dict[int, int] | None = None,
    ) -> None:
        self.terms, self.place = terms, terms.roster.position(identity.public_key)
        self._identity, self._entropy = identity, entropy
        self._noise_key = entropy.take(SEED_BYTES)
        self._answered = {} if answered is None else answered
        self._last = self._answered.get(self.place, 0) - 1  # slot of the last number answered
        self._lock = threading.RLock()  # a coordinator may ask twice at once: each step is taken by one of the calls

    def __repr__(self) -> str:
        return f"<site {self.terms.roster.members[self.place].name} of a secure sum>"

    @property
    @abstractmethod
    def calls(self) -> Mapping[str, Callable[[bytes], bytes]]:
        """What the coordinator may call of it, by name, beside the questions themselves."""

    @abstractmethod
    def masked(self, number: RoundNumber, subject: bytes, values: np.ndarray) -> bytes:
        """The hidden vector. ``values`` (n,) are whole numbers, noised, for what ``subject`` is the hash of.

        The site's ledger must have been charged for ``number`` (see ``accounts``). FederationError, with nothing sent,
        for a number that was answered before, or lies below one that was.
        """

    def entropy(self, number: RoundNumber, subject: bytes) -> Entropy:
        """What this number's noise and samples are to be drawn from: a copy of the process draws the same."""
        return KeyedEntropy(derived(self._noise_key, b"noise" + packed(number) + subject))

    def _use(self, number: RoundNumber) -> int:
        """Use a number up, before anything of it leaves; its slot."""
        slot = self.terms.slot(number)
        with self._lock:
            if slot <= self._last:
                raise FederationError(f"{number} was answered, or passed over; a retry needs a new attempt")
            self._last = slot
            self._saw((self.place,), slot)
        return slot

    def _saw(self, places: Iterable[int], slot: int) -> None:
        """That these sites have used a number."""
        self._answered.update({place: max(slot + 1, self._answered.get(place, 0)) for place in places})
