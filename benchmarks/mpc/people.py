"""Persons with fifteen columns of forty codes, five of which are at each of three parties."""

from __future__ import annotations

from itertools import combinations

import numpy as np

import sfumato as sf
from sfumato.trust.federated.site_facts import first_codec
from sfumato.trust.mpc.counting import PARTIES
from sfumato.trust.questions import Marginals, Query

COLUMNS, CODES = 15, 40
KEY = "person"
NAMES = tuple(f"c{i:02d}" for i in range(COLUMNS))
PARTY_NAMES = ("north", "east", "west")
EACH = COLUMNS // PARTIES
POSITIONS = tuple(tuple(range(p * EACH, (p + 1) * EACH)) for p in range(PARTIES))
HELD = tuple(tuple(NAMES[i] for i in own) for own in POSITIONS)
SCHEMA = sf.Schema.parse(
    f"sfumato: schema/1\ncolumns:\n  {KEY}: {{kind: identifier, source: public}}\n"
    + "".join(f"  {name}: {{kind: integer, bounds: [0, {CODES - 1}], source: public}}\n" for name in NAMES)
)
DOMAIN = first_codec(SCHEMA).domain
PAIRS = Marginals(tuple(Query(pair) for pair in combinations(range(COLUMNS), 2)))
"""All two-way tables: 105 of them, of which 75 are of columns at two parties."""
CELLS = len(PAIRS.queries) * CODES**2
COSTS = (1e-4,) * len(PAIRS.queries)
"""Of each table: so little that its noise is wide, and any number of rounds fits under the promise."""
PROMISE = sf.Guarantee(1, 1e-9)


def people(n: int) -> np.ndarray:
    """(n, 15) codes, each of which hangs together with the one before it."""
    rng = np.random.default_rng(n)
    codes = np.empty((n, COLUMNS), np.uint8)
    codes[:, 0] = rng.integers(0, CODES, n)
    for i in range(1, COLUMNS):
        codes[:, i] = np.where(rng.random(n) < 0.5, codes[:, i - 1], rng.integers(0, CODES, n))
    return codes
