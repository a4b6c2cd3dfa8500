"""What a secure sum costs a site, and what its shared noise costs in error: against the limits of the design.

``python -m benchmarks.secure_sum [--values 262144]``. Everything runs in one process; times are CPU seconds of one
site in one round, the mean over the sites of the best of three rounds. The last line is one JSON object: figures,
limits, and the ratio of each to its limit.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable

import numpy as np

from sfumato.privacy.gdp import discrete_gaussian_sigma
from sfumato.privacy.mechanisms.discrete_gaussian import draw
from sfumato.privacy.randomness import SYSTEM
from sfumato.trust.secure_sum.identity import SiteIdentity
from sfumato.trust.secure_sum.masks import centred
from sfumato.trust.secure_sum.noise import CountNoise
from sfumato.trust.secure_sum.roster import Member, Roster
from sfumato.trust.secure_sum.sum_coordinator import SumCoordinator
from sfumato.trust.secure_sum.sum_site import SumSite
from sfumato.trust.secure_sum.terms import RoundNumber, SumTerms

SITES = (3, 10, 50)
ROUNDS = 3
CPU_LIMIT, CPU_STRETCH, BYTES_LIMIT, ERROR_LIMIT = 0.1, 0.05, 4.05, 1.03
SUBJECT = bytes(32)
MU = 1 / 43.7
"""A table of counts at about sigma 43.7: one of the 45 tables of two attributes of Adult at epsilon 1, delta 1e-9."""


def roster(keys: list[SiteIdentity], curious: int = 1, lost: int = 0) -> Roster:
    return Roster(tuple(Member(f"site-{i}", key.public_key) for i, key in enumerate(keys)), curious, lost)


class Timed:
    """CPU seconds and bytes up of all sites together."""

    def __init__(self) -> None:
        self.seconds, self.bytes = 0.0, 0

    def __call__(self, act: Callable[[], bytes]) -> bytes:
        began = time.process_time()
        message = act()
        self.seconds += time.process_time() - began
        self.bytes += len(message)
        return message


def set_up(sites: list[SumSite], coordinator: SumCoordinator) -> Timed:
    cost = Timed()
    keys = coordinator.keys({s.place: cost(s.key) for s in sites})
    deliveries = coordinator.deliveries({s.place: cost(lambda s=s: s.shares(keys)) for s in sites})
    for site in sites:
        cost(lambda s=site: s.receive(deliveries[s.place]) or b"")
    return cost


def one_round(sites: list[SumSite], coordinator: SumCoordinator, turn: int, vectors: list[np.ndarray]) -> dict:
    """Seconds and bytes of a site, seconds of the coordinator; ValueError unless the sum is exact."""
    number, cost = RoundNumber(turn), Timed()
    opening = coordinator.opening(number, SUBJECT, vectors[0].size)
    sent = [cost(lambda s=s: s.masked(number, SUBJECT, vectors[s.place])) for s in sites]
    masking, began = cost.seconds, time.process_time()
    for site, message in zip(sites, sent, strict=True):
        opening.add(site.place, message)
    survivors, own = opening.listed(), time.process_time() - began
    consents = opening.consents({s.place: cost(lambda s=s: s.consent(survivors)) for s in sites})
    answers = {s.place: cost(lambda s=s: s.unmask(consents)) for s in sites}
    began = time.process_time()
    opened = centred(opening.opened(answers))
    own += time.process_time() - began
    if not (opened == np.sum(vectors, axis=0)).all():
        raise ValueError("the sum is not exact")
    per_site = {"seconds": cost.seconds, "masking": masking, "bytes": cost.bytes}
    return {**{name: value / len(sites) for name, value in per_site.items()}, "coordinator": own}


def cost_of(n: int, values: int) -> dict[str, float]:
    """Figures of ``n`` sites."""
    keys = [SiteIdentity.fresh() for _ in range(n)]
    terms = SumTerms(bytes(32), roster(keys), 100, 3, values)
    sites, coordinator = [SumSite(terms, key) for key in keys], SumCoordinator(terms)
    first = set_up(sites, coordinator)
    vectors = [np.random.default_rng(i).integers(-1000, 1000, values) for i in range(n)]
    rounds = [one_round(sites, coordinator, turn, vectors) for turn in range(1, ROUNDS + 1)]
    best = min(rounds, key=lambda r: r["seconds"])
    return {
        "site_cpu_s": round(best["seconds"], 4),
        "of_it_masking_s": round(best["masking"], 4),
        "coordinator_cpu_s": round(best["coordinator"], 4),
        "bytes_up_per_value": round(best["bytes"] / values, 4),
        "set_up_cpu_s_once": round(first.seconds / n, 4),
        "set_up_bytes_up_once": round(first.bytes / n),
    }


def error(n: int, curious: int, cells: int) -> dict[str, float]:
    """Mean absolute error of noised counts over that of one curator at the same cost, drawn; and what it should be."""
    keys = [SiteIdentity.fresh() for _ in range(n)]
    noise = CountNoise.of_cost(MU, roster(keys, curious))
    zeros = np.zeros(cells, int)
    shared = np.sum([noise.add(zeros, SYSTEM) for _ in range(n)], axis=0) / noise.multiple
    central = draw(cells, discrete_gaussian_sigma(MU))
    expected = math.sqrt(n / noise.shares)
    return {"ratio": round(float(np.abs(shared).mean() / np.abs(central).mean()), 4), "theory": round(expected, 4)}


def figures(values: int) -> dict[str, object]:
    """All of them, printed as they come."""
    costs, errors = {}, {}
    for n in SITES:
        costs[n] = cost_of(n, values)
        print(f"{n} sites, {values} values: {costs[n]}", flush=True)
        errors[n] = {f"c={c}": error(n, c, values) for c in (0, 1)}
        print(f"error of counts, federated over central: {errors[n]}", flush=True)
    began = time.process_time()
    draw(values, 40.0)
    largest = costs[SITES[-1]]
    return {
        "values": values,
        "costs": costs,
        "errors": errors,
        "noise_cpu_s": round(time.process_time() - began, 4),
        "site_cpu_at_50_over_limit": round(largest["site_cpu_s"] / CPU_LIMIT, 3),
        "site_cpu_at_50_over_stretch": round(largest["site_cpu_s"] / CPU_STRETCH, 3),
        "bytes_at_50_over_limit": round(largest["bytes_up_per_value"] / BYTES_LIMIT, 4),
        "worst_error_at_c0_over_limit": round(max(e["c=0"]["ratio"] for e in errors.values()) / ERROR_LIMIT, 4),
        "limits": {"site_cpu_s": CPU_LIMIT, "stretch": CPU_STRETCH, "bytes": BYTES_LIMIT, "error": ERROR_LIMIT},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--values", type=int, default=262_144)
    print(json.dumps(figures(parser.parse_args().values)))


if __name__ == "__main__":
    main()
