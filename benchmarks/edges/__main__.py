"""Try the edges of the promise: ``python -m benchmarks.edges [PART [SIZE]] ...``; without names, all parts.

Each part runs in a process of its own, and what it prints goes before. The last line is one JSON object, ``figures``:
each has a name, a value, its limit, and whether it was met. A part that is missing, fails or gives no figure has the
value null, and has not met its limit. SIZE is a whole number that the part takes for how much it is to try.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

PARTS = {
    name: f"benchmarks.edges.{name}"
    for name in ("cells", "mutants", "audits", "adaptive", "distinguisher", "environments")
}
_RUN = """
import json, sys
from importlib import import_module
module, path, *sizes = sys.argv[1:]
found = import_module(module).figures(*map(int, sizes))
with open(path, "w", encoding="utf-8") as file:
    json.dump(found, file)
"""


def run(part: str, module: str, sizes: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The figures of one part, from a process of its own; one that is null where there are none that can be read."""
    began = perf_counter()
    print(f"== {part}", flush=True)
    with tempfile.TemporaryDirectory(prefix="edges-") as folder:
        path = Path(folder) / "figures.json"
        code = subprocess.run([sys.executable, "-c", _RUN, module, str(path), *sizes], check=False).returncode
        found = _read(path) if code == 0 else None
    print(f"== {part}: {perf_counter() - began:.0f} s", flush=True)
    return found or [{"name": part, "value": None, "limit": None, "met": False}]


def _read(path: Path) -> list[dict[str, Any]] | None:
    """Figures as a part left them; None where they are not figures."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(found, list) or not all(
        isinstance(f, dict) and {"name", "value", "met"} <= f.keys() for f in found
    ):
        return None
    return [{"limit": None, **f, "met": f["met"] is True and _is_a_value(f["value"])} for f in found]


def _is_a_value(value: Any) -> bool:
    """NaN is none: it would be neither above a limit nor below it."""
    return value is not None and value == value


def wanted(arguments: Sequence[str], parts: Mapping[str, str]) -> dict[str, list[str]]:
    """The parts that are named, each with the sizes that follow it; all of them where none is."""
    found: dict[str, list[str]] = {}
    for argument in arguments:
        if argument in parts:
            found[argument] = []
        elif found and argument.isdecimal():
            found[list(found)[-1]].append(argument)
        else:
            sys.exit(f"no part is called {argument!r}; there are {', '.join(parts)}")
    return found or {part: [] for part in parts}


def main(arguments: Sequence[str], parts: Mapping[str, str] = PARTS) -> int:
    """Exit status: 0 where every limit is met."""
    figures = [f for part, sizes in wanted(arguments, parts).items() for f in run(part, parts[part], sizes)]
    for figure in figures:
        met = "met" if figure["met"] else "NOT MET"
        print(f"{met:8s} {figure['name']}: {figure['value']} (limit {figure['limit']})")
    print(json.dumps({"figures": figures}), flush=True)
    return 0 if all(figure["met"] for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
