"""What a secure sum costs a site: bytes, and CPU seconds; and what Flower's costs on the same vector."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import flower_secagg
from benchmarks.federation.figure import Row, figure
from benchmarks.secure_sum import BYTES_LIMIT, CPU_LIMIT, SITES, cost_of

VALUES = 262_144
"""Of one vector: 1 MiB in the ring of 32 bits."""
_FLOWER_SITES, _FLOWER_ROUNDS = 10, 3
"""As its documentation shows it, and the least of so many."""


def rows() -> Iterator[Row]:
    """For each number of sites, all in one process."""
    for k in SITES:
        cost = cost_of(k, VALUES)
        yield figure(f"bytes up a value and round, {k} sites", cost["bytes_up_per_value"], BYTES_LIMIT)
        yield figure(f"CPU seconds of a site a round, 1 MB, {k} simulated sites", cost["site_cpu_s"], CPU_LIMIT)


def beside_flower() -> Iterator[Row]:
    """CPU seconds of a site by Flower's secure sum over ours; null where Flower is not there."""
    ratio = flower_secagg.figures(_FLOWER_SITES, VALUES, _FLOWER_ROUNDS)["site_cpu_s_flower_over_ours"]
    yield figure("Flower's SecAgg+ on the same vector, CPU seconds of a site: ratio", ratio)  # type: ignore[arg-type]
