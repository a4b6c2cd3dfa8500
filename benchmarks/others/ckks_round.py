"""One sum of whole numbers under CKKS (TenSEAL) in this process, for ``benchmarks.ckks_sums``: in its own environment.

    python ckks_round.py SITES VALUES ROUNDS

Each site adds its share of integer noise first, encrypts by a public key that all have, and sends ciphertexts; a server
adds them; the holder of the one secret key opens the sums, rounds them to whole numbers, and lets nothing else out.
Prints one JSON object: CPU seconds of a site, of the server and of the holder in a round, the least of all rounds,
bytes that a site sent, and how many of the rounded sums were wrong.
"""

from __future__ import annotations

import json
import sys
from time import process_time

import numpy as np
import tenseal as ts

DEGREE = 8192
"""Of the polynomials: half as many numbers fit a ciphertext; 128 bits of security at these moduli."""
MODULI = (60, 40, 60)
"""Bits of the primes: a sum of a few needs no product."""
SCALE = 2.0**40
"""By which numbers are multiplied: sums of up to 2^20 are right to far less than one half."""
SLOTS = DEGREE // 2
LARGEST = 100_000
"""Of the numbers that a site sends: counts and their noise."""


def main() -> None:
    """Measure, and print."""
    sites, values, rounds = map(int, sys.argv[1:])
    whole = ts.context(ts.SCHEME_TYPE.CKKS, DEGREE, coeff_mod_bit_sizes=list(MODULI))
    whole.global_scale = SCALE
    public = whole.copy()
    public.make_context_public()
    vectors = [np.random.default_rng(i).integers(-LARGEST, LARGEST, values) for i in range(sites)]
    print(json.dumps(min((once(whole, public, vectors) for _ in range(rounds)), key=lambda made: made["site_cpu_s"])))


def once(whole: ts.Context, public: ts.Context, vectors: list[np.ndarray]) -> dict[str, float]:
    """A round from numbers to sums."""
    times, sent = [process_time()], []
    for vector in vectors:
        blocks = range(0, len(vector), SLOTS)
        sent.append([ts.ckks_vector(public, vector[i : i + SLOTS].astype(float)).serialize() for i in blocks])
    times.append(process_time())
    added = []
    for block in zip(*sent, strict=True):
        total = ts.ckks_vector_from(public, block[0])
        for other in block[1:]:
            total += ts.ckks_vector_from(public, other)
        added.append(total.serialize())
    times.append(process_time())
    opened = np.rint(np.concatenate([ts.ckks_vector_from(whole, one).decrypt() for one in added]))
    times.append(process_time())
    encrypted, server, holder = np.diff(times)
    return {
        "site_cpu_s": encrypted / len(vectors),
        "server_cpu_s": server,
        "holder_cpu_s": holder,
        "bytes_up_per_site": sum(map(len, sent[0])),
        "wrong_sums": int(np.count_nonzero(opened != np.sum(vectors, axis=0))),
    }


if __name__ == "__main__":
    main()
