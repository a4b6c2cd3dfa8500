"""Three parties as processes of this machine, over the connections that they would have between machines."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sfumato.errors import EngineError
from sfumato.trust.mpc.engine.allowed import check_program
from sfumato.trust.mpc.engine.engine_plan import PARTIES, EngineParty, EnginePlan, SharedArray
from sfumato.trust.mpc.engine.identities import check_keys, fresh_identity
from sfumato.trust.mpc.engine.installing import package_of, python_of
from sfumato.trust.mpc.engine.lowering import Program

NAMES = ("north", "east", "west")
"""Of the parties."""
HERE = "127.0.0.1"
"""Where they listen: nobody else reaches them."""
PATIENCE = 60.0
"""Seconds for the processes to find each other: most take one."""
_START = """\
import importlib.util as u, sys
package, said = sys.argv[1:]
spec = u.spec_from_file_location("sfumato", package + "/__init__.py", submodule_search_locations=[package])
sys.modules["sfumato"] = module = u.module_from_spec(spec)
spec.loader.exec_module(module)
from sfumato.trust.mpc.engine.party_process import main
main(said)
"""
"""This package alone becomes importable in the engine's environment, nothing that lies beside it."""
_PACKAGE = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class RunOnShares:
    """What came of a program on shares.

    Attributes:
        results: in the order of the program's.
        bytes_sent: by the party that sent most.
        cpu_seconds: of the party that took most.
    """

    results: list[np.ndarray]
    bytes_sent: int
    cpu_seconds: float


def run_locally(
    engine: Path, folder: Path, program: Program, arrays: Sequence[np.ndarray], patience: float = PATIENCE
) -> RunOnShares:
    """Run ``program`` on ``arrays`` over three processes: they give the arrays in turn, the first gets the results.

    Args:
        engine: folder of the engine.
        folder: for keys, plan, shares' owners' files and logs; made anew, for this account alone.
        program: to be run.
        arrays: its arguments.
        patience: seconds for the processes to find each other.

    Raises:
        EngineError: a process ended before its time; it says what the processes said.
    """
    plan = local_plan(folder, program)
    paths = []
    for rank in range(PARTIES):
        given = {place: arrays[place] for place, array in enumerate(plan.inputs) if plan.rank(array.party) == rank}
        paths.append(write_party(folder, plan, rank, given, engine, patience))
    processes = [start_party(engine, path) for path in paths]
    said = [process.communicate() for process in processes]
    if any(process.returncode for process in processes):
        lines = [f"{n}: {err.strip().splitlines()[-1]}" for n, (_, err) in zip(NAMES, said, strict=True) if err.strip()]
        raise EngineError("a run on shares ended before its time; " + "; ".join(lines))
    figures = [json.loads(out) for out, _ in said]
    results = [np.load(folder / NAMES[0] / f"output_{k}.npy", allow_pickle=False) for k in range(len(plan.outputs))]
    return RunOnShares(results, max(f["bytes_sent"] for f in figures), max(f["cpu_seconds"] for f in figures))


def local_plan(folder: Path, program: Program) -> EnginePlan:
    """A plan of three parties here, with fresh keys in ``folder``."""
    folder.mkdir(mode=0o700)
    parties = []
    for name, port in zip(NAMES, _free_ports(), strict=True):
        (folder / name).mkdir()
        parties.append(EngineParty(name, HERE, port, fresh_identity(folder / name, name)))
    inputs = tuple(SharedArray(*form, NAMES[k % PARTIES]) for k, form in enumerate(program.inputs))
    outputs = tuple(SharedArray(*form, NAMES[0]) for form in program.outputs)
    return EnginePlan(program.text, inputs, outputs, tuple(parties), program.longest)


def write_party(
    folder: Path, plan: EnginePlan, rank: int, given: dict[int, np.ndarray], engine: Path, patience: float
) -> Path:
    """The files of a party's process; returns the one that says where the others are.

    Raises:
        EngineError: its program may not run on shares, or two parties of the plan are one.
    """
    check_program(plan.program)
    check_keys(plan)
    own = folder / NAMES[rank]
    (own / "plan.json").write_bytes(plan.to_bytes())
    inputs = {place: str(own / f"input_{place}.npy") for place in given}
    for place, array in given.items():
        np.save(inputs[place], array, allow_pickle=False)
    said = {
        "plan": str(own / "plan.json"),
        "rank": rank,
        "certificate": str(own / "certificate.pem"),
        "key": str(own / "key.pem"),
        "listen": HERE,
        "inputs": inputs,
        "results": str(own),
        "spu": str(package_of(engine)),
        "patience": patience,
    }
    path = own / "party.json"
    path.write_text(json.dumps(said))
    return path


def start_party(engine: Path, said: Path) -> subprocess.Popen[str]:
    """The process of a party, which runs what the file ``said`` says."""
    command = [str(python_of(engine)), "-I", "-c", _START, str(_PACKAGE), str(said)]
    return subprocess.Popen(command, cwd=said.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _free_ports() -> list[int]:
    """Ports that nobody listens on now."""
    held = [socket.create_server((HERE, 0)) for _ in range(PARTIES)]
    try:
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()
