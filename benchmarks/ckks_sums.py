"""Sums under homomorphic encryption (CKKS) and under masks, on one machine in one run: what each costs a site.

    python -m benchmarks.ckks_sums [--sites 3] [--values 100000] [--rounds 3]

Both are sfumato's own code (``sf.federated(..., sums=...)``; the extra ``[he]`` for CKKS), and both add that many whole
numbers of a few sites, as large as a ring of 32 bits holds; under encryption also those of 44 bits, which is where it
ends. What is set up once a run is counted into the round. With CKKS nobody learns a site's numbers unless the holder of
the secret key and whoever adds do so together; under masks the server and k - 1 of k sites. The last line is one JSON
object; a ratio is above one where masks are the cheaper.
"""

from __future__ import annotations

import argparse
import json
from time import process_time

import numpy as np

from benchmarks.flower_secagg import ours
from benchmarks.secure_sum import SUBJECT, Timed, roster
from sfumato.trust.encrypted_sum.aggregator import Aggregator
from sfumato.trust.encrypted_sum.ckks import BY_RING
from sfumato.trust.encrypted_sum.encrypting_site import EncryptingSite
from sfumato.trust.encrypted_sum.key_holder import KeyHolder
from sfumato.trust.secure_sum.identity import SiteIdentity
from sfumato.trust.secure_sum.terms import RoundNumber, SumTerms

Found = dict[str, float]
COSTS = ("site_cpu_s", "bytes_up_per_site")


def encrypted(sites: int, values: int, rounds: int, bits: int) -> Found:
    """The least of all rounds, each with keys of its own."""
    most = BY_RING[bits].largest // sites
    vectors = [np.random.default_rng(i).integers(-most, most, values) for i in range(sites)]
    return min((_round(vectors, bits) for _ in range(rounds)), key=lambda made: made["site_cpu_s"])


def _round(vectors: list[np.ndarray], bits: int) -> Found:
    keys, cost, number = [SiteIdentity.fresh() for _ in vectors], Timed(), RoundNumber(1)
    terms, times = SumTerms(bytes(32), roster(keys), 1, 1, vectors[0].size, bits), [process_time()]
    holder = KeyHolder(terms)
    times.append(process_time())
    sites = [EncryptingSite(terms, key) for key in keys]
    for site in sites:
        cost(lambda s=site: s.encrypt_by(holder.public))
    pairs = zip(sites, vectors, strict=True)
    sent = {site.place: cost(lambda s=site, v=vector: s.masked(number, SUBJECT, v)) for site, vector in pairs}
    times.append(process_time())
    total = Aggregator(terms, holder.public).total(number, SUBJECT, vectors[0].size, sent)
    times.append(process_time())
    opened = holder.opened(total)
    times.append(process_time())
    keys_s, _, server, opening = np.diff(times).tolist()
    return {
        "site_cpu_s": cost.seconds / len(vectors),
        "server_cpu_s": server,
        "holder_cpu_s": keys_s + opening,
        "bytes_up_per_site": cost.bytes / len(vectors),
        "wrong_sums": int(np.count_nonzero(opened != np.sum(vectors, axis=0))),
    }


def figures(sites: int, values: int, rounds: int) -> list[dict[str, object]]:
    """What each costs, and the ratios; none has a limit but the sums, which must be right."""
    made = {f"CKKS, {bits.total_bits} bits": encrypted(sites, values, rounds, ring) for ring, bits in BY_RING.items()}
    masks = ours(sites, values, rounds)
    for side, of in {**made, "masks": masks}.items():
        print(f"{side}: {of}", flush=True)
    shown = [_figure(f"{name}, {side}", of[name]) for side, of in {**made, "masks": masks}.items() for name in COSTS]
    shown += [
        _figure(f"{n}, {side} over masks", round(of[n] / masks[n], 2)) for side, of in made.items() for n in COSTS
    ]
    wrong = [(side, of["wrong_sums"]) for side, of in made.items()]
    return [*shown, *({"name": f"wrong sums, {s}", "value": w, "limit": 0, "met": w == 0} for s, w in wrong)]


def _figure(name: str, value: float) -> dict[str, object]:
    return {"name": name, "value": value, "limit": None, "met": None}


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sites", type=int, default=3)
    parser.add_argument("--values", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    print(json.dumps({"figures": figures(given.sites, given.values, given.rounds)}))


if __name__ == "__main__":
    main()
