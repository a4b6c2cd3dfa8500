"""Maximum spanning trees over columns (Chow, Liu 1968), and orders in which a chain can draw them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sfumato.trust.setting import Clique


def spanning_tree(scores: Mapping[Clique, float], columns: int) -> list[Clique]:
    """Edges of a maximum spanning tree over ``columns`` (Kruskal); ``scores`` holds all pairs i < j."""
    part = list(range(columns))
    edges = []
    for i, j in sorted(scores, key=lambda c: -scores[c]):
        if part[i] != part[j]:
            old, new = part[j], part[i]
            part = [new if p == old else p for p in part]
            edges.append((i, j))
    return edges


def drawing_order(edges: Sequence[Clique], columns: int, root: int | None = None) -> list[int]:
    """Every column once, each after its neighbour in the forest ``edges`` nearer to ``root``.

    Default root, and that of every further part: the best connected column.
    """
    near: dict[int, list[int]] = {i: [] for i in range(columns)}
    for i, j in edges:
        near[i].append(j)
        near[j].append(i)
    order: list[int] = []
    for start in sorted(near, key=lambda i: (i != root, -len(near[i]))):
        queue = [] if start in order else [start]
        for column in queue:
            order.append(column)
            queue += [c for c in near[column] if c not in order]
    return order
