"""Plant mutants, and say which were caught: ``python -m benchmarks.mutants [--tenth] [WORD ...]``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from time import perf_counter

from benchmarks.mutants import AREAS, MUTANTS, commit, tenth
from benchmarks.mutants.mutant import Mutant
from benchmarks.mutants.running import accused, check_that_copies_run, judged


def chosen(words: Sequence[str], tenth_only: bool) -> tuple[Mutant, ...]:
    """All, or the tenth of this commit; with words those of the areas and names that hold one of them."""
    words = [word.lower() for word in words]
    wanted = tenth(MUTANTS, commit()) if tenth_only else MUTANTS
    area = {mutant.name: name for name, mutants in AREAS.items() for mutant in mutants}
    return tuple(m for m in wanted if not words or any(w in m.name.lower() or w == area[m.name] for w in words))


def main(arguments: list[str]) -> int:
    """Exit status: 0 where all are caught and the right build is not accused."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutants", description=__doc__, allow_abbrev=False)
    parser.add_argument("words", nargs="*", metavar="WORD", help=f"of a name, or an area: {', '.join(AREAS)}")
    parser.add_argument("--tenth", action="store_true", help="only the tenth of this commit")
    given = parser.parse_args(arguments)
    began, mutants = perf_counter(), chosen(given.words, given.tenth)
    check_that_copies_run()
    caught = []
    for verdict in judged(mutants):
        caught.append(verdict.outcome == "caught")
        print(f"{verdict.outcome:8s} {verdict.seconds:5.1f} s  {verdict.mutant.name}", flush=True)
        print(f"{'':18s}{verdict.shown}", flush=True)
    alarms = accused(mutants)
    for alarm in alarms:
        print(f"accused: {alarm}", flush=True)
    found = {
        "planted": len(mutants),
        "caught": sum(caught),
        "right_build_accused": len(alarms),
        "seconds": round(perf_counter() - began, 1),
    }
    print(json.dumps(found))
    return 0 if all(caught) and mutants and not alarms else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
