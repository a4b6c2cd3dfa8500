"""What three parties say of a run: alike where they mean the same, and nothing that cannot be shared."""

from __future__ import annotations

import numpy as np
import pytest

from sfumato.errors import EngineError
from sfumato.trust.mpc.engine.run_order import (
    Additive,
    Argument,
    Keep,
    KeptSecret,
    Opened,
    OpenTo,
    OwnSecret,
    Parts,
    PeerSecret,
    PublicInput,
    Result,
    RunOrder,
    argument_form,
    check_alike,
    decoded,
    gets,
    gives,
    result_form,
)

ROWS = np.ones((2, 3), np.float32)


def order(rank: int, arguments: list[Argument], results: list[Result], shape: tuple[int, ...] = (2, 3)) -> RunOrder:
    return RunOrder(
        "program",
        100,
        tuple(argument_form(one, shape, "float32", rank) for one in arguments),
        tuple(result_form(one, shape, "float32") for one in results),
    )


def test_the_three_say_alike_what_each_says_in_its_own_words():
    parts = Parts(np.ones((2, 3), np.int64))
    other = Parts(np.zeros((2, 3), np.int64))
    alike, results = [PublicInput(ROWS), KeptSecret("w")], [Keep("w"), OpenTo(1), Opened()]
    here = order(0, [OwnSecret(ROWS), PeerSecret(1), parts, *alike], results)
    there = order(1, [PeerSecret(0), OwnSecret(ROWS * 2), other, *alike], results)
    assert here == there
    assert here.digest == there.digest
    assert RunOrder.from_bytes(here.to_bytes()) == here


DIFFERENT = {
    "giver": ([PeerSecret(2)], [Opened()]),
    "public": ([PublicInput(ROWS)], [Opened()]),
    "kept": ([KeptSecret("w")], [Opened()]),
    "receiver": ([PeerSecret(1)], [OpenTo(0)]),
    "keep": ([PeerSecret(1)], [Keep("w")]),
    "additive": ([PeerSecret(1)], [Additive()]),
}


@pytest.mark.parametrize("what", DIFFERENT)
def test_what_differs_has_another_hash(what):
    assert order(0, *DIFFERENT[what]).digest != order(0, [PeerSecret(1)], [Opened()]).digest


def test_another_public_array_has_another_hash():
    assert order(0, [PublicInput(ROWS)], [Opened()]).digest != order(0, [PublicInput(ROWS * 2)], [Opened()]).digest


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        (OwnSecret(np.ones((2, 2), np.float32)), "is to be float32 of shape"),
        (OwnSecret(np.ones((2, 3))), "not float64 of"),
        (Parts(ROWS), "is to be int64 of shape"),
        (PeerSecret(3), "parties are 0 to 2, not 3"),
        (PeerSecret(0), "write OwnSecret"),
        (KeptSecret(""), "a name of 1 to 64 letters"),
    ],
    ids=["shape", "type", "parts", "party", "own", "name"],
)
def test_an_argument_that_cannot_be_shared_is_refused(argument, said):
    with pytest.raises(EngineError, match=said):
        order(0, [argument], [Opened()])


@pytest.mark.parametrize(("shape", "dtype"), [((0, 3), "float32"), ((1 << 15, 1 << 14), "float32"), ((2,), "float64")])
def test_a_result_that_cannot_be_shared_is_refused(shape, dtype):
    with pytest.raises(EngineError, match="arrays on shares are float32, int32, int64, none of them empty"):
        result_form(Opened(), shape, dtype)


def test_two_results_are_not_kept_by_one_name():
    check_alike([result_form(Keep("a"), (2,), "int32"), result_form(Opened(), (2,), "int32")])
    with pytest.raises(EngineError, match="kept by one name"):
        check_alike([result_form(Keep("a"), (2,), "int32")] * 2)


def test_who_gives_and_gets():
    forms = {one: result_form(one, (1,), "int32") for one in (Keep("w"), OpenTo(1), Opened(), Additive())}
    assert [[gets(form, rank) for rank in range(2)] for form in forms.values()] == [
        [False, False],
        [False, True],
        [True, True],
        [True, True],
    ]
    given = argument_form(PeerSecret(1), (2, 3), "float32", 0)
    assert [gives(given, rank) for rank in range(3)] == [False, True, False]
    assert not gives(argument_form(KeptSecret("w"), (2, 3), "float32", 0), 0)


def test_elements_become_numbers():
    elements = np.array([1 << 18, 2**64 - (1 << 17)], np.uint64)
    assert decoded(elements, "float32").tolist() == [1.0, -0.5]
    assert decoded(np.array([5, 2**64 - 1], np.uint64), "int32").tolist() == [5, -1]
