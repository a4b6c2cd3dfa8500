"""Three processes with the engine, over mutual TLS: what holds, and how they end where something does not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfumato.cli.main import main
from sfumato.errors import EngineError
from sfumato.trust.mpc.engine import installing, local_parties
from sfumato.trust.mpc.engine.engine_plan import EnginePlan
from sfumato.trust.mpc.engine.identities import fresh_identity
from sfumato.trust.mpc.engine.liveness import ENDED
from sfumato.trust.mpc.engine.lowering import lower
from sfumato.trust.mpc.engine.rehearsed import looking_up

pytestmark = pytest.mark.engine

NORTH, EAST, WEST = range(3)
GONE, REFUSED = 15, 10
"""Seconds after which others have ended: of a party that is gone, and of one that is refused."""
ROWS = jax.ShapeDtypeStruct((8, 5), jnp.float32)
CODES = jax.ShapeDtypeStruct((8,), jnp.int32)


def long_work(x, y, z):
    """Minutes, where nobody ends it."""
    return jax.lax.fori_loop(0, 10**6, lambda _, s: jnp.maximum(s * y, z), x)


def short_work(x, y, z):
    return x * y + z


class Parties:
    """Three processes of one plan, each in its folder."""

    def __init__(self, engine: Path, folder: Path, function: Callable = short_work, patience: float = 60.0) -> None:
        self.engine, self.folder, self.patience = engine, folder / "parties", patience
        program = lower(function, ROWS, ROWS, ROWS)
        self.plan = local_parties.local_plan(self.folder, program)
        self.processes: dict[int, subprocess.Popen[str]] = {}

    def files(self, rank: int, plan: EnginePlan | None = None) -> Path:
        given = {rank: np.ones(ROWS.shape, np.float32)}
        return local_parties.write_party(self.folder, plan or self.plan, rank, given, self.engine, self.patience)

    def start(self, *ranks: int, changed: str = "", plan: EnginePlan | None = None) -> None:
        """Start parties; ``changed`` is what a rogue one does first, as Python text."""
        for rank in ranks:
            start = local_parties._START.replace("\nmain(said)", f"\n{changed}\nmain(said)")
            python, package = installing.python_of(self.engine), str(local_parties._PACKAGE)
            command = [str(python), "-I", "-c", start, package, str(self.files(rank, plan))]
            with (self.folder / f"{rank}.err").open("w") as said:
                self.processes[rank] = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, text=True)

    def wait_for(self, text: str, *ranks: int) -> None:
        end = time.monotonic() + 30
        while not all(text in self.said(rank) for rank in ranks):
            assert time.monotonic() < end, [self.said(rank) for rank in ranks]
            time.sleep(0.02)

    def said(self, rank: int) -> str:
        return (self.folder / f"{rank}.err").read_text()

    def ended(self, within: float, *ranks: int) -> list[int]:
        """Exit codes; TimeoutExpired where one still runs."""
        end = time.monotonic() + within
        return [self.processes[rank].wait(max(0.1, end - time.monotonic())) for rank in ranks]

    def opened(self) -> list[Path]:
        return list(self.folder.glob("*/output_*"))

    def close(self) -> None:
        for process in self.processes.values():
            process.send_signal(signal.SIGKILL)
            process.communicate()


@pytest.fixture
def parties(engine, tmp_path):
    made: list[Parties] = []

    def make(function: Callable = short_work, patience: float = 60.0) -> Parties:
        made.append(Parties(engine, tmp_path, function, patience))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_the_engine_does_what_is_relied_on(engine, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["party", "rehearse", str(engine), "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["held"], found
    assert ended.value.code == 0
    assert len(found["tried"]) == 6


def test_the_result_is_opened_to_its_receiver_alone(parties):
    run = parties()
    run.start(NORTH, EAST, WEST)
    assert run.ended(60, NORTH, EAST, WEST) == [0, 0, 0]
    (found,) = run.opened()
    assert found.parent.name == "north"
    assert np.abs(np.load(found) - 2).max() < 1e-4


@pytest.mark.parametrize("moment", ["start", "connected", "shared"])
@pytest.mark.parametrize("killed", [NORTH, WEST], ids=["receiver", "another"])
def test_where_a_party_is_killed_the_others_end_and_nothing_is_opened(parties, moment, killed):
    run = parties(long_work, patience=5 if moment == "start" else 60)
    others = [rank for rank in (NORTH, EAST, WEST) if rank != killed]
    run.start(*others) if moment == "start" else run.start(NORTH, EAST, WEST)
    if moment != "start":
        run.wait_for(moment, killed)
        run.processes[killed].kill()
    assert run.ended(GONE, *others) == [ENDED, ENDED]
    gone = local_parties.NAMES[killed]
    assert any(f"{gone} is" in run.said(rank) for rank in others), [run.said(rank) for rank in others]
    assert all(len(run.said(rank).splitlines()[-1]) < 200 for rank in others)
    assert run.opened() == []


def test_where_a_party_is_stopped_the_others_end(parties):
    run = parties(long_work)
    run.start(NORTH, EAST, WEST)
    run.wait_for("shared", NORTH, EAST, WEST)
    os.kill(run.processes[EAST].pid, signal.SIGSTOP)
    assert run.ended(GONE, NORTH, WEST) == [ENDED, ENDED]
    assert "silent too long" in run.said(NORTH) + run.said(WEST)


@pytest.mark.parametrize("whose", ["of nobody", "of another party"])
def test_a_certificate_that_is_not_the_partys_is_refused(parties, whose):
    run = parties(patience=5)
    if whose == "of nobody":
        for name in ("key.pem", "certificate.pem"):
            (run.folder / "east" / name).unlink()
        shown = fresh_identity(run.folder / "east", "east")
    else:
        shown = run.plan.parties[WEST].certificate
        for name in ("key.pem", "certificate.pem"):
            (run.folder / "east" / name).write_bytes((run.folder / "west" / name).read_bytes())
    pins = "from sfumato.trust.mpc.engine import mesh\nplain = mesh.ssl.PEM_cert_to_DER_cert\n"
    lie = f"mesh.ssl.PEM_cert_to_DER_cert = lambda t: plain(t if t != {run.plan.parties[EAST].certificate!r} else"
    run.start(EAST, changed=f"{pins}{lie} {shown!r})")
    run.start(NORTH, WEST)
    assert run.ended(REFUSED, NORTH, EAST, WEST) == [ENDED] * 3
    lines = ("not let this party in", "refuses this party", "north is not at")
    assert any(line in run.said(EAST).splitlines()[-1] for line in lines), run.said(EAST)
    others = run.said(NORTH) + run.said(WEST)
    assert "nothing was sent to it" in others or "a caller was refused: it" in others
    assert run.opened() == []


def test_a_party_with_another_plan_is_refused(parties):
    run = parties(patience=5)
    run.start(EAST, plan=replace(run.plan, longest=run.plan.longest + 1))
    run.start(NORTH, WEST)
    assert run.ended(REFUSED, EAST) == [ENDED]
    assert "has another plan" in run.said(EAST).splitlines()[-1]


ROGUES = {
    "short share": ("SHARE", "content[:-1]", "sent a share of input 1 of another form"),
    "long share": ("SHARE", "content + b'0'", "sent a share of input 1 of another form"),
    "share with another head": ("SHARE", "b'0' * 8 + content[8:]", "sent a share of input 1 of another form"),
    "false share of a result": (
        "SHARE",
        "(content if 'input' in name else content[:-1] + bytes([content[-1] ^ 1]))",
        "the shares of output 0 contradict each other",
    ),
    "absurd length": ("ENGINE", "bytes(1 << 26)", "of which the plan allows"),
}


@pytest.mark.parametrize("name", ROGUES)
def test_what_a_party_may_not_send_ends_the_run(parties, name):
    kind, content, said = ROGUES[name]
    run = parties()
    run.start(NORTH, WEST)
    run.start(
        EAST,
        changed="from sfumato.trust.mpc.engine.frames import FrameKind, FrameWriter\nright = FrameWriter.write\n"
        f"def rogue(self, kind, name='', content=b''):\n"
        f"    right(self, kind, name, {content} if kind == FrameKind.{kind} else content)\n"
        "FrameWriter.write = rogue",
    )
    assert run.ended(GONE, NORTH, WEST) == [ENDED, ENDED]
    assert said in run.said(NORTH) + run.said(WEST), (run.said(NORTH), run.said(WEST))
    assert run.opened() == []


def test_a_secret_that_the_engine_opens_voids_the_run(engine, tmp_path, monkeypatch):
    """A program that the list of what is allowed refuses, let through: the engine opens an index and goes on."""
    monkeypatch.setattr("sfumato.trust.mpc.engine.lowering.check_program", lambda text: None)
    program = lower(looking_up, ROWS, CODES)
    arrays = [np.ones(ROWS.shape, np.float32), np.arange(8, dtype=np.int32) % 5]
    with pytest.raises(EngineError, match="gather with an index that is secret"):
        local_parties.run_locally(engine, tmp_path / "checked", program, arrays)
    monkeypatch.setattr(local_parties, "check_program", lambda text: None)
    with pytest.raises(EngineError, match="the engine opened a secret that nobody asked it to open: this run is void"):
        local_parties.run_locally(engine, tmp_path / "void", program, arrays)
    assert list((tmp_path / "void").glob("*/output_*")) == []


def test_without_a_package_index_nothing_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    with pytest.raises(EngineError, match="cannot be had from the package index of pip; nothing was left behind"):
        installing.install(tmp_path / "engine")
    assert list(tmp_path.iterdir()) == []


def test_a_file_with_another_hash_is_not_installed(tmp_path):
    known = installing.REQUIREMENTS.read_text()
    requirements = tmp_path / "requirements.txt"
    name = next(line for line in known.splitlines() if line.startswith("numpy==")).split(" ")[0]
    requirements.write_text(f"{name} --hash=sha256:{'0' * 64}\n")
    with pytest.raises(EngineError, match="another file than the one that is known by its hash"):
        installing.install(tmp_path / "engine", requirements)
    assert [path.name for path in tmp_path.iterdir()] == ["requirements.txt"]
