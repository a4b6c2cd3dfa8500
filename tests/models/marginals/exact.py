"""The distribution of a chain, by going through all that it can draw: for small domains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np

from sfumato.models.marginals.chain import Chain, Conditional


def joint(chain: Chain, sizes: Sequence[int], evidence: Mapping[int, np.ndarray] | None = None) -> np.ndarray:
    """Probability of every record, of shape ``sizes``, given likelihoods of groups; zeros if they are impossible."""
    out = np.zeros(sizes)
    for draws in product(*(range(len(c.bias)) for c in chain.conditionals)):
        codes: dict[int, int] = {}
        chance = 1.0
        for conditional, draw in zip(chain.conditionals, draws, strict=True):
            logs = conditional.bias + sum(
                t[codes[p]] for p, t in zip(conditional.parents, conditional.tables, strict=True)
            )
            weights = np.exp(logs - logs.max())
            chance *= weights[draw] / weights.sum()
            codes[conditional.column] = draw
        for column, likely in (evidence or {}).items():
            chance *= likely[codes[column]]
        out[tuple(codes[i] for i in range(len(sizes)))] += chance
    return out / max(out.sum(), 1e-300)


def random_chain(sizes: Sequence[int], rng: np.random.Generator, redrawn: int | None = None) -> Chain:
    """Each column after two earlier ones where there are two; ``redrawn`` once more at the end, after all others."""
    conditionals = []
    for column, size in enumerate(sizes):
        parents = tuple(int(p) for p in rng.permutation(column)[:2])
        conditionals.append(_random(column, parents, size, sizes, rng))
    if redrawn is not None:
        others = tuple(i for i in range(len(sizes)) if i != redrawn)
        conditionals.append(_random(redrawn, others, sizes[redrawn], sizes, rng))
    return Chain(tuple(conditionals))


def _random(
    column: int, parents: tuple[int, ...], size: int, sizes: Sequence[int], rng: np.random.Generator
) -> Conditional:
    tables = tuple(rng.normal(0, 1, (sizes[p], size)) for p in parents)
    return Conditional(column, parents, rng.normal(0, 1, size), tables)
