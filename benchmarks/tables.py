"""What the models over marginals are good for and cost: Adult codes, ACS excerpts, NAFLD subjects, curves, scale.

``python -m benchmarks.tables [--seeds 5] [--parts adult,curves,nist_acs,nafld] [--scale]``, at epsilon 1 and delta 1e-9
unless a line says otherwise. ``--seeds`` is the number of independent fits of each line (their noise has no seed).
Every fit runs in a process of its own: CPU seconds count its fit and its sampling, of all threads, without imports.
The last line is one JSON object: part, line, figure, mean over the fits. ``benchmarks.utility`` defines the figures.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from typing import Any

from benchmarks import adult_codes, scale
from benchmarks.csv_tables import SOURCES, Comparison, split
from benchmarks.utility import Figures, mean

PARTS = ("adult", "curves", *SOURCES)
Lines = dict[str, Figures]
# name of the line: model, epsilon, whether the target is declared
ADULT: dict[str, tuple[str, float, bool]] = {
    "auto, target declared": ("auto", 1.0, True),
    "auto, no target": ("auto", 1.0, False),
    "loglinear, target declared": ("loglinear", 1.0, True),
    "loglinear, no target": ("loglinear", 1.0, False),
    "mst": ("mst", 1.0, False),
    "independent": ("independent", 1.0, False),
}
ENDLESS: dict[str, tuple[str, float, bool]] = {
    "auto, target declared, no guarantee": ("auto", math.inf, True),
    "auto, no target, no guarantee": ("auto", math.inf, False),
}
# points of the curves besides those of all rows at epsilon 1, which are lines of Adult
EPSILONS = (0.1, 10.0)
SHARES = (1 / 16, 1 / 4)
CSV_MODELS = ("auto", "loglinear", "mst", "independent")


def repeated(name: str, seeds: int, run: Callable[[], Figures]) -> Figures:
    """Mean of ``seeds`` runs, shown as soon as it is there."""
    found = mean([run() for _ in range(seeds)])
    show(name, found)
    return found


def show(name: str, found: Figures) -> None:
    """One line for people."""
    print(f"{name:42}", *(f"{key} {value:.4g}" for key, value in found.items()), flush=True)


def adult(seeds: int) -> Lines:
    """The lines of Adult at epsilon 1, and without a guarantee once."""
    lines = {name: mean([found]) for name, found in adult_codes.anchors().items()}
    for name, found in lines.items():
        show(name, found)
    for group, times in ((ADULT, seeds), (ENDLESS, 1)):
        for name, (model, epsilon, aware) in group.items():
            lines[name] = repeated(name, times, lambda m=model, e=epsilon, a=aware: adult_codes.run(m, e, a))
    return lines


def curves(seeds: int) -> Lines:
    """Adult by epsilon and by rows, for the default with and without a target; three fits a point at most."""
    lines: Lines = {}
    times = min(seeds, 3)
    for aware in (True, False):
        known = "target declared" if aware else "no target"
        for epsilon in EPSILONS:
            name = f"auto, {known}, epsilon {epsilon:g}"
            lines[name] = repeated(name, times, lambda e=epsilon, a=aware: adult_codes.run("auto", e, a))
        for share in SHARES:
            name = f"auto, {known}, 1/{round(1 / share)} of the rows"
            lines[name] = repeated(name, times, lambda s=share, a=aware: adult_codes.run("auto", 1.0, a, s))
    return lines


def csv_table(source: str, seeds: int) -> Lines:
    """A table of text by the path of a user; three fits a line at most."""
    with split(SOURCES[source]) as (train, test):
        comparison = Comparison(SOURCES[source], train, test)
        lines = {f"{source}: {name}": mean([found]) for name, found in comparison.anchors().items()}
        for name, found in lines.items():
            show(name, found)
        for model in CSV_MODELS:
            name = f"{source}: {model}"
            lines[name] = repeated(name, min(seeds, 3), lambda m=model: comparison.run(m, 1.0))
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="independent fits of each line")
    parser.add_argument("--parts", default=",".join(PARTS), help="which parts, separated by commas")
    parser.add_argument("--scale", action="store_true", help="ten million rows from Parquet as well: some minutes")
    options = parser.parse_args()
    parts = [part for part in options.parts.split(",") if part]
    unknown = sorted(set(parts) - set(PARTS))
    if unknown:
        parser.error(f"--parts: there is no {unknown[0]!r}; there are {', '.join(PARTS)}")
    result: dict[str, Any] = {}
    for part in parts:
        run = {"adult": adult, "curves": curves}.get(part)
        result[part] = run(options.seeds) if run else csv_table(part, options.seeds)
    if options.scale:
        result["scale"] = scale.figures(10_000_000)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
