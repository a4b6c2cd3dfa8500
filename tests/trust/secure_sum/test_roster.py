"""Who takes part: the numbers of a plan that the secure sum can keep, and no others."""

from __future__ import annotations

import pytest
from tests.trust.secure_sum.simulated import identities, roster_of

from sfumato.errors import FederationError
from sfumato.trust.secure_sum.identity import SiteIdentity, fingerprint
from sfumato.trust.secure_sum.roster import Member, Roster
from sfumato.trust.secure_sum.terms import SumTerms, ring_bits


def roster(sites: int, curious: int = 1, lost: int = 0) -> Roster:
    return Roster(tuple(Member(f"h{i}", i.to_bytes(32, "big")) for i in range(sites)), curious, lost)


@pytest.mark.parametrize("sites", range(3, 101, 7))
def test_no_two_lists_of_survivors_find_enough_consents(sites: int) -> None:
    """2 T > k + c for every number of curious sites, and T consents can be had of the honest ones and one curious."""
    for curious in range(sites):
        found = roster(sites, curious)
        assert 2 * found.threshold > sites + curious
        assert 2 * (found.threshold - 1) <= sites + curious, "a smaller one would do"
        assert found.threshold <= sites
        most = roster(sites, curious, sites - found.threshold)
        assert most.honest_shares >= 1
        assert most.fewest == most.threshold


@pytest.mark.parametrize(
    ("sites", "curious", "lost", "said"),
    [
        (2, 0, 0, "3 to 100 sites, not 2"),
        (101, 0, 0, "3 to 100 sites, not 101"),
        (3, 3, 0, "write a whole number from 0 to 2"),
        (3, -1, 0, "write a whole number from 0 to 2"),
        (3, 1, 1, "with 1 curious ones at most 0 may be lost"),
        (5, 1, 2, "at most 1 may be lost; write a whole number from 0 to 1, or take more sites"),
        (10, 1, -1, "at most 4 may be lost"),
        (10, True, 0, "curious: True"),
        (10, 1, 1.0, "lost: 1.0"),
    ],
)
def test_numbers_that_cannot_be_kept(sites: int, curious: int, lost: int, said: str) -> None:
    with pytest.raises(FederationError, match=said):
        roster(sites, curious, lost)


def test_sites_that_cannot_be_told_apart() -> None:
    good = roster(3).members
    for twin in (Member("h1", b"x" * 32), Member("x", good[1].public_key)):
        with pytest.raises(FederationError, match="share a name or a key"):
            Roster((good[0], good[1], twin))


@pytest.mark.parametrize("name", ["", "a b", "a\n", "é", "-a", "a" * 65, "a/b"])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(FederationError, match="a name has up to 64"):
        Member(name, bytes(32))
    with pytest.raises(FederationError, match="a public key has 32 bytes, not 3"):
        Member("a", b"abc")


def test_every_fact_is_in_the_digest() -> None:
    keys = identities(5)
    base = roster_of(keys, 1, 0)
    others = [roster_of(keys, 0, 0), roster_of(keys, 1, 1), roster_of(keys[:4], 1, 0), roster_of(keys[::-1], 1, 0)]
    renamed = Roster((Member("other", keys[0].public_key), *base.members[1:]), 1, 0)
    digests = [r.digest() for r in (base, *others, renamed)]
    assert len(set(digests)) == 6
    assert base.digest() == roster_of(keys, 1, 0).digest()
    terms = SumTerms(bytes(32), base, 2, 3, 10, 32)
    changed = [
        SumTerms(b"x" * 32, base, 2, 3, 10, 32),
        SumTerms(bytes(32), renamed, 2, 3, 10, 32),
        SumTerms(bytes(32), base, 3, 2, 10, 32),
        SumTerms(bytes(32), base, 2, 3, 11, 32),
        SumTerms(bytes(32), base, 2, 3, 10, 64),
    ]
    assert len({t.digest for t in (terms, *changed)}) == 6


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"plan": b""}, "the hash of a plan has 32 bytes"),
        ({"bits": 16}, "write 32 or 64"),
        ({"rounds": 0}, "rounds: 0; write a whole number from 1"),
        ({"attempts": 1.0}, "attempts: 1.0"),
        ({"rounds": 4096, "attempts": 2}, "at most 4096 in all"),
        ({"longest": 0}, "a vector has 1 to"),
    ],
)
def test_terms_that_are_none(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(FederationError, match=said):
        SumTerms(**{"plan": bytes(32), "roster": roster(3), "rounds": 1, **wrong})  # pyright: ignore[reportArgumentType]


def test_the_words_name_every_institution() -> None:
    keys = identities(5)
    words = "\n".join(roster_of(keys, 1, 1).words())
    assert "Your rows are hidden only if at least 4 of these 5 institutions are honest" in words
    assert "3 honest sites" in words
    assert all(key.fingerprint in words for key in keys)


def test_a_plan_with_invented_sites_is_refused() -> None:
    """Seven of ten are the coordinator's own; a site that has confirmed two others is told of the rest."""
    keys = identities(10)
    plan = roster_of(keys, 1, 0)
    known = {f"site-{i}": key.fingerprint for i, key in enumerate(keys[:3])}
    with pytest.raises(FederationError, match="not confirmed: site-3") as caught:
        plan.confirm_fingerprints(known)
    assert all((key.fingerprint in str(caught.value)) == (key.fingerprint not in known.values()) for key in keys)
    everybody = {f"site-{i}": key.fingerprint for i, key in enumerate(keys)}
    plan.confirm_fingerprints(everybody)
    swapped = {**everybody, "site-1": everybody["site-2"], "site-2": everybody["site-1"]}
    with pytest.raises(FederationError, match="not confirmed: site-1"):  # each under its own name
        plan.confirm_fingerprints(swapped)
    with pytest.raises(FederationError, match=r"only if 9 of its sites are honest, and you rely on 3: .* 7 curious"):
        plan.check_floor(3)
    roster_of(keys, 7, 0).check_floor(3)


def test_fingerprints_are_whole_and_keys_come_back() -> None:
    key = SiteIdentity.fresh()
    again = SiteIdentity(key.private_bytes())
    assert again.public_key == key.public_key
    assert len(key.fingerprint) == 64
    assert key.fingerprint == fingerprint(key.public_key)
    assert key.private_bytes().hex() not in repr(key)
    with pytest.raises(FederationError, match="a site's private key has 32 bytes, not 1"):
        SiteIdentity(b"x")


def test_rings_hold_what_is_declared() -> None:
    assert ring_bits(0, 100.0) == 32
    assert ring_bits(2.0**31 - 1201, 100.0) == 32
    assert ring_bits(2.0**31 - 1200, 100.0) == 64
    with pytest.raises(FederationError, match="fits no ring of 64 bits"):
        ring_bits(2.0**62, 2.0**60)
