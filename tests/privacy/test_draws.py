"""Random words of steps: RFC 8439, a stream for each purpose, a key for each step; and records dealt out by chance."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chisquare

from sfumato.privacy import draws
from sfumato.privacy.draws import bytes_of, fresh
from sfumato.privacy.groups import MOST_DRAWN, deal, rooms
from sfumato.privacy.randomness import SYSTEM, SeededEntropy, expand

VECTORS = {
    0: "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
    "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586",
    2 << 88: "c2c64d378cd536374ae204b9ef933fcd1a8b2288b3dfa49672ab765b54ee27c7"
    "8a970e0e955c14f3a88e741b97c286f75f8fc299e8148362fa198a39531bed6d",
}
"""RFC 8439, A.1, test vectors 1 and 5: a key of zeros, block 0, by nonce."""


@pytest.mark.parametrize("purpose", VECTORS)
def test_streams_are_those_of_the_standard(purpose: int) -> None:
    out = np.empty(16, np.uint32)
    expand(bytes(32), purpose, out)
    assert out.tobytes().hex() == VECTORS[purpose]


def test_long_streams_have_no_seam() -> None:
    whole, short = np.empty(200_000, np.uint32), np.empty(70_000, np.uint32)
    expand(bytes(32), 1, whole)
    expand(bytes(32), 1, short)
    assert (whole[:70_000] == short).all()
    assert len(np.unique(whole)) > 199_990


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes of key"):
        expand(bytes(16), 1, np.empty(4, np.uint32))


def streams(of: draws.Draws) -> list[bytes]:
    """First words of each stream that a step takes as it is, for each step."""
    taken = (of.inclusion, of.noise.one, of.noise.two, of.batches, of.update)
    return [np.asarray(x[step]).ravel()[:2].tobytes() for x in taken for step in range(len(x))]


def test_no_two_purposes_and_no_two_steps_share_a_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted bugs: one nonce for all purposes, one key for all steps."""

    def distinct() -> bool:
        found = streams(fresh(5, (2, 300), 40, SYSTEM))
        return len(set(found)) == len(found)

    assert distinct()
    right = draws.expand
    with monkeypatch.context() as patch:
        patch.setattr(draws, "expand", lambda key, purpose, out: right(key, 0, out))
        assert not distinct()
    monkeypatch.setattr(draws, "expand", lambda key, purpose, out: right(bytes(32), purpose, out))
    assert not distinct()


def test_rare_draws_have_streams_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """One for each of the two parts, whose nonce nothing else has; planted: both parts take the first one's."""
    keys_and_purposes, right, seen = [], draws.expand, []
    monkeypatch.setattr(
        draws, "expand", lambda key, purpose, out: (keys_and_purposes.append((key, purpose)), right(key, purpose, out))
    )
    monkeypatch.setattr(draws, "rare_draws", lambda words, numbers, where, column: seen.append(words.tobytes()))
    fresh(5, (2, 300), 40, SYSTEM)
    assert len(set(keys_and_purposes)) == len(keys_and_purposes) == 5 * 6
    assert len(set(seen)) == len(seen) == 10


def test_each_step_takes_256_bits_and_a_seed_repeats_them() -> None:
    taken = []

    class Counted(SeededEntropy):
        def take(self, size: int) -> bytes:
            taken.append(size)
            return super().take(size)

    first = fresh(3, (1, 10), 5, Counted(1))
    assert taken == [32, 32, 32]
    assert streams(first) == streams(fresh(3, (1, 10), 5, SeededEntropy(1)))
    assert streams(first) != streams(fresh(3, (1, 10), 5, SeededEntropy(2)))


def test_without_a_guarantee_no_noise_is_drawn() -> None:
    found = fresh(2, (1, 10), 0, SYSTEM)
    assert found.noise.one.size == found.noise.two.size == found.noise.where.size == 0
    assert bytes_of((1, 10), 0) == 40


def test_records_are_dealt_once_and_fit_their_group() -> None:
    codes = np.arange(30_000, dtype=np.uint16)[:, None]
    into = rooms(0.1, 30_000)
    groups = deal(codes, into, SYSTEM)
    held = [np.asarray(c[:n, 0]) for c, n in zip(groups.codes, groups.records, strict=True)]
    assert sorted(np.concatenate(held).tolist()) == list(range(30_000))
    assert groups.codes.shape == (into.groups, into.length, 1)
    assert len(held) == into.groups == 5
    assert chisquare([len(h) for h in held]).pvalue > 1e-6
    again = deal(codes, into, SYSTEM)
    assert set(held[0].tolist()) != set(np.asarray(again.codes[0][: again.records[0], 0]).tolist())


@pytest.mark.parametrize("rate", [2.0**-32, 0.01, 0.3, 1.0])
@pytest.mark.parametrize("total", [0.3, 900.0, 2e4, 1e6])
def test_rooms_hold_what_is_drawn_and_more_records_than_the_estimate_knows_of(rate: float, total: float) -> None:
    into = rooms(rate, total)
    there = 1.1 * max(total, 1) + 500
    assert into.capacity <= MOST_DRAWN
    assert into.capacity % 128 == 0
    assert into.groups * into.length >= there
    mean = rate * there / into.groups
    assert into.capacity >= min(into.length, mean + 11 * np.sqrt(mean))
    assert into.groups == 1 or rate * there / (into.groups - 1) > 0.6 * MOST_DRAWN


def test_shapes_do_not_tell_how_many_records_there_are() -> None:
    """Shapes decide what is compiled, and so how floats are rounded: they are those of the public estimate."""
    into = rooms(0.05, 2000)
    shapes = {deal(np.zeros((n, 3), np.uint8), into, SYSTEM).codes.shape for n in (0, 1, 1999, 2001, 2700)}
    assert shapes == {(1, 2700, 3)}
    full = deal(np.arange(5000, dtype=np.uint16)[:, None], into, SYSTEM)
    assert int(np.asarray(full.records).sum()) == 2700
    assert rooms(0.05, 2000, 5000).length == 5000


def test_a_record_more_concerns_one_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same choices for the others; the planted bug deals them out in turn, so that all behind it move."""
    into = rooms(0.2, 8000)
    codes = np.arange(8000, dtype=np.uint16)[:, None]
    more = np.concatenate([codes[:17], [[9999]], codes[17:]]).astype(np.uint16)
    chosen = np.random.default_rng(0).integers(0, 2**63, 8001, dtype=np.uint64)

    def changed(words_of) -> int:
        monkeypatch.setattr("sfumato.privacy.groups.words", words_of)
        sides = [deal(rows, into, SYSTEM) for rows in (more, codes)]
        sets = [
            [frozenset(np.asarray(c[:n, 0]).tolist()) for c, n in zip(g.codes, g.records, strict=True)] for g in sides
        ]
        return sum(a != b for a, b in zip(*sets, strict=True))

    assert changed(lambda n, _: chosen if n == 8001 else np.delete(chosen, 17)) == 1
    assert changed(lambda n, _: np.arange(n, dtype=np.uint64)) > 1
