"""Keys as points of the curve P-256, and their products with secret numbers, as ``openmined.psi`` computes both.

That package is made for two: a client, whose hashed keys it multiplies, and a server, which multiplies any points. Its
``server`` with the inverse of a number takes the number off again. That is all that a set-up of three needs, so no
arithmetic of curves is written here.
"""

from __future__ import annotations

from collections.abc import Sequence

from sfumato.errors import FederationError
from sfumato.privacy.randomness import Entropy

POINT_BYTES = 33
"""Of a compressed point."""
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Number of points of the curve, a prime (FIPS 186-5): no point but the neutral one has a smaller order."""
_SECRET_BYTES, _DRAWN_BYTES = 32, 48  # 128 bits more than the order has: their remainder is uniform but for 2^-128


def fresh_secret(entropy: Entropy) -> int:
    """A secret number, 1 to the order less 1."""
    return int.from_bytes(entropy.take(_DRAWN_BYTES), "big") % (_ORDER - 1) + 1


def quotient(one: int, other: int) -> int:
    """The number that multiplies by ``one`` and takes ``other`` off."""
    return one * pow(other, -1, _ORDER) % _ORDER


def hashed(keys: Sequence[str], secret: int) -> bytes:
    """The points of these keys (n,) times ``secret``, one after the other.

    To whoever does not know the secret they are points drawn anew for each key (decisional Diffie-Hellman, with the
    hash as a random oracle).
    """
    from private_set_intersection.python import client  # imports protobuf, which counting does without

    made = client.CreateFromKey(_written(secret), True).CreateRequest(list(keys))
    return b"".join(made.encrypted_elements)


def multiplied(points: bytes, secret: int) -> bytes:
    """These points times ``secret``, in their order; FederationError where one is none."""
    from private_set_intersection.python import Request, server

    each = [points[start : start + POINT_BYTES] for start in range(0, len(points), POINT_BYTES)]
    asked = Request(reveal_intersection=True, encrypted_elements=each)  # without it, answers come in another order
    try:
        made = server.CreateFromKey(_written(secret), True).ProcessRequest(asked)
    except RuntimeError:
        raise FederationError("another party sent a point that is none of the curve; nothing is done with it") from None
    return b"".join(made.encrypted_elements)


def _written(secret: int) -> bytes:
    return secret.to_bytes(_SECRET_BYTES, "big")
