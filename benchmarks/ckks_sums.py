"""Sums under homomorphic encryption (CKKS) and under our masks, on one machine in one run: what each costs a site.

    python -m benchmarks.ckks_sums [--sites 3] [--values 100000] [--rounds 3]

TenSEAL 0.3.18 runs in an environment of its own (``make .others/ckks``, or SFUMATO_OTHERS). Both add that many whole
numbers of a few sites; ours counts what is set up once a run into its round. With CKKS nobody learns a site's numbers
unless the holder of the secret key and whoever adds do so together: a site that has the key, and the server, open all.
Ours needs k - 1 of k sites for that. The last line is one JSON object; a ratio is above one where ours is the cheaper,
and null where TenSEAL is not there.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from pathlib import Path

from benchmarks.flower_secagg import ours
from benchmarks.others.peers import ENVIRONMENTS

PYTHON = ENVIRONMENTS / "ckks" / "bin" / "python"
SCRIPT = Path(__file__).parent / "others" / "ckks_round.py"


def encrypted(sites: int, values: int, rounds: int) -> dict[str, float] | None:
    """Its figures; None where it is not installed."""
    if not PYTHON.exists():
        print(f"TenSEAL is not there: make .others/ckks (looked for {PYTHON})", flush=True)
        return None
    asked = [str(PYTHON), str(SCRIPT), *map(str, (sites, values, rounds))]
    told = subprocess.run(asked, capture_output=True, text=True, check=True)
    return json.loads(told.stdout.splitlines()[-1])


def figures(sites: int, values: int, rounds: int) -> list[dict[str, object]]:
    """What each costs, and the ratios; none has a limit but the sums, which must be right."""
    theirs, own = encrypted(sites, values, rounds), ours(sites, values, rounds)
    print(f"CKKS: {theirs}\nours: {own}", flush=True)
    shown = [
        {"name": f"{name}, {side}", "value": None if of is None else of[name], "limit": None, "met": None}
        for side, of in (("CKKS", theirs), ("ours", own))
        for name in ("site_cpu_s", "bytes_up_per_site")
    ]
    shown += [
        {
            "name": f"{name}, CKKS over ours",
            "value": None if theirs is None else round(theirs[name] / own[name], 2),
            "limit": None,
            "met": None,
        }
        for name in ("site_cpu_s", "bytes_up_per_site")
    ]
    wrong = None if theirs is None else theirs["wrong_sums"]
    right = None if wrong is None else wrong == 0
    return [*shown, {"name": "wrong sums, CKKS", "value": wrong, "limit": 0, "met": right}]


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sites", type=int, default=3)
    parser.add_argument("--values", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    print(json.dumps({"figures": figures(given.sites, given.values, given.rounds)}))


if __name__ == "__main__":
    main()
