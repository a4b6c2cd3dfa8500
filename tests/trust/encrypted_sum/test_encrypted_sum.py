"""Sums under encryption: totals are exact to the ends of what is allowed, and nobody sees what he should not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import tenseal
from tests.trust.secure_sum.simulated import SUBJECT, identities, roster_of

from sfumato.errors import FederationError
from sfumato.trust.encrypted_sum import ckks
from sfumato.trust.encrypted_sum.aggregator import Aggregator, EncryptedTotal
from sfumato.trust.encrypted_sum.ckks import BY_RING, SLOTS, encrypted
from sfumato.trust.encrypted_sum.encrypting_site import EncryptingSite
from sfumato.trust.encrypted_sum.key_holder import KeyHolder
from sfumato.trust.encrypted_sum.vectors import EncryptedAnswer
from sfumato.trust.secure_sum.terms import RoundNumber, SumTerms

FIRST, SECOND = RoundNumber(1), RoundNumber(2)
RINGS = [32, 64]


class Watched(KeyHolder):
    """A holder of the key that keeps all it was shown."""

    def __init__(self, terms: SumTerms) -> None:
        super().__init__(terms)
        self.shown: list[EncryptedTotal] = []

    def opened(self, total: EncryptedTotal) -> np.ndarray:
        self.shown.append(total)
        return super().opened(total)


class Encrypted:
    """Sites, who adds, and who holds the key, after set-up."""

    def __init__(self, sites: int = 3, bits: int = 32, curious: int = 0, lost: int = 0) -> None:
        self.keys = keys = identities(sites)
        self.terms = SumTerms(bytes(32), roster_of(keys, curious, lost), 3, 2, 1 << 17, bits)
        self.holder = Watched(self.terms)
        self.aggregator = Aggregator(self.terms, self.holder.public)
        self.sites = [EncryptingSite(self.terms, key) for key in keys]
        for site in self.sites:
            site.encrypt_by(self.holder.public)

    def sent(self, number: RoundNumber, values: np.ndarray) -> dict[int, bytes]:
        """What each site sends of its row of ``values`` (sites, n)."""
        return {s.place: s.masked(number, SUBJECT, row) for s, row in zip(self.sites, values, strict=True)}

    def total(self, number: RoundNumber, numbers: int, messages: Mapping[int, bytes]) -> np.ndarray:
        return self.holder.opened(self.aggregator.total(number, SUBJECT, numbers, messages))


def at_the_ends(sites: int, largest: int, numbers: int) -> np.ndarray:
    """(sites, numbers) whose totals are at both ends, at none, and anywhere; each number is within the ends too."""
    rng = np.random.default_rng(0)
    values = rng.integers(-largest, largest, (sites, numbers), endpoint=True)
    values[:, :4] = 0
    values[0, :2] = largest, -largest
    values[:, 2], values[:, 3] = largest // sites, -(largest // sites)
    last = rng.integers(-largest, largest, numbers - 4, endpoint=True)
    for i in range(1, sites):
        values[i, 4:] = np.where(i % 2, -values[i - 1, 4:], values[i, 4:])
    if sites % 2:
        values[-1, 4:] = last
    return values


@pytest.mark.parametrize("bits", RINGS)
@pytest.mark.parametrize(("sites", "numbers"), [(3, SLOTS + 5), (100, SLOTS)])
def test_totals_are_exact_to_the_ends_of_what_is_allowed(
    sites: int, numbers: int, bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the scheme's error goes an eighth of the way to a wrong number at most."""
    monkeypatch.setattr(ckks, "MOST_ERROR", 1 / 16)
    run = Encrypted(sites, bits)
    values = at_the_ends(sites, BY_RING[bits].largest, numbers)
    np.testing.assert_array_equal(run.total(FIRST, numbers, run.sent(FIRST, values)), values.sum(axis=0))


@pytest.mark.parametrize("bits", RINGS)
def test_what_cannot_be_exact_is_refused(bits: int) -> None:
    """A number beyond the end at its site; a total beyond it by the holder of the key, who tells nothing then."""
    run, largest = Encrypted(bits=bits), BY_RING[bits].largest
    with pytest.raises(FederationError, match="add up exactly"):
        run.sites[0].masked(FIRST, SUBJECT, np.array([largest + 1]))
    with pytest.raises(FederationError, match="no total of whole numbers"):
        run.total(SECOND, 1, run.sent(SECOND, np.full((3, 1), largest // 2)))


def test_a_total_that_is_no_whole_number_is_not_told() -> None:
    """What is decrypted holds more than the total; of what is off by a quarter nothing leaves."""
    run = Encrypted()
    half = tenseal.ckks_vector(run.aggregator._context, [0.5]).serialize()
    with pytest.raises(FederationError, match="nothing is opened") as refused:
        run.holder.opened(EncryptedTotal(FIRST, (0, 1, 2), 1, (half,)))
    assert "0.5" not in str(refused.value)


def test_the_holder_of_the_key_sees_totals_and_the_others_have_no_key() -> None:
    run, numbers = Encrypted(), 2 * SLOTS
    values = np.arange(3 * numbers).reshape(3, numbers)
    messages = run.sent(FIRST, values)
    run.total(FIRST, numbers, messages)
    (shown,) = run.holder.shown
    assert len(shown.ciphertexts) == 2
    assert not any(one in message for one in shown.ciphertexts for message in messages.values())
    told = ckks.opened(run.holder._context, BY_RING[32], shown.ciphertexts, numbers)
    np.testing.assert_array_equal(told, values.sum(axis=0))
    for other in (run.aggregator, *run.sites):
        assert not other._context.is_private()
        with pytest.raises(ValueError, match="secret"):
            ckks.opened(other._context, BY_RING[32], shown.ciphertexts, numbers)


def test_nobody_takes_a_key_that_opens() -> None:
    run = Encrypted()
    whole = run.holder._context.serialize(save_secret_key=True)
    fresh = EncryptingSite(run.terms, run.keys[0])
    for take in (fresh.encrypt_by, lambda key: Aggregator(run.terms, key)):
        with pytest.raises(FederationError, match="a key that opens"):
            take(whole)
        with pytest.raises(FederationError, match="cannot be read"):
            take(b"no key")


@pytest.mark.parametrize("other", ["scheme", "moduli", "scale", "ring", "none"])
def test_a_site_takes_no_key_of_other_parameters(other: str) -> None:
    """By which its numbers would be paid for and not be exact, or be hidden less well than is told."""
    run = Encrypted()
    made = {
        "scheme": lambda: tenseal.context(tenseal.SCHEME_TYPE.BFV, 4096, plain_modulus=1032193),
        "moduli": lambda: ckks.new_context(ckks.Parameters((54, 55), 21, 32)),
        "scale": lambda: ckks.new_context(ckks.Parameters((55, 54), 40, 32)),
        "ring": lambda: ckks.new_context(BY_RING[64]),
        "none": lambda: run.holder._context,
    }[other]()
    key = made.serialize(save_public_key=other != "none", save_galois_keys=False, save_relin_keys=False)
    fresh = EncryptingSite(run.terms, run.keys[0])
    for take in (fresh.encrypt_by, lambda key: Aggregator(run.terms, key)):
        with pytest.raises(FederationError, match="of another scheme, or of other parameters"):
            take(key)


def test_a_number_is_answered_once_and_opened_once() -> None:
    run, values = Encrypted(5, lost=1), np.ones((5, 1), int)
    messages = run.sent(FIRST, values)
    run.total(FIRST, 1, messages)
    with pytest.raises(FederationError, match="was answered"):
        run.sites[0].masked(FIRST, SUBJECT, values[0])
    without = {place: message for place, message in messages.items() if place}
    with pytest.raises(FederationError, match="was opened"):
        run.total(FIRST, 1, without)  # beside the first it would tell what one site sent
    with pytest.raises(FederationError, match="taken once"):
        run.sites[0].encrypt_by(run.holder.public)


def test_sites_that_are_lost_are_left_out_as_the_plan_allows() -> None:
    run, values = Encrypted(5, lost=1), np.arange(5).reshape(5, 1)
    messages = run.sent(FIRST, values)
    del messages[4]
    assert run.total(FIRST, 1, messages) == [6]
    messages = run.sent(SECOND, values)
    few = {place: messages[place] for place in range(3)}
    with pytest.raises(FederationError, match="nothing is opened"):
        run.total(SECOND, 1, few)
    total = run.aggregator.total(SECOND, SUBJECT, 1, messages)
    with pytest.raises(FederationError, match="nothing is opened"):
        run.holder.opened(replace(total, survivors=(0, 1, 2)))


WRONG = ["place", "number", "subject", "cut", "long", "more", "fewer", "noise", "scale", "none", "twice", "apart"]


@pytest.mark.parametrize("wrong", WRONG)
def test_a_message_that_is_not_what_it_should_be_counts_as_none(wrong: str) -> None:
    run, values = Encrypted(5, lost=1), np.ones((5, 3), int)
    messages = run.sent(FIRST, values)
    site, good = run.sites[0], messages[0]
    asked = EncryptedAnswer(run.terms, run.holder.public, FIRST, SUBJECT)
    (vector,) = asked.read(0, good)
    sizes, whole, scale = vector[:3], vector[3:-9], vector[-9:]  # fields of protobuf
    messages[0] = {
        "place": messages[1],
        "number": good if wrong != "number" else site.masked(SECOND, SUBJECT, values[0]),
        "subject": good if wrong != "subject" else site.masked(SECOND, bytes(32), values[0]),
        "cut": good[:-1],
        "long": good + b"x",
        "more": good + good[32:],
        "fewer": asked.write(0, encrypted(site._context, BY_RING[32], values[0, :2])),
        "scale": asked.write(0, [tenseal.ckks_vector(site._context, [1.0] * 3, scale=2.0**20).serialize()]),
        "noise": good[:36] + bytes(len(good) - 36),
        "none": asked.write(0, [sizes + scale]),
        "twice": asked.write(0, [sizes + whole + whole + scale]),
        "apart": asked.write(0, [b"\n\x02\x01\x02" + whole + whole + scale]),
    }[wrong]
    np.testing.assert_array_equal(run.total(FIRST, 3, messages), [4, 4, 4])
    assert run.aggregator.refused.keys() == {0}
