"""Flower's SecAgg+ and ours on the same vector, on one machine in one run: CPU seconds and bytes of a site and round.

    python -m benchmarks.flower_secagg [--sites 10] [--values 262144] [--rounds 3]

Flower 1.41.0 runs in an environment of its own (``make .others/flwr``, or SFUMATO_OTHERS), its workflow and its client
in one process, without a network. Both make a round of float32 vectors of that many numbers from -1 to 1, from keys to
the mean; for ours what is set up once a run is counted into the round, for Flower sets up each. A key of Flower's is
rebuilt by six shares of ten; six of ours must consent. Flower's masks have seeds of 32 bits, ours of 256; it sends
numbers of 64 bits, ours of 32. How far the mean is off is shown for both. The last line is one JSON object; the
ratio is above one where ours is the cheaper, and null where Flower is not there.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
from pathlib import Path
from time import process_time

import numpy as np

from benchmarks.others.peers import ENVIRONMENTS
from benchmarks.secure_sum import SUBJECT, Timed, roster, set_up
from sfumato.trust.secure_sum.identity import SiteIdentity
from sfumato.trust.secure_sum.masks import centred
from sfumato.trust.secure_sum.sum_coordinator import SumCoordinator
from sfumato.trust.secure_sum.sum_site import SumSite
from sfumato.trust.secure_sum.terms import RoundNumber, SumTerms

PYTHON = ENVIRONMENTS / "flwr" / "bin" / "python"
SCRIPT = Path(__file__).parent / "others" / "flower_round.py"
QUIET = {"FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1"}
"""It reports home unless told not to."""
STEP_BITS = 26
"""Of one: numbers up to one of 16 sites fit 32 bits."""


def flower(sites: int, values: int, rounds: int) -> dict[str, float] | None:
    """Its figures; None where it is not installed."""
    if not PYTHON.exists():
        print(f"Flower is not there: make .others/flwr (looked for {PYTHON})", flush=True)
        return None
    with tempfile.TemporaryDirectory() as home:
        asked = [str(PYTHON), str(SCRIPT), *map(str, (sites, values, rounds))]
        told = subprocess.run(
            asked, env={**os.environ, **QUIET, "FLWR_HOME": home}, capture_output=True, text=True, check=True
        )
    return json.loads(told.stdout.splitlines()[-1])


def ours(sites: int, values: int, rounds: int) -> dict[str, float]:
    """The same of our secure sum: the least of all rounds, each with a set-up of its own."""
    vectors = [np.random.default_rng(i).uniform(-1, 1, values).astype(np.float32) for i in range(sites)]
    return min((_round(vectors) for _ in range(rounds)), key=lambda one: one["site_cpu_s"])


def _round(vectors: list[np.ndarray]) -> dict[str, float]:
    keys = [SiteIdentity.fresh() for _ in vectors]
    terms = SumTerms(bytes(32), roster(keys), 1, 1, vectors[0].size)
    began = process_time()
    sites, coordinator = [SumSite(terms, key) for key in keys], SumCoordinator(terms)
    once, cost, number = set_up(sites, coordinator), Timed(), RoundNumber(1)
    opening = coordinator.opening(number, SUBJECT, vectors[0].size)
    for site in sites:
        vector = vectors[site.place]
        opening.add(site.place, cost(lambda s=site, v=vector: s.masked(number, SUBJECT, _whole(v))))
    survivors = opening.listed()
    consents = opening.consents({s.place: cost(lambda s=s: s.consent(survivors)) for s in sites})
    opened = opening.opened({s.place: cost(lambda s=s: s.unmask(consents)) for s in sites})
    mean = centred(opened) / (len(sites) * 2.0**STEP_BITS)
    whole, k = process_time() - began, len(sites)
    return {
        "site_cpu_s": (once.seconds + cost.seconds) / k,
        "server_cpu_s": whole - once.seconds - cost.seconds,
        "bytes_up_per_site": (once.bytes + cost.bytes) / k,
        "largest_error_of_the_mean": float(np.abs(mean - np.mean(vectors, axis=0, dtype=np.float64)).max()),
    }


def _whole(vector: np.ndarray) -> np.ndarray:
    return np.rint(vector.astype(np.float64) * 2.0**STEP_BITS).astype(np.int64)


def figures(sites: int, values: int, rounds: int) -> dict[str, object]:
    """Both, and their ratios."""
    theirs, own = flower(sites, values, rounds), ours(sites, values, rounds)
    print(f"Flower: {theirs}\nours:   {own}", flush=True)
    ratios = {
        f"{name}_flower_over_ours": None if theirs is None else round(theirs[name] / own[name], 2)
        for name in ("site_cpu_s", "server_cpu_s", "bytes_up_per_site")
    }
    return {"sites": sites, "values": values, "flower": theirs, "ours": own, **ratios}


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sites", type=int, default=10)
    parser.add_argument("--values", type=int, default=262_144)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    print(json.dumps(figures(given.sites, given.values, given.rounds)))


if __name__ == "__main__":
    main()
