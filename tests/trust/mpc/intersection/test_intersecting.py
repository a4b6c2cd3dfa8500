"""Who is common is found exactly, and nobody is told more: not by points, not by stores, not by lengths."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
from tests.trust.intersection import Trio

from sfumato.errors import FederationError
from sfumato.privacy.randomness import SYSTEM
from sfumato.trust.mpc.intersection import steps
from sfumato.trust.mpc.intersection.intersecting import _proven
from sfumato.trust.mpc.intersection.points import POINT_BYTES, fresh_secret, hashed, multiplied, quotient
from sfumato.trust.mpc.intersection.store import read

MOST = 12
SETS = [["a", "b", "c", "d", "x"], ["c", "b", "y", "a", "e"], ["z", "b", "c", "x", "y"]]
"""b and c are common; each two share another one or more."""


def keys_at(trio: Trio, keys: Sequence[Sequence[str]] = SETS) -> list[list[str | None]]:
    """By party, whom it has at each position of the common list."""
    return [[None if i < 0 else own[i] for i in party.places] for party, own in zip(trio.parties, keys, strict=True)]


def test_all_find_who_is_common_and_in_one_order() -> None:
    trio = Trio.of(SETS, MOST)
    common = trio.found()
    one, other, third = keys_at(trio)
    assert one == other == third
    assert sorted(filter(None, one)) == ["b", "c"]
    assert len(one) == MOST
    assert {party.hash for party in trio.parties} == {common}


@pytest.mark.parametrize("blocks", [2, 5], ids=["short", "shorter"])
def test_blocks_add_up(monkeypatch: pytest.MonkeyPatch, blocks: int) -> None:
    monkeypatch.setattr(steps, "BLOCK_KEYS", blocks)
    trio = Trio.of(SETS, MOST)
    trio.found()
    assert sorted(filter(None, keys_at(trio)[0])) == ["b", "c"]


def test_positions_are_drawn_anew_for_a_run() -> None:
    """Of 12 positions two: five runs take the same two by chance 5e-8."""
    taken = []
    for _ in range(5):
        trio = Trio.of(SETS, MOST)
        trio.found()
        taken.append({position for position, key in enumerate(keys_at(trio)[0]) if key})
    assert len(set().union(*taken)) > 2


OTHERS = [
    [[], [], []],
    [["a"], ["a"], ["a"]],
    [["a"], ["b"], ["c"]],
    [[str(i) for i in range(MOST)]] * 3,
    [["a", "b"], ["b", "a"], []],
]


def test_what_the_coordinator_carries_is_alike_for_any_persons() -> None:
    """The same calls, answers of the same lengths, none of which says anything of how many are common."""
    seen = []
    for keys in (SETS, *OTHERS):
        trio = Trio.of(keys, MOST)
        trio.found()
        seen.append([(method, place, len(answer)) for method, place, answer in trio.sent])
        assert len({answer for _, _, answer in trio.sent if answer}) == len([a for _, _, a in trio.sent if a]) - 2
    assert all(one == seen[0] for one in seen)


def test_the_hash_that_the_coordinator_sees_is_another_in_every_run() -> None:
    """Of nobody common too: it would know that one."""
    assert len({Trio.of([["a"], ["b"], ["c"]], MOST).found() for _ in range(3)}) == 3


def plain(trio: Trio, place: int, which: int) -> bytes:
    """Points of the party ``which`` as the one at ``place`` is sent them."""
    party = trio.parties[place]
    hop = {1: 0, 2: 1}[(place - which) % 3]
    passed = [answer for method, at, answer in trio.sent if method == "pass" and at == (place + 2) % 3]
    return party._opened(passed[hop], (place + 2) % 3, hop, 0, steps.sealed_points(MOST, 0))


@pytest.mark.parametrize("place", range(3))
def test_a_party_is_sent_no_point_that_it_could_compare(place: int) -> None:
    """All three have the same persons; by none of its own secrets can a party tell, before all agreed to."""
    trio = Trio.of([["a", "b", "c"]] * 3, MOST)
    trio.found()
    own = trio.parties[place]
    powers = [1, own._secret, quotient(1, own._secret), own._cover, quotient(1, own._cover)]
    forms = []
    for points in (b"".join(own._values), *(plain(trio, place, other) for other in range(3) if other != place)):
        alike = [multiplied(points, power) for power in powers]
        forms.append({p[i : i + POINT_BYTES] for p in alike for i in range(0, len(p), POINT_BYTES)})
    assert sum(map(len, forms)) == len(set().union(*forms))


def test_the_reader_finds_nothing_of_whom_it_shares_with_one_party_alone() -> None:
    """Where a key is in one store, what it has there is in no other place; and it hangs on no key by itself."""
    trio = Trio.of(SETS, MOST)
    values: list[dict[bytes, bytes]] = []
    for party in trio.parties[1:]:
        party.store = lambda p=party, s=party.store: (values.append(dict(zip(p._values, p._keys, strict=True))), s())[1]
    trio.found()
    reader = trio.parties[0]
    known = dict(zip(SETS[0], reader._values, strict=False))
    assert {key for key, value in known.items() if value in values[0]} == {"a", "b", "c"}  # who is in the first store
    opened = [
        reader._opened(answer, place, 3, 0, len(answer)) for method, place, answer in trio.sent if method == "store"
    ]
    at = [read(store, list(known.values()), MOST) for store in opened]
    together = [_proven((one ^ other).tobytes()) for one, other in zip(*at, strict=True)]
    assert [key for key, proof in zip(known, together, strict=True) if proof] == ["b", "c"]
    drawn = np.concatenate([*at, at[0] ^ at[1]]).view(np.uint64)
    assert len(np.unique(drawn)) == drawn.size  # no half of a value is another's, of one store or of both


def test_a_reader_that_deviates_cannot_ask_who_is_at_one_other_party(monkeypatch: pytest.MonkeyPatch) -> None:
    """It names all whom it knows: what the others answer to that is known to it and the coordinator together."""
    trio = Trio.of(SETS, MOST)
    monkeypatch.setattr("sfumato.trust.mpc.intersection.intersecting._proven", lambda read: read[:8])
    with pytest.raises(FederationError, match="do not agree on who is common"):
        trio.found()
    one, other, third = keys_at(trio)
    assert set(one) >= set(SETS[0])
    assert other == third
    assert sorted(filter(None, other)) == ["b", "c"]


def test_the_list_of_the_reader_stands_in_no_order_of_its_table() -> None:
    trio = Trio.of([sorted("abcdefghij")] * 3, MOST)
    trio.found()
    (told,) = (answer for method, _, answer in trio.sent if method == "read")
    half = told[: steps.sealed_list(MOST)]
    text = trio.parties[1]._opened(half, 0, 4, 0, len(half))[steps.NONCE_BYTES :]
    names = [text[i : i + steps.NAME_BYTES] for i in range(0, len(text), steps.NAME_BYTES)]
    assert names == sorted(names)
    assert len(set(names)) == MOST


def test_who_spoils_the_last_points_of_another_does_not_see_how_many_keys_that_has() -> None:
    """Half of the points are of nobody: were these the last, all would still be found; by chance 1 of 924 times."""
    half, lost = MOST // 2, 0
    junk = hashed([str(i) for i in range(MOST - half)], fresh_secret(SYSTEM))
    for _ in range(3):
        trio = Trio.of([[str(i) for i in range(half)]] * 3, MOST)
        spoiling = trio.parties[1]
        spoiling._opened = lambda sealed, sender, *of, opened=spoiling._opened: (
            opened(sealed, sender, *of)[: half * POINT_BYTES] + junk
            if (sender, of[0]) == (0, 0)
            else opened(sealed, sender, *of)
        )
        trio.found()
        lost += half - len([key for key in keys_at(trio, [[str(i) for i in range(half)]] * 3)[2] if key])
    assert lost > 0


CALLS = ["pass", "store", "read", "common"]


@pytest.mark.parametrize(("method", "how"), [*product(CALLS[:3], ["changed", "longer", "shorter", "empty"])])
def test_what_was_changed_on_its_way_ends_the_run(method: str, how: str) -> None:
    """By a party or by the coordinator, which holds a party's answer against its length."""
    changes = {
        "changed": lambda data: data[:-1] + bytes([data[-1] ^ 1]),
        "longer": lambda data: data + b"\0",
        "shorter": lambda data: data[:-1],
        "empty": lambda data: b"",
    }
    trio = Trio.of(SETS, MOST)
    trio.change = lambda m, place, data: changes[how](data) if (m, place) == (method, 0 if m == "read" else 1) else data
    with pytest.raises(FederationError, match="cannot be opened" if how == "changed" else "another length"):
        trio.found()


@pytest.mark.parametrize("size", [0, 1, 1 << 20])
def test_a_party_opens_nothing_of_another_length_than_the_plan_says(size: int) -> None:
    trio = Trio.of(SETS, MOST)
    trio.parties[0].passed(b"")
    with pytest.raises(FederationError, match="another length than the plan says"):
        trio.parties[0].passed(bytes(size))


def test_parties_that_do_not_agree_are_not_counted() -> None:
    trio = Trio.of(SETS, MOST)
    trio.change = lambda method, place, data: bytes(32) if (method, place) == ("common", 2) else data
    with pytest.raises(FederationError, match="do not agree on who is common"):
        trio.found()


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("method", CALLS)
def test_each_call_is_answered_once_and_in_its_turn(method: str, place: int) -> None:
    trio = Trio.of(SETS, MOST)
    if method != "pass":
        with pytest.raises(FederationError, match="step by step"):
            trio.answer(place, method, b"")
    trio.found()
    with pytest.raises(FederationError, match="step by step"):
        trio.answer(place, method, b"")
