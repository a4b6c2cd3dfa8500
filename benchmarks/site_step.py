"""What a step of a network takes a site, by the capacity that it declared: each pads its batch to it.

    python -m benchmarks.site_step

The critic of tables on a tenth of the example's rows, at a rate of .05, and the noise of one step beside it. The last
line is one JSON object with the figures, in seconds; they are shown, and have no limit.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from statistics import median

import jax
import numpy as np

import sfumato as sf
import sfumato.models  # installs the objectives of networks
from sfumato.encoding.codec import Codec
from sfumato.privacy.groups import rooms_for
from sfumato.privacy.mechanisms.discrete_gaussian import add_discrete_gaussian
from sfumato.privacy.randomness import SYSTEM
from sfumato.trust.questions import Descent, GradientStep
from sfumato.trust.records import Records
from sfumato.trust.steps import BatchSums, Planned

CAPACITIES = (16_384, 65_536, 131_072)
RATE, STEPS, SIGMA = 0.05, 100, 5000.0
"""Of the batches; steps of the training; scale of a site's noise on the grid, as at epsilon 1."""
TIMES = 5


def took(work: Callable[[], object]) -> float:
    """Median seconds, after a first time that compiles."""
    work()
    passed = []
    for _ in range(TIMES):
        start = time.perf_counter()
        work()
        passed.append(time.perf_counter() - start)
    return round(median(passed), 3)


def main() -> None:
    """Measure and print."""
    schema = sf.Schema.load(sf.examples.adult_schema())
    codec = Codec.from_schema(schema)
    codes = codec.encode(sf.examples.adult().arrow.select(list(schema.names)))
    records = Records.of(codes[: len(codes) // 10], codec.domain)
    found, size = [], 0
    for capacity in CAPACITIES:
        into = rooms_for(RATE, capacity)
        planned = Planned(Descent("critic of tables", STEPS, RATE, 1.0, 1.0, 4, into.capacity, {}), codec.domain)
        at = jax.tree.map(lambda x: np.full(x.shape, 0.01, np.float32), planned.objective.like)
        step = GradientStep(planned.descent.digest, 0, np.asarray(planned.objective.flat(at)), bytes(32))
        seconds = took(partial(BatchSums(planned, records, into).answer, step))
        size = planned.numbers
        found.append((f"seconds of a step of {size:,} numbers, capacity {capacity:,}", seconds))
    seconds = took(partial(add_discrete_gaussian, np.zeros(size, np.int64), SIGMA, SYSTEM))
    found.append((f"seconds of its noise, {size:,} numbers", seconds))
    print(json.dumps({"figures": [{"name": n, "value": v, "limit": None, "met": None} for n, v in found]}))


if __name__ == "__main__":
    main()
