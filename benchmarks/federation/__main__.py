"""See ``benchmarks.federation``."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable

import benchmarks.federation
from benchmarks import federated_networks, real_sites
from benchmarks.federation import costs, models, tables
from benchmarks.federation.figure import Row, print_parts

PARTS = ("tables", "models", "costs", "processes", "flower", "alone", "networks")
"""What is measured, in this order."""


def parts(given: argparse.Namespace) -> dict[str, Callable[[], Iterable[Row]]]:
    """Each part by name."""
    sites = [int(k) for k in given.sites.split(",")]
    return {
        "tables": lambda: tables.rows(sites, given.repeats),
        "models": lambda: models.rows(sites, given.seeds),
        "costs": costs.rows,
        "processes": real_sites.figures,
        "flower": costs.beside_flower,
        "alone": lambda: federated_networks.rows_of(("alone",), given.networks),
        "networks": lambda: federated_networks.rows_of(("warm",), given.networks),
    }


def main() -> None:
    """Measure all, and print each figure as it comes; what fails to be measured is null, and the rest goes on."""
    parser = argparse.ArgumentParser(
        description=benchmarks.federation.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default=",".join(PARTS), help="some of the parts")
    parser.add_argument("--sites", default="3,10,50")
    parser.add_argument("--repeats", type=int, default=12, help="answers of each line of tables")
    parser.add_argument("--seeds", type=int, default=20, help="fits of the default model by one curator")
    parser.add_argument("--networks", type=int, default=4, help="fits of each network, and of each site alone")
    given = parser.parse_args()
    print_parts(parts(given), given.only)


if __name__ == "__main__":
    main()
