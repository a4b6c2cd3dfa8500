"""Messages have one spelling: what is read is what was written, and nothing else is read."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from tests.trust.secure_sum.simulated import SUBJECT, Simulated, identities, roster_of

from sfumato.errors import FederationError
from sfumato.trust.secure_sum.messages import (
    COORDINATOR,
    HEAD_BYTES,
    Head,
    MaskedVector,
    MessageKind,
    read,
    read_sites,
    read_table,
    whole,
    whole_table,
    write,
    write_sites,
    write_table,
)
from sfumato.trust.secure_sum.roster import MOST_SITES
from sfumato.trust.secure_sum.terms import RoundNumber, SumTerms

TERMS = SumTerms(bytes(32), roster_of(identities(4), 0, 1), 3, 2, 100)
HEAD = Head(MessageKind.CONSENT, 2, TERMS.digest, b"r" * 32, RoundNumber(3, 2))


def test_what_is_read_is_what_was_written() -> None:
    assert bytes(read(write(HEAD, b"x" * 64), HEAD, TERMS)) == b"x" * 64
    assert HEAD_BYTES == 84
    assert MOST_SITES < COORDINATOR
    entries = {3: b"cc", 0: b"aa"}
    assert whole_table(memoryview(write_table(entries)), 2, 4) == {0: b"aa", 3: b"cc"}
    assert read_sites(memoryview(write_sites((0, 2, 3))), 4) == (0, 2, 3)
    vector = MaskedVector(SUBJECT, b"c" * 32, np.arange(5, dtype="<u4"))
    again = MaskedVector.of(memoryview(vector.body()), TERMS)
    assert (again.subject, again.commitment) == (SUBJECT, b"c" * 32)
    assert (again.values == vector.values).all()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "cut off"),
        (b"\x05\x00", "longer than the plan has sites"),
        (b"\x02\x00\x00\x00aa\x00\x00bb", "twice, or out of order"),
        (b"\x02\x00\x01\x00aa\x00\x00bb", "twice, or out of order"),
        (b"\x01\x00\x04\x00aa", "sites that the plan has not"),
        (b"\x01\x00\x00\x00a", "or cut off"),
        (b"\x01\x00\x00\x00aab", "longer than it says"),
    ],
)
def test_tables_that_are_none(body: bytes, said: str) -> None:
    with pytest.raises(FederationError, match=said):
        whole_table(memoryview(body), 2, 4)


def test_bodies_of_another_length() -> None:
    with pytest.raises(FederationError, match="has 3 bytes, not 4"):
        whole(memoryview(b"abc"), 4)
    good = MaskedVector(SUBJECT, b"c" * 32, np.arange(5, dtype="<u4")).body()
    wide = MaskedVector(SUBJECT, b"c" * 32, np.arange(5, dtype="<u8")).body()
    for wrong in (good[:40], good[:-1], good + b"x", wide):
        with pytest.raises(FederationError, match="a masked vector"):
            MaskedVector.of(memoryview(wrong), TERMS)
    long = MaskedVector(SUBJECT, b"c" * 32, np.arange(101, dtype="<u4")).body()
    with pytest.raises(FederationError, match="than the plan allows"):
        MaskedVector.of(memoryview(long), TERMS)


def test_any_other_bytes_are_refused_by_one_line() -> None:
    """Random changes of every kind of message of a whole run, each read as the kind that it was."""
    run, draw = Simulated(4, 0, 1), random.Random(7)
    run.round(RoundNumber(1), run.values(5), ((2,), (), ()))
    messages = [*run.set_up, *(m for answers in run.seen.values() for m in answers.values())]
    kinds = {message[6] for message in messages}
    assert kinds == {kind for kind in MessageKind if kind not in (6, 7, 8)}, "the coordinator keeps those of one round"
    refused = 0
    for message in messages * 8:
        head = replace(
            Head(MessageKind(message[6]), message[7], run.terms.digest, message[48:80]),
            number=RoundNumber(*np.frombuffer(message[8:16], "<u4").tolist()),
        )
        assert read(message, head, run.terms)
        forged = bytearray(message)
        forged[draw.randrange(HEAD_BYTES)] ^= 1 << draw.randrange(8)
        cut = message[: draw.randrange(len(message))]
        for wrong in (bytes(forged), cut, message + b"\0", b"", draw.randbytes(200)):
            with pytest.raises(FederationError) as caught:
                read(wrong, head, run.terms)
            assert "\n" not in str(caught.value)
            refused += 1
    assert refused == 8 * 5 * len(messages)


def test_any_table_is_read_or_refused() -> None:
    draw = random.Random(9)
    for _ in range(2000):
        body = draw.randbytes(draw.randrange(40))
        if draw.random() < 0.5:
            body = bytes([draw.randrange(4), 0]) + body
        try:
            found, rest = read_table(memoryview(body), 2, 4)
        except FederationError:
            continue
        assert write_table(found) + bytes(rest) == body
