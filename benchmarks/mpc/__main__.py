"""See ``benchmarks.mpc``."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from itertools import chain

import benchmarks.mpc
from benchmarks.federation.figure import Row, print_parts
from benchmarks.mpc import alignment, comparing, gradients, outsourced, processes, simulated, training, utility, wan

SMALL, MIDDLE, LARGE = 10_000, 48_842, 1_000_000
MOST = {SMALL: (1, 11), MIDDLE: (4, 55), LARGE: (60, 1100)}
"""By persons, CPU seconds of a party and MB sent by the largest one."""
MOST_MEMORY = 2000
ALIGNED = (10_000, 50_000, 100_000)
"""Keys of a party."""
STEPS = 1_000
USUAL = "small,middle,processes,utility"


def parts(fits: int) -> dict[str, Callable[[], Iterable[Row]]]:
    """Each part by name."""
    return {
        "small": lambda: simulated.rows(SMALL, MOST[SMALL], ".3 s, 5 MB"),
        "middle": lambda: simulated.rows(MIDDLE, MOST[MIDDLE], "1 s, 25 MB"),
        "processes": lambda: (row for persons in (SMALL, MIDDLE) for row in processes.rows(persons, MOST[persons])),
        "alignment": lambda: (row for keys in ALIGNED for row in alignment.rows(keys)),
        "utility": lambda: utility.rows(fits),
        "comparing": lambda: comparing.rows(fits),
        "outsourced": lambda: (row for persons in (SMALL, MIDDLE) for row in outsourced.rows(persons)),
        "gradients": gradients.rows,
        "wan": wan.rows,
        "training": lambda: training.rows(STEPS),
        "large": lambda: chain(
            simulated.rows(LARGE, MOST[LARGE], "25 s, 800 MB", MOST_MEMORY),
            processes.rows(LARGE, MOST[LARGE], MOST_MEMORY),
        ),
    }


def main() -> None:
    """Measure all, and print each figure as it comes; what fails to be measured is null, and the rest goes on."""
    parser = argparse.ArgumentParser(
        description=benchmarks.mpc.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default=USUAL, help="some of the parts")
    parser.add_argument("--fits", type=int, default=6, help="fits of parties, and of each curator")
    given = parser.parse_args()
    print_parts(parts(given.fits), given.only)


if __name__ == "__main__":
    main()
