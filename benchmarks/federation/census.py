"""The example table of census rows, encoded once, and dealt out to sites."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import pairwise

import numpy as np

import sfumato as sf
from sfumato.encoding.codec import Codec
from sfumato.encoding.domain import Domain

PROMISE = sf.Guarantee(1.0, 1e-9)
SORTED_BY = "education"
"""Column by which rows are dealt out where most sites are to have rows of few values."""


@cache
def people() -> tuple[sf.Schema, Domain, np.ndarray, np.ndarray]:
    """(schema, encoded columns, codes to learn, fresh codes) of the example, its target declared."""
    schema = sf.Schema.load(sf.examples.adult_schema()).with_target("income")
    codec, names = Codec.from_schema(schema), list(schema.names)
    learn, fresh = (codec.encode(t.arrow.select(names)) for t in (sf.examples.adult(), sf.examples.adult_test()))
    return schema, codec.domain, learn, fresh


def dealt(sites: int, mixed: bool) -> list[np.ndarray]:
    """Codes of each site: any of them, or those that follow each other by ``SORTED_BY``."""
    _, domain, codes, _ = people()
    name = next(axis.name for axis in domain.axes if SORTED_BY in axis.name)
    order = np.random.default_rng(0).permutation(len(codes)) if mixed else np.argsort(codes[:, domain.index(name)])
    return np.array_split(codes[order], sites)


def tables(sites: int) -> Sequence[sf.Table]:
    """Tables of about one size, as the rows come."""
    rows = sf.examples.adult().arrow
    cuts = np.linspace(0, len(rows), sites + 1).astype(int)
    return [sf.Table(rows.slice(a, b - a)) for a, b in pairwise(cuts)]
