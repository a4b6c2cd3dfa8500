"""A run of the secure sum in one process, with all that the coordinator saw, and an attack that uses it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import product

import numpy as np

from sfumato.errors import FederationError
from sfumato.privacy.randomness import SYSTEM, Entropy
from sfumato.trust.secure_sum.identity import SiteIdentity
from sfumato.trust.secure_sum.masks import SEED_BYTES, add_mask, centred, derived
from sfumato.trust.secure_sum.messages import HEAD_BYTES, MaskedVector, read_table
from sfumato.trust.secure_sum.roster import Member, Roster
from sfumato.trust.secure_sum.shamir import SHARE_BYTES, join, weights
from sfumato.trust.secure_sum.sum_coordinator import Opening, SumCoordinator
from sfumato.trust.secure_sum.sum_site import SumSite
from sfumato.trust.secure_sum.terms import RoundNumber, SumTerms

SUBJECT = b"what is asked".ljust(32, b".")
Places = Collection[int]


def identities(sites: int, entropy: Entropy = SYSTEM) -> list[SiteIdentity]:
    return [SiteIdentity.fresh(entropy) for _ in range(sites)]


def roster_of(keys: Iterable[SiteIdentity], curious: int = 1, lost: int = 0) -> Roster:
    return Roster(tuple(Member(f"site-{i}", key.public_key) for i, key in enumerate(keys)), curious, lost)


class Simulated:
    """Sites and a coordinator after set-up; ``seen`` holds what each site answered, by number and stage."""

    def __init__(
        self,
        sites: int = 5,
        curious: int = 1,
        lost: int = 0,
        rounds: int = 3,
        attempts: int = 2,
        bits: int = 32,
        entropy: Entropy = SYSTEM,
        site: type[SumSite] = SumSite,
        absent: Places = (),
    ) -> None:
        self.keys = identities(sites, entropy)
        roster = roster_of(self.keys, curious, lost)
        self.terms = SumTerms(bytes(range(32)), roster, rounds, attempts, 1 << 17, bits)
        made = {place: site(self.terms, key, entropy) for place, key in enumerate(self.keys)}
        self.sites = {place: one for place, one in made.items() if place not in absent}
        self.coordinator = SumCoordinator(self.terms)
        self.seen: dict[tuple[RoundNumber, str], dict[int, bytes]] = {}
        self.set_up: list[bytes] = []
        self._set_up()

    def _set_up(self) -> None:
        first = {place: site.key() for place, site in self.sites.items()}
        keys = self.coordinator.keys(first)
        shares = {place: site.shares(keys) for place, site in self.sites.items()}
        deliveries = self.coordinator.deliveries(shares)
        for place, site in self.sites.items():
            site.receive(deliveries[place])
        self.set_up = [*first.values(), keys, *shares.values(), *deliveries.values()]

    def values(self, length: int, seed: int = 0) -> dict[int, np.ndarray]:
        """Numbers over all of the ring, for each site."""
        rng, half = np.random.default_rng(seed), 2 ** (self.terms.bits - 1)
        return {place: rng.integers(-half, half, length) for place in range(self.terms.sites)}

    def vectors(self, number: RoundNumber, values: dict[int, np.ndarray], lost: Places = ()) -> Opening:
        """An opening with the vectors of all but ``lost``, who have sent theirs too, as the coordinator knows."""
        opening = self.coordinator.opening(number, SUBJECT, len(values[0]))
        sent = {place: site.masked(number, SUBJECT, values[place]) for place, site in self.sites.items()}
        self.seen[number, "vector"] = sent
        for place, message in sent.items():
            if place not in lost:
                opening.add(place, message)
        return opening

    def round(
        self, number: RoundNumber, values: dict[int, np.ndarray], lost: tuple[Places, Places, Places] = ((), (), ())
    ) -> np.ndarray:
        """The opened sum, with sites lost at the vector, the consent and the unmasking."""
        opening = self.vectors(number, values, lost[0])
        survivors = opening.listed()
        left = [place for place in opening.survivors or () if place not in lost[1]]
        consents = opening.consents({place: self.sites[place].consent(survivors) for place in left})
        answers = {p: self.sites[p].unmask(consents) for p in left if p not in lost[2]}
        self.seen[number, "unmask"] = answers
        opened = opening.opened(answers)
        assert opening.refused == {}
        return centred(opened)

    def exact(self, values: dict[int, np.ndarray], lost: Places = ()) -> np.ndarray:
        """The sum over the sites that are not lost, as the ring holds it."""
        summed = np.sum([values[place].astype(object) for place in self.sites if place not in lost], axis=0)
        modulus = 2**self.terms.bits
        return np.array([(int(v) + modulus // 2) % modulus - modulus // 2 for v in summed])


def revealed(run: Simulated, place: int, number: RoundNumber) -> list[np.ndarray]:
    """All that a coordinator can try in order to open one site's vector of one round.

    From every number's answers it takes the seeds of the site's own masks, where T shares of them were given, and the
    pairs' seeds, where every other site gave one; each of the first is tried with each of the second.
    """
    own, pairs = [], []
    for (_, stage), answers in run.seen.items():
        if stage != "unmask":
            continue
        tables = {giver: _tables(message, run.terms.sites) for giver, message in answers.items()}
        shares = {giver: given[place] for giver, (given, _) in tables.items() if place in given}
        givers = sorted(shares)[: run.terms.roster.threshold]
        if len(givers) == run.terms.roster.threshold:
            own += _joined({giver: shares[giver] for giver in givers})
        seeds = {giver: given[place] for giver, (_, given) in tables.items() if place in given}
        if seeds.keys() == run.sites.keys() - {place}:
            pairs.append(seeds)
    vector = MaskedVector.of(memoryview(run.seen[number, "vector"][place])[HEAD_BYTES:], run.terms).values
    found = []
    for seed, seeds in product(own, pairs):
        total, scratch = vector.copy(), np.empty_like(vector)
        add_mask(total, derived(seed, b"own mask"), scratch, minus=True)
        for other, pair in seeds.items():
            add_mask(total, pair, scratch, minus=place < other)
        found.append(centred(total))
    return found


def _tables(message: bytes, sites: int) -> tuple[dict[int, bytes], dict[int, bytes]]:
    shares, rest = read_table(memoryview(message)[HEAD_BYTES:], SHARE_BYTES, sites)
    seeds, _ = read_table(rest, SEED_BYTES, sites)
    return shares, seeds


def _joined(shares: dict[int, bytes]) -> list[bytes]:
    try:
        return [join(shares, weights(sorted(shares)))]
    except FederationError:  # fewer shares than were split for
        return []
