"""Known advisories against the pinned versions, from the package index that pip itself uses.

An index may give them in the JSON it keeps of each version (``vulnerabilities``); many mirrors do not. What was not
answered is never taken for sound: the figure is then null, and its limit not met.

    python -m benchmarks.advisories                # every pin of constraints.txt
    python -m benchmarks.advisories cryptography   # some of them
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

CONSTRAINTS = Path(__file__).resolve().parents[1] / "constraints.txt"
_PATIENCE = 20
_ENOUGH = 3
"""So many pins in a row without an answer say that the index gives none at all."""


class Unreachable(Exception):  # noqa: N818 - reads as what it is
    """The index gives no advisories."""


def index() -> str:
    """The address of the index, without the last part, as pip's own help states it with all its configuration."""
    command = [sys.executable, "-m", "pip", "install", "--help"]
    wide = {**os.environ, "COLUMNS": "1000"}
    shown = " ".join(subprocess.run(command, env=wide, capture_output=True, text=True, check=True).stdout.split())
    found = re.search(r"--index-url <url> .*?\(default:? (https?://[^\s)]+)\)", shown)
    if found is None:
        raise Unreachable("pip names no index on the network")
    return found[1].rstrip("/").removesuffix("/simple")


def pins(names: Sequence[str] = ()) -> dict[str, str]:
    """Versions by name, of all that is pinned or of some."""
    known = dict(line.split("==") for line in CONSTRAINTS.read_text().splitlines() if "==" in line)
    if unknown := set(names) - known.keys():
        sys.exit(f"not pinned: {', '.join(sorted(unknown))}")
    return {name: known[name] for name in names or known}


def advisories(address: str, name: str, version: str) -> list[str] | None:
    """The advisories that stand against a version, each with the versions that mend it; None: the index has no answer.

    Raises:
        Unreachable: there is nobody to ask.
    """
    try:
        with urlopen(f"{address}/pypi/{name}/{version}/json", timeout=_PATIENCE) as answer:
            known = json.load(answer).get("vulnerabilities")
    except HTTPError:
        return None
    except (OSError, ValueError) as error:
        raise Unreachable(f"the index cannot be asked ({type(error).__name__})") from None
    if known is None:
        return None
    stands = [advisory for advisory in known if not advisory.get("withdrawn")]
    return [f"{advisory['id']} (mended in {', '.join(advisory['fixed_in']) or 'no version'})" for advisory in stands]


def asked(address: str, versions: Mapping[str, str]) -> tuple[dict[str, list[str]], list[str]]:
    """Advisories by name, and the names that the index has no answer for; Unreachable where it answers for none."""
    found: dict[str, list[str]] = {}
    silent: list[str] = []
    for name, version in versions.items():
        known = advisories(address, name, version)
        if known is None:
            silent.append(name)
        else:
            found[name] = known
        if not found and len(silent) >= min(_ENOUGH, len(versions)):
            raise Unreachable("the index keeps no advisories")
    return found, silent


def main(names: Sequence[str]) -> int:
    """Exit code 0 where the index answered for every pin and no advisory stands against one."""
    value: int | None = None
    try:
        found, silent = asked(index(), pins(names))
    except Unreachable as reason:
        print(f"advisories were not checked: {reason}")
    else:
        for name, known in found.items():
            for advisory in known:
                print(f"{name}: {advisory}")
        if silent:
            print(f"no answer for {', '.join(silent)}")
        else:
            value = sum(map(bool, found.values()))
    print(json.dumps({"figures": [{"name": "pins with advisories", "value": value, "limit": 0, "met": value == 0}]}))
    return 0 if value == 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
