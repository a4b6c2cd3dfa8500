"""Fresh environments: the wheel without extras, with each, at the oldest and the newest versions that it allows.

Each is made outside the checkout, from the built wheel, and runs the whole way by processes (sketch, review, fit,
verify, sample) and then the blocks of the README whose extras it has, in their order. Costs minutes and gigabytes.

    python -m benchmarks.edges.environments plain readme     # what CI runs
    python -m benchmarks.edges environments                  # all
"""

from __future__ import annotations

import json
import os
import re
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

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = ("frames", "sql")
"""Those that a user installs; the others are for work on sfumato itself."""

_ROWS = 2000
_PATIENCE = 1500
_DATA = f"""
import shutil
import sfumato as sf
sf.Table(sf.examples.adult().arrow.slice(0, {_ROWS})).write("people.csv")
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


CI = (Environment("plain", readme=False), Environment("readme", EXTRAS))
"""What is tried at each change: the whole way without extras, and the README with all of them."""

EDGES = (
    Environment("without extras"),
    *(Environment(f"with {extra}", (extra,)) for extra in EXTRAS),
    Environment("oldest", EXTRAS, "oldest"),
    Environment("newest", EXTRAS, "newest"),
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


def try_out(environment: Environment, built: Path) -> list[str]:
    """Make it and run all that it must; the commands that ran. Failed otherwise."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        python = made(environment, built, folder)
        run([str(python), "-c", _DATA], folder)
        if "sql" in environment.extras:
            run([str(python), "-c", _DATABASE], folder)
        ran = [_step([str(python.with_name("sfumato")), *line.split()], folder) for line in _WHOLE_WAY]
        if environment.readme:
            for block in blocks(ROOT / "README.md"):
                if block.extras <= set(environment.extras):
                    ran += [_step(command, folder) for command in block.commands(python)]
        return ran


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
    """One figure for each of the first ``most`` of ``EDGES``."""
    return tried(EDGES[:most])


def tried(chosen: Sequence[Environment]) -> list[dict[str, Any]]:
    """One figure per environment: how many commands ran in it, and whether all did."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        built = wheel(Path(folder))
        for environment in chosen:
            try:
                value, met = len(try_out(environment, built)), True
            except Failed as failure:
                print(f"{environment.name}: {failure}", file=sys.stderr)
                value, met = 0, False
            found.append({"name": f"commands in {environment.name}", "value": value, "limit": "all", "met": met})
    return found


def main(names: Sequence[str]) -> None:
    """Try the named environments, or all; exit code 1 where one fails."""
    found = tried([e for e in (*CI, *EDGES) if not names or e.name in names])
    print(json.dumps({"figures": found}))
    sys.exit(0 if all(figure["met"] for figure in found) else 1)


if __name__ == "__main__":
    main(sys.argv[1:])
