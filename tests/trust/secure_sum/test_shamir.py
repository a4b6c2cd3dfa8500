"""Any threshold of shares gives the secret, and fewer tell nothing of it."""

from __future__ import annotations

import contextlib
import random
from itertools import combinations

import pytest
from scipy.stats import chisquare

from sfumato.errors import FederationError
from sfumato.privacy.randomness import SYSTEM
from sfumato.trust.secure_sum.shamir import PRIME, SHARE_BYTES, join, read_share, split, weights


def joined(shares: dict[int, bytes]) -> bytes:
    return join(shares, weights(sorted(shares)))


def test_the_field_holds_every_seed() -> None:
    """A prime (Miller-Rabin, forty bases) above 2^256."""
    odd, twos = PRIME - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in random.Random(1).sample(range(2, 10**6), 40):
        power = pow(base, odd, PRIME)
        chain = [pow(power, 2**i, PRIME) for i in range(twos)]
        assert power == 1 or PRIME - 1 in chain
    assert PRIME > 2**256


@pytest.mark.parametrize("secret", [bytes(32), b"\xff" * 32, SYSTEM.take(32)], ids=["zeros", "ones", "random"])
@pytest.mark.parametrize(("threshold", "sites"), [(1, 1), (2, 3), (3, 5), (26, 50)])
def test_any_threshold_of_shares_gives_the_secret(secret: bytes, threshold: int, sites: int) -> None:
    shares = split(secret, threshold, sites)
    chosen = list(combinations(range(sites), threshold)) if sites < 10 else []
    chosen += [tuple(random.Random(i).sample(range(sites), threshold)) for i in range(5)]
    for places in chosen:
        assert joined({place: shares[place] for place in places}) == secret


def test_fewer_tell_nothing() -> None:
    """With two of three needed, one share of a fixed secret is uniform; wrong in one of a million runs."""
    first = [int.from_bytes(split(bytes(32), 2, 3)[0], "little") * 16 // PRIME for _ in range(8000)]
    assert chisquare([first.count(i) for i in range(16)]).pvalue > 1e-6
    shares = split(b"s" * 32, 3, 4)
    for places in combinations(range(4), 2):
        with contextlib.suppress(FederationError):  # outside what a seed can be
            assert joined({p: shares[p] for p in places}) != b"s" * 32


def test_a_polynomial_without_randomness_is_noticed() -> None:
    """Planted: entropy that gives zeros; then every share is the secret."""

    class Zeros:
        def take(self, size: int) -> bytes:
            return bytes(size)

    assert {share[:32] for share in split(b"s" * 32, 3, 4, Zeros())} == {b"s" * 32}
    assert len(set(split(b"s" * 32, 3, 4))) == 4


@pytest.mark.parametrize("share", [b"", bytes(32), bytes(34), b"\xff" * SHARE_BYTES, PRIME.to_bytes(33, "little")])
def test_what_is_no_share(share: bytes) -> None:
    with pytest.raises(FederationError, match="this one does not"):
        read_share(share)


def test_what_cannot_be_split_or_joined() -> None:
    with pytest.raises(ValueError, match="a secret has 32 bytes"):
        split(b"short", 2, 3)
    with pytest.raises(ValueError, match="threshold of at most 3"):
        split(bytes(32), 4, 3)
    with pytest.raises(ValueError, match="each position once"):
        weights([1, 1])
    top = {0: (PRIME - 1).to_bytes(33, "little")}
    with pytest.raises(FederationError, match="do not fit together"):
        joined(top)
