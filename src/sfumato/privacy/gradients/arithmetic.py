"""The arithmetic in which gradients are clipped: single precision, or fixed point on secret shares.

Each says what it loses, how squared norms are made so that none comes out too small, and what weight clips a record.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Bool, Float


@dataclass(frozen=True)
class SinglePrecision:
    """Numbers of 32 bits with a floating point.

    Attributes:
        flushed: a square below this may be lost to zero.
        cancelled: a sum of signed products may be wrong by this part of its absolute sum.
        rounding: share of the clip that is kept free for rounding.
    """

    flushed: float = 2e-38
    cancelled: float = 1e-6
    rounding: float = 2.0**-16

    def squares(self, x: Array) -> Array:
        """Upper bound of the squared l2 norm of each record's entries, (B, ...) -> (B,); tight to rounding."""
        flat = x.reshape(x.shape[0], -1)
        return jnp.sum(flat * flat, axis=1) + flat.shape[1] * self.flushed

    def weights(
        self,
        squared_norms: Float[Array, " batch"],
        losses: Float[Array, " batch"],
        mask: Bool[Array, " batch"],
        clip: float | Array,
    ) -> Float[Array, " batch"]:
        """The factor (B,) that clips each record; zero for padding and for anything not finite."""
        norms = jnp.sqrt(squared_norms)
        usable = mask & jnp.isfinite(norms) & jnp.isfinite(losses)
        bound = jnp.asarray(clip, norms.dtype) * (1 - self.rounding)
        return jnp.where(usable, jnp.minimum(1, bound / jnp.maximum(norms, bound)), 0)


class Factors(NamedTuple):
    """A record's gradient of one parameter, as an outer product of what a layer saw and what came back to it.

    Attributes:
        inputs: (B, I); None for a bias, which sees a one.
        signals: (B, O).
        ones: how many ones are in the inputs, which are zero else; None: they are no one-hots.
    """

    inputs: Array | None
    signals: Array
    ones: int | None = None

    @property
    def known(self) -> int | None:
        """Squared length of the inputs where it is public."""
        return 1 if self.inputs is None else self.ones

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of inputs, one for a bias, and of signals."""
        return 1 if self.inputs is None else self.inputs.shape[1], self.signals.shape[1]


@dataclass(frozen=True)
class FixedPoint:
    """Whole numbers of units of 2^-bits, modulo 2^64, on which the engine for secret shares computes.

    A product is off by less than one unit in either direction, by chance. A root and its inverse are 0 from 2^17, and
    products fail from 2^26, all without a word. So norms are counted on a scale, and what is beyond is left out.

    Attributes:
        bits: of the fraction.
        scale: by which squared lengths of factors are multiplied, so that their products stay small.
        longest: squared length, times ``scale``, of the longest factor of a record that is counted.
        furthest: squared norm, times ``scale`` twice, of the largest gradient that is counted.
        below: of a weight: twice what an inverse root may be too large by is taken off; 2.3e-4 of itself was seen.
        spare: units that are taken off an inverse root, for the same reason. Two were seen.
    """

    bits: int = 18
    scale: float = 0.25
    longest: float = 2.0**10
    furthest: float = 2.0**16
    below: float = 1 - 2.0**-10
    spare: int = 3

    @property
    def unit(self) -> float:
        """The smallest number above zero."""
        return 2.0**-self.bits

    def check_clip(self, clip: float) -> None:
        """ValueError for a bound of gradients at which nothing can be clipped here."""
        least, most = self.unit / self.scale, 1 / self.scale
        if not least < clip <= most:
            raise ValueError(
                f"on shares gradients are clipped above {least:g} and at most at {most:g}, not at {clip!r}"
            )

    def squares(self, x: Float[Array, "batch width"]) -> Float[Array, " batch"]:
        """``scale`` times the squared length of each record's numbers, or a little more, (B,).

        Each square may be one unit too small, and the scaled sum one more.
        """
        return jnp.sum(x * x, axis=1) * self.scale + (math.ceil(x.shape[1] * self.scale) + 1) * self.unit

    def weights(
        self, factors: Sequence[Factors], present: Float[Array, " batch"], clip: float
    ) -> Float[Array, " batch"]:
        """The factor (B,) that clips each record; zero where ``present`` (B,) is, which holds ones and zeros.

        | record | weight |
        |---|---|
        | gradient norm at most ``clip`` | ``below``, less a few units |
        | norm up to 1,024 | what makes it at most ``clip`` |
        | a longer one, or a factor longer than 64 | zero: it is counted nowhere |

        *Formal guarantee.* Let S be the sum over ``factors`` of |inputs|^2 |signals|^2, in the very units that are
        multiplied later. Then weight times sqrt(S) is at most ``clip``. *Proof.* Squares are no smaller than
        ``scale`` |.|^2, and a product of two of them loses less than the unit that is added for it; so s >= scale^2 S
        where nothing was cut off, and a record of which something was cut off has weight zero. An inverse root of the
        engine is below (1 + 2^-11) / sqrt(s) + 2 units (no proof, but tried over its whole range in every rehearsal);
        with ``spare`` units taken off and times ``below``, also after one more rounding, it is no more than
        1 / sqrt(s). The weight is that times ``clip scale``, whose rounding is the last unit taken off.
        """
        self.check_clip(clip)
        pairs = _by_signals(factors)
        sizes = [self.squares(signals) for signals, _ in pairs]
        secret = [x.inputs for _, seen in pairs for x in seen if x.inputs is not None and x.ones is None]
        lengths = jnp.stack([*sizes, *map(self.squares, secret)])
        far = lengths > self.longest
        near = jnp.where(far, self.longest, lengths)
        squared = len(pairs) * self.unit + jnp.sum(jnp.where(far, 2 * self.furthest, 0.0), axis=0)
        measured = iter(near[len(sizes) :])
        for size, (_, seen) in zip(near, pairs, strict=False):
            inputs = [next(measured) if x.known is None else x.known * self.scale for x in seen]
            squared = squared + size * sum(inputs)
        beyond = squared > self.furthest
        least = (clip * self.scale) ** 2
        root = lax.rsqrt(jnp.clip(squared, least, self.furthest)) - self.spare * self.unit
        return jnp.where(beyond, 0.0, root * (clip * self.scale * self.below) - self.unit) * present

    def sensitivity(self, clip: float, factors: Sequence[Factors]) -> float:
        """How far one record moves a sum at most, in l2 norm and units; ``factors`` may be shapes.

        *Formal guarantee.* A record adds the outer product of its inputs and of its signals times its weight. These
        products are each off by less than a unit, and the inputs are at most sqrt(longest / scale) long, or as the
        root of their ones: so what is added is at most ``clip`` and the root of sum |inputs|^2 outputs units long. The
        sum over the batch is rounded once for each number, with the record and without: a unit each.
        """
        self.check_clip(clip)
        longest = self.longest / self.scale
        inputs = [longest if x.known is None else x.known for x in factors]
        lost = sum(square * x.shape[1] for square, x in zip(inputs, factors, strict=True))
        return clip * 2.0**self.bits + math.sqrt(lost) + 2 * math.sqrt(sum(math.prod(x.shape) for x in factors))


def _by_signals(factors: Sequence[Factors]) -> list[tuple[Array, list[Factors]]]:
    """Factors with the same signals, such as those of a layer's weight and of its bias, together."""
    found: dict[int, tuple[Array, list[Factors]]] = {}
    for one in factors:
        found.setdefault(id(one.signals), (one.signals, []))[1].append(one)
    return list(found.values())


SINGLE = SinglePrecision()
"""What a curator, a site and a device compute with."""
FIXED = FixedPoint()
"""What parties compute with on shares."""
