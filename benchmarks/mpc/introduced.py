"""Three parties and a coordinator in folders of this machine, and the processes of the parties."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import sfumato as sf

PERSONS = "persons.txt"
"""File of a folder with the list of persons; the rows of a party lie beside it in ``NAME.csv``."""


def introduced(
    folder: Path, schema: sf.Schema, held: Mapping[str, Sequence[str]], key: str, model: str, port: int
) -> tuple[sf.Federation, Path]:
    """The receiver, to be reached at ``port`` of this machine, and the plan of the parties who hold columns so."""
    federation = sf.Federation.make(
        folder / "co",
        schema,
        list(held),
        sf.Guarantee(1, 1e-9),
        model=model,
        address=f"localhost:{port}",
        columns=held,
        key=key,
        persons=folder / PERSONS,
    )
    made = {name: sf.Site.make(folder / name, name) for name in held}
    plan = federation.invite([request for _, request in made.values()])
    told = {name: site.fingerprint for name, (site, _) in made.items()}
    for name, (site, _) in made.items():
        site.confirm({other: known for other, known in told.items() if other != name})
    return federation, plan


@contextmanager
def running(folder: Path, plan: Path, names: Sequence[str]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The parties' processes while the block lasts, each with a log beside its rows."""
    processes = []
    try:
        for name in names:
            words = ["party", "run", plan, folder / f"{name}.csv", "--persons", folder / PERSONS]
            command = [sys.executable, "-m", "sfumato.cli", *map(str, words), "--party", str(folder / name)]
            with (folder / f"{name}.log").open("wb") as log:
                processes.append(subprocess.Popen(command, stdout=log, stderr=log))
        yield processes
    finally:
        for process in processes:
            process.terminate()
            process.wait()
