"""Candidates of a model as questions to parties: whole numbers in public units, and noise that is priced for them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.errors import FederationError
from sfumato.privacy import gdp
from sfumato.privacy.events import NoisyMax
from sfumato.privacy.mechanisms import noisy_max
from sfumato.trust.mpc.counting import PARTIES
from sfumato.trust.mpc.engine.selection import MOST_SCORE
from sfumato.trust.questions import Distances, Marginals, Selection
from sfumato.trust.questions.comparisons import MOST_FRACTION
from sfumato.trust.setting import Candidate

_DENOMINATORS = range(1, 17)
"""Tried in turn for a unit of which all weights are whole multiples; the last is taken where none is exact."""
_EXACT = 1e-9
"""Of a weight in such units."""
TOWARD_A_PARTY = math.sqrt(2)
"""Times its cost that a table costs toward another party, to whom a person with other cells is in two cells of it.

A distance, and a score, then moves by twice as much, which costs twice as much. So a comparison is made with as much
noise as costs the same toward a party as a table of the same cost does.
"""


def whole_weights(weights: Sequence[float]) -> np.ndarray:
    """(k,) int64, as nearly as 16 steps to the smallest allow in the proportions of ``weights``.

    >>> whole_weights([1.0, 2.0]).tolist(), whole_weights([1.0, 1.5]).tolist()
    ([1, 2], [2, 3])
    """
    given = np.asarray(weights, np.float64)
    if not (np.isfinite(given).all() and given.min() > 0):
        raise ValueError("weights of candidates are positive")
    relative = given / given.min()
    scaled = relative
    for times in _DENOMINATORS:
        scaled = relative * times
        if np.abs(scaled - np.rint(scaled)).max() < _EXACT:
            break
    return np.rint(scaled).astype(np.int64)


def selection_of(
    candidates: Sequence[Candidate], persons: int, max_rows: int, scale: float, domain: Domain
) -> Selection:
    """The question, in the finest units in which noised scores can be compared.

    Args:
        candidates: of the model.
        persons: on the list.
        max_rows: that one unit may have.
        scale: of the noise, in steps; 0 without a guarantee.
        domain: of the tables.

    FederationError where there are none.
    """
    weights = whole_weights([candidate.weight for candidate in candidates])
    coarse = Selection(_distances(candidates, 0), weights, _biases(candidates, 0))
    noise = PARTIES * furthest_noise(coarse, max_rows, scale, PARTIES - 1)
    most = coarse.furthest(persons, domain) + noise + int(weights.max()) * _rounded(coarse.distances, domain)
    bits = int(math.log2(MOST_SCORE / most)) if most <= MOST_SCORE else -1
    if bits < 0:
        raise FederationError("scores of this selection could pass 2^30, and are not compared: promise more")
    fraction = min(bits, MOST_FRACTION)
    return Selection(_distances(candidates, fraction), weights, _biases(candidates, fraction))


def distances_of(candidates: Sequence[Candidate], persons: int, deviation: float, domain: Domain) -> Distances:
    """The question, in the finest units that the ring of 32 bits holds.

    Args:
        candidates: of the model.
        persons: on the list.
        deviation: of the noise of one distance, in counts.
        domain: of the tables.
    """
    coarse = _distances(candidates, 0)
    most = coarse.furthest(persons, domain) + _rounded(coarse, domain) + _TAIL * deviation
    bits = int(math.log2(2.0**31 / most))
    return _distances(candidates, max(0, min(bits, MOST_FRACTION)))


_TAIL = 32
"""Deviations that noise is never beyond, with room for what its scale is rounded up by."""


def selected_event(epsilon: float, shares: int) -> NoisyMax:
    """What a selection by parties is charged as that may cost what one of ``epsilon``-bounded range does."""
    mu = gdp.exponential_mu(epsilon)
    return NoisyMax(gdp.exponential_epsilon(TOWARD_A_PARTY * mu) / 4, shares)


def toward_a_party(event: NoisyMax) -> NoisyMax:
    """What it costs toward another party: scores move by twice as much, so it is once twice the epsilon, not twice."""
    return NoisyMax(2 * event.epsilon, event.shares, event.count)


def furthest_noise(question: Selection, max_rows: int, scale: float, shares: int) -> int:
    """Units that one part of the noise is at most from 0."""
    return noisy_max.step(question.moved_by(max_rows)) * noisy_max.furthest(scale, shares) if scale else 0


def _rounded(question: Distances, domain: Domain) -> int:
    """More than rounding estimates to finer units can add to a distance, in counts."""
    return max(question.tables.sizes(domain)) + 1


def _distances(candidates: Sequence[Candidate], fraction: int) -> Distances:
    estimates = np.concatenate([np.asarray(c.estimate, np.float64).ravel() for c in candidates])
    whole = np.rint(estimates * 2.0**fraction).astype(np.int64)
    return Distances(Marginals(tuple(c.query for c in candidates)), whole, fraction)


def _biases(candidates: Sequence[Candidate], fraction: int) -> np.ndarray:
    return np.rint([c.bias * 2.0**fraction for c in candidates]).astype(np.int64)
