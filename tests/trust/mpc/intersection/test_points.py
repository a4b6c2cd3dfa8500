"""Points of keys: a product in any order, an inverse, and what is no point."""

from __future__ import annotations

import pytest

from sfumato.errors import FederationError
from sfumato.privacy.randomness import SYSTEM
from sfumato.trust.mpc.intersection.points import POINT_BYTES, fresh_secret, hashed, multiplied, quotient

KEYS = ["anna", "Zoë", "", "a\0b", "7"]


def test_secrets_commute_and_are_taken_off_again() -> None:
    one, other = fresh_secret(SYSTEM), fresh_secret(SYSTEM)
    assert multiplied(hashed(KEYS, one), other) == multiplied(hashed(KEYS, other), one)
    assert multiplied(hashed(KEYS, one), quotient(other, one)) == hashed(KEYS, other)
    assert multiplied(hashed(KEYS, one), quotient(1, one)) == hashed(KEYS, 1)


def test_points_keep_the_order_of_their_keys_and_are_as_long() -> None:
    made = hashed(KEYS, 5)
    assert len(made) == len(KEYS) * POINT_BYTES
    assert made[POINT_BYTES : 2 * POINT_BYTES] == hashed(["Zoë"], 5)
    assert len({made[i : i + POINT_BYTES] for i in range(0, len(made), POINT_BYTES)}) == len(KEYS)


@pytest.mark.parametrize(
    "points",
    [bytes(POINT_BYTES), b"\x02" + b"\xff" * 32, b"\x04" + hashed(["a"], 1)[1:], hashed(["a"], 1) + b"\x02"],
    ids=["zeros", "beyond", "form", "cut"],
)
def test_what_is_no_point_is_refused(points: bytes) -> None:
    with pytest.raises(FederationError, match="a point that is none"):
        multiplied(points, 3)
