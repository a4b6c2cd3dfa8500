"""Shares of our own: three components that sum to a number, of which each party holds two and sends one at most."""

from __future__ import annotations

import numpy as np

from sfumato.trust.mpc.engine.replicated import Components, after

NUMBERS = np.array([0, 1, 2**64 - 1, 2**63], dtype=np.uint64)


def parties(*seeds: bytes) -> list[Components]:
    """Those of three parties; the r-th seed is shared by party r and the next."""
    return [Components(seeds[rank], seeds[after(rank, 2)]) for rank in range(3)]


def opened(held: list[np.ndarray]) -> np.ndarray:
    for rank in range(3):
        assert np.array_equal(held[rank][:, 1], held[after(rank)][:, 0])
    return held[0][:, 0] + held[1][:, 0] + held[2][:, 0]


def test_what_a_party_gives_is_held_by_all_in_two_of_three_components():
    for owner in range(3):
        made, held = parties(b"a", b"b", b"c"), [np.empty(0)] * 3
        held[owner], sent = made[owner].given("x", NUMBERS)
        held[after(owner)] = made[after(owner)].of_the_one_before("x", len(NUMBERS))
        held[after(owner, 2)] = made[after(owner, 2)].of_the_next(sent)
        assert opened(held).tolist() == NUMBERS.tolist()


def test_parts_sum_to_what_they_are_parts_of_under_fresh_masks():
    made, values = parties(b"a", b"b", b"c"), [NUMBERS, NUMBERS * np.uint64(3), NUMBERS[::-1].copy()]
    own = [one.part("x", value) for one, value in zip(made, values, strict=True)]
    assert sum(own[1:], own[0]).tolist() == sum(values[1:], values[0]).tolist()
    assert all((a != b).all() for a, b in zip(own, values, strict=True))


def test_what_the_receiver_sees_is_the_same_for_another_secret_with_another_seed():
    """The coupling: the seed that the receiver lacks moves what it is sent by any difference of secrets.

    Its own draws, which do not hang on that seed, say nothing of it: they are byte for byte the same.
    """
    drawn = {
        seed: Components(seed, b"known").given("x", np.zeros(4, np.uint64))[1] for seed in (b"seed", b"another seed")
    }
    moved = NUMBERS + drawn[b"seed"] - drawn[b"another seed"]
    _, sent = Components(b"seed", b"known").given("x", NUMBERS)
    assert np.array_equal(sent, NUMBERS + drawn[b"seed"])
    assert np.array_equal(Components(b"another seed", b"known").given("x", moved)[1], sent)


def test_a_name_has_a_draw_of_its_own():
    made = Components(b"a", b"b")
    assert (made.given("1 x", NUMBERS)[1] != made.given("2 x", NUMBERS)[1]).all()
