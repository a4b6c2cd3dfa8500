"""Masks cancel in pairs, are bound to what they are for, and look like chance; signatures are good for one purpose."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chisquare

from sfumato.errors import FederationError
from sfumato.privacy.randomness import SYSTEM, SeededEntropy
from sfumato.trust.secure_sum.identity import SignaturePurpose, SiteIdentity, check_signature
from sfumato.trust.secure_sum.keyed_entropy import KeyedEntropy
from sfumato.trust.secure_sum.masks import WORDS, add_mask, centred, commitment, derived, in_ring, mask, root_key
from sfumato.trust.secure_sum.run_keys import RunKey
from sfumato.trust.secure_sum.terms import RoundNumber

SUBJECT = b"s" * 32


@pytest.mark.parametrize("bits", WORDS)
def test_a_mask_is_taken_off_as_it_was_added(bits: int) -> None:
    values = np.arange(-50, 100_000)
    total, scratch = in_ring(values, bits), np.empty(values.size, WORDS[bits])
    add_mask(total, b"k" * 32, scratch)
    masked = total.copy()
    assert (masked != in_ring(values, bits)).mean() > 0.99
    assert chisquare(np.bincount(masked.view(np.uint8)[:400_000], minlength=256)).pvalue > 1e-6
    add_mask(total, b"k" * 32, scratch, minus=True)
    assert (centred(total) == values).all()


def test_values_wrap_into_the_ring_and_back() -> None:
    for bits in WORDS:
        edge = 2 ** (bits - 1)
        values = np.array([-edge, -1, 0, 1, edge - 1])
        assert (centred(in_ring(values, bits)) == values).all()
    assert (centred(in_ring(np.array([2**31, -(2**31) - 1]), 32)) == [-(2**31), 2**31 - 1]).all()
    assert in_ring(np.array([3], np.uint8), 32).dtype == "<u4"


def test_the_stream_is_that_of_rfc_8439() -> None:
    """Against ChaCha20 asked for at once, its counter at zero; so other implementations can take part."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

    out = np.empty(100_000, "<u4")
    mask(b"k" * 32, out)
    nonce = (1 << 32).to_bytes(16, "little")
    direct = Cipher(algorithms.ChaCha20(b"k" * 32, nonce), mode=None).encryptor().update(bytes(400_000))
    assert out.tobytes() == direct


def test_everything_derived_is_bound_to_all_that_it_is_for() -> None:
    one, two, run = RunKey(SYSTEM), RunKey(SYSTEM), b"r" * 32
    here, there = one.pair(0, 1, two.public, run), two.pair(1, 0, one.public, run)
    number = RoundNumber(3, 2)
    assert here.seed(number, SUBJECT) == there.seed(number, SUBJECT)
    assert here.subtracts != there.subtracts
    seeds = {
        here.seed(number, SUBJECT),
        here.seed(RoundNumber(3, 1), SUBJECT),
        here.seed(RoundNumber(2, 3), SUBJECT),
        here.seed(number, b"t" * 32),
        one.pair(0, 1, two.public, b"q" * 32).seed(number, SUBJECT),
        one.pair(0, 2, two.public, run).seed(number, SUBJECT),
    }
    assert len(seeds) == 6
    sealed = here.seal(b"shares", run)
    assert there.unseal(sealed, run) == b"shares"
    for wrong in (lambda: here.unseal(sealed, run), lambda: there.unseal(sealed, b"q" * 32)):
        with pytest.raises(FederationError, match="cannot be opened"):
            wrong()
    assert len({derived(b"k" * 32, b"a"), derived(b"k" * 32, b"b"), commitment(b"k" * 32)}) == 3
    assert root_key(b"k" * 32, b"a", b"l") != root_key(b"k" * 32, b"b", b"l")


def test_keyed_entropy_repeats_itself_and_nothing_else() -> None:
    one, again, other = KeyedEntropy(b"k" * 32), KeyedEntropy(b"k" * 32), KeyedEntropy(b"l" * 32)
    first = [one.take(64), one.take(64)]
    assert first == [again.take(64), again.take(64)]
    assert len({*first, other.take(64)}) == 3
    assert chisquare(np.bincount(np.frombuffer(one.take(400_000), np.uint8), minlength=256)).pvalue > 1e-6


@pytest.mark.parametrize("purpose", SignaturePurpose)
def test_a_signature_is_good_for_one_purpose_and_key(purpose: SignaturePurpose) -> None:
    key = SiteIdentity.fresh(SeededEntropy(1))
    signature = key.sign(purpose, b"payload")
    check_signature(key.public_key, purpose, b"payload", signature, "site a")
    others = [p for p in SignaturePurpose if p is not purpose]
    wrong = [(key.public_key, p, b"payload") for p in others]
    wrong += [(SiteIdentity.fresh().public_key, purpose, b"payload"), (key.public_key, purpose, b"payload!")]
    wrong += [(b"\xff" * 32, purpose, b"payload"), (b"", purpose, b"payload")]
    for public, said, payload in wrong:
        with pytest.raises(FederationError, match="the signature of site a does not fit"):
            check_signature(public, said, payload, signature, "site a")


def test_no_purpose_begins_another() -> None:
    """So that no payload can carry a signature from one purpose to the next."""
    values = [p.value for p in SignaturePurpose]
    assert not [(a, b) for a in values for b in values if a != b and b.startswith(a)]
    assert all(value.endswith(b"\0") and value.count(b"\0") == 1 for value in values)
