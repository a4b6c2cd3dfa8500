"""Fresh environments: the wheel without extras, with each, at the oldest and the newest versions that it allows.

Each is made outside the checkout, from the built wheel, and runs the whole way by processes (sketch, review, fit,
verify, sample) and then the blocks of the README whose extras it has, in their order. No package of an extra that it
lacks can be imported. What the wheel takes on disk, and how long it takes to start, is measured without extras. Costs
minutes and gigabytes.

    python -m benchmarks.edges.environments plain readme     # what CI runs
    python -m benchmarks.edges environments                  # all
"""

from __future__ import annotations

import json
import math
import os
import re
import resource
import subprocess
import sys
import tempfile
import tomllib
import venv
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.edges.readme import blocks
from sfumato.extras import EXTRAS

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MOST_MB, SLOWEST_START, SLOWEST_IMPORT = 500, 0.3, 0.05
"""What the environment of the wheel may take on disk, the command line to start, and ``import sfumato`` (seconds)."""
_STARTS = 10

_BROUGHT_BY_OTHERS = {"pandas", "polars", "duckdb", "PIL"}
"""Packages of one extra that another may bring along: matplotlib brings Pillow, Ibis DuckDB."""
_ROWS = 2000
_PATIENCE = 1500
_DATA = f"""
import shutil
import sfumato as sf
sf.Table(sf.examples.adult().arrow.slice(0, {_ROWS})).write("people.csv")
sf.Table(sf.examples.adult().arrow.slice(0, {_ROWS // 2})).write("holdout.csv")  # values that the draft has seen
shutil.copy(sf.examples.digits_schema(), "digits.yaml")
"""
_DATABASE = """
import duckdb
with duckdb.connect("people.duckdb") as db:
    db.execute("CREATE TABLE people AS SELECT * FROM read_csv('people.csv', nullstr='')")
"""
_WHOLE_WAY = (
    "sketch people.csv -o draft.yaml",
    "review draft.yaml --template answers.yaml",
    "review draft.yaml --answers answers.yaml -o schema.yaml",
    "fit people.csv --schema schema.yaml --epsilon 1 --delta 1e-6 -o whole.sfm",
    "verify whole.sfm",
    "sample whole.sfm -n 100 -o whole.csv",
)


@dataclass(frozen=True)
class Environment:
    """One to be made.

    Attributes:
        name: what it is called in the figures.
        extras: of the wheel.
        versions: ``pinned`` (those of the tests), ``oldest`` that the metadata allows, or ``newest`` there are.
        readme: whether the README's blocks run in it; the whole way does in each.
    """

    name: str
    extras: tuple[str, ...] = ()
    versions: str = "pinned"
    readme: bool = True


CI = (Environment("plain", readme=False), Environment("readme", tuple(EXTRAS)))
"""What is tried at each change: the whole way without extras, and the README with all of them."""

EDGES = (
    Environment("without extras"),
    *(Environment(f"with {extra}", (extra,)) for extra in EXTRAS),
    Environment("oldest", tuple(EXTRAS), "oldest"),
    Environment("newest", tuple(EXTRAS), "newest"),
)


class Failed(Exception):  # noqa: N818 - reads as what it is
    """A process of a fresh environment failed."""


def run(command: Sequence[str], folder: Path) -> str:
    """Standard output of a process that knows of no checkout; Failed with its last lines."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV", "SFUMATO"))}
    done = subprocess.run(command, cwd=folder, env=kept, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    if done.returncode:
        shown = " ".join(command)[-300:]
        raise Failed(f"{shown}\nexit code {done.returncode}\n{done.stdout[-1500:]}\n{done.stderr[-3000:]}")
    return done.stdout


def oldest() -> list[str]:
    """The smallest version that each requirement of a user allows, as constraints."""
    wanted = [*PROJECT["dependencies"], *(r for extra in EXTRAS for r in PROJECT["optional-dependencies"][extra])]
    bounds = (re.match(r"([A-Za-z0-9_.-]+)(?:\[[^]]*\])?>=([^,;]+)", requirement) for requirement in wanted)
    return [f"{found[1]}=={found[2]}" for found in bounds if found]


def wheel(folder: Path) -> Path:
    """The built wheel."""
    run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT)], folder)
    (built,) = folder.glob("sfumato-*.whl")
    _check_description(built)
    return built


def _check_description(built: Path) -> None:
    """Failed where what a package index shows links to files that it does not have."""
    with zipfile.ZipFile(built) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        text = archive.read(name).decode()
    lost = re.findall(r"\]\((?!https?:|#)([^)]+)\)", text)
    if lost or "pip install sfumato" not in text:
        raise Failed(f"the description of {built.name} links to {lost}, or is not the README")


def made(environment: Environment, built: Path, folder: Path) -> Path:
    """The interpreter of a new environment with the wheel installed."""
    venv.create(folder / "env", with_pip=True)
    python = folder / "env" / "bin" / "python"
    pins = {"pinned": (ROOT / "constraints.txt").read_text(), "oldest": "\n".join(oldest()), "newest": ""}
    (folder / "pins.txt").write_text(pins[environment.versions])
    extras = f"[{','.join(environment.extras)}]" if environment.extras else ""
    install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-c", "pins.txt", f"{built}{extras}"]
    run([str(python), *install], folder)
    return python


def try_out(environment: Environment, built: Path) -> list[dict[str, Any]]:
    """Make it and run all that it must: one figure of the commands that ran, and more without extras; else Failed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        python = made(environment, built, folder)
        _check_lacks(environment, python, folder)
        whole = folder / "whole"
        whole.mkdir()  # a folder of its own: no table may be written over one with a ledger
        for each in (folder, whole):
            run([str(python), "-c", _DATA], each)
        if "sql" in environment.extras:
            run([str(python), "-c", _DATABASE], folder)
        ran = [_step([str(python.with_name("sfumato")), *line.split()], whole) for line in _WHOLE_WAY]
        if environment.readme:
            for block in blocks(ROOT / "README.md"):
                if block.extras <= set(environment.extras):
                    ran += [_step(command, folder) for command in block.commands(python)]
        return [_figure(f"commands in {environment.name}", len(ran)), *([] if environment.extras else weighed(python))]


def _check_lacks(environment: Environment, python: Path, folder: Path) -> None:
    """That no package can be imported which only extras bring that are not there; Failed otherwise."""
    has = {package for extra in environment.extras for package in EXTRAS[extra]}
    lacks = sorted({package for packages in EXTRAS.values() for package in packages} - has - _BROUGHT_BY_OTHERS)
    code = f"import importlib.util as u; found = [p for p in {lacks} if u.find_spec(p)]; assert not found, found"
    run([str(python), "-c", code], folder)


def weighed(python: Path) -> list[dict[str, Any]]:
    """Figures of an environment: MB on disk, as ``du -sm`` counts them, and seconds until the program starts.

    Seconds are of one core, the least of a few starts, so that other work on the machine does not count; beside them,
    how many starts of Python itself they are.
    """
    (packages,) = (python.parents[1] / "lib").glob("python*/site-packages")
    taken = {path.name: _megabytes(path) for path in packages.iterdir()}
    largest = sorted(taken, key=lambda name: -taken[name])[:8]
    print("MB: " + ", ".join(f"{name} {taken[name]}" for name in largest), file=sys.stderr)
    nothing = _start([str(python), "-c", "pass"])
    found = [_figure("MB of the plain environment", _megabytes(packages), MOST_MB)]
    for what, command, limit in (
        ("sfumato --version", [str(python.with_name("sfumato")), "--version"], SLOWEST_START),
        ("import sfumato", [str(python), "-c", "import sfumato"], SLOWEST_IMPORT),
    ):
        seconds = _start(command)
        found.append(_figure(f"{what}: seconds", round(seconds, 3), limit) | {"starts": round(seconds / nothing, 1)})
    return found


def _megabytes(path: Path) -> int:
    return int(subprocess.run(["du", "-sm", str(path)], capture_output=True, text=True, check=True).stdout.split()[0])


def _start(command: Sequence[str]) -> float:
    """Seconds of processor time that a process takes, the least of several."""
    least = math.inf
    for _ in range(_STARTS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        least = min(least, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return least


def _figure(name: str, value: float, limit: float | None = None) -> dict[str, Any]:
    """A figure that is met up to its limit, or, where it has none, as all ran."""
    return {
        "name": name,
        "value": value,
        "limit": "all" if limit is None else limit,
        "met": limit is None or value <= limit,
    }


def _step(command: list[str], folder: Path) -> str:
    run(command, folder)
    if "--template" in command:
        _answer(folder / command[command.index("--template") + 1])
    return " ".join(command[1:])[:100]


def _answer(template: Path) -> None:
    """What a reviewer would fill in: the census publishes all that the draft holds."""
    text = template.read_text().replace('by: ""', 'by: "A. Reader"').replace('on: ""', 'on: "2026-01-31"')
    template.write_text(text.replace('public: ""', 'public: "published with the census"'))


def figures(most: int = len(EDGES)) -> list[dict[str, Any]]:
    """The figures of the first ``most`` of ``EDGES``."""
    return tried(EDGES[:most])


def tried(chosen: Sequence[Environment]) -> list[dict[str, Any]]:
    """The figures of each environment; one of no commands, not met, where one failed."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        built = wheel(Path(folder))
        for environment in chosen:
            try:
                found += try_out(environment, built)
            except Failed as failure:
                print(f"{environment.name}: {failure}", file=sys.stderr)
                found.append({**_figure(f"commands in {environment.name}", 0), "met": False})
    return found


def main(names: Sequence[str]) -> None:
    """Try the named environments, or all; exit code 1 where one fails."""
    found = tried([e for e in (*CI, *EDGES) if not names or e.name in names])
    print(json.dumps({"figures": found}))
    sys.exit(0 if all(figure["met"] for figure in found) else 1)


if __name__ == "__main__":
    main(sys.argv[1:])
