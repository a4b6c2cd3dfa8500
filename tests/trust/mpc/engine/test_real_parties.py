"""Three processes with the engine, over mutual TLS: what holds, and how they end where something does not."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfumato.cli.main import main
from sfumato.errors import EngineError
from sfumato.trust.mpc.engine import installing, local_parties, session
from sfumato.trust.mpc.engine.engine_plan import EnginePlan
from sfumato.trust.mpc.engine.identities import fresh_identity
from sfumato.trust.mpc.engine.liveness import ENDED
from sfumato.trust.mpc.engine.lowering import lower
from sfumato.trust.mpc.engine.rehearsed import looking_up
from sfumato.trust.mpc.engine.run_order import (
    Additive,
    Keep,
    KeptSecret,
    Opened,
    OpenTo,
    OwnSecret,
    Parts,
    PeerSecret,
    PublicInput,
)
from sfumato.trust.mpc.engine.session import EngineSession

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
    """Three sessions of one plan, each in a thread, with a run of one program."""

    def __init__(self, engine: Path, folder: Path, function: Callable = short_work, patience: float = 60.0) -> None:
        self.engine, self.folder, self.patience = engine, folder / "parties", patience
        self.program = lower(function, ROWS, ROWS, ROWS)
        self.plan = local_parties.local_plan(self.folder)
        self.sessions: dict[int, EngineSession] = {}
        self.found: dict[int, Future[list[np.ndarray | None]]] = {}
        self.pool = ThreadPoolExecutor(3)

    def start(self, *ranks: int, changed: str = "", plan: EnginePlan | None = None) -> None:
        """Start parties; ``changed`` is what a rogue one does first, as Python text."""
        start = session._START
        assert start.endswith("\nmain()\n")
        for rank in ranks:
            keys, own = local_parties.local_keys(self.folder, rank), self.folder / local_parties.NAMES[rank]
            session._START = start.removesuffix("main()\n") + f"{changed}\nmain()\n"
            try:
                made = EngineSession.start(self.engine, own, plan or self.plan, keys, self.patience)
            finally:
                session._START = start
            self.sessions[rank] = made
            self.found[rank] = self.pool.submit(self.run, made)

    def run(self, made: EngineSession) -> list[np.ndarray | None]:
        ones = OwnSecret(np.ones(ROWS.shape, np.float32))
        return made.run(self.program, [ones if made.rank == r else PeerSecret(r) for r in range(3)], [OpenTo(NORTH)])

    def wait_for(self, text: str, *ranks: int) -> None:
        end = time.monotonic() + 30
        while not all(text in self.said(rank) for rank in ranks):
            assert time.monotonic() < end, [self.said(rank) for rank in ranks]
            time.sleep(0.02)

    def said(self, rank: int) -> str:
        return "\n".join(self.sessions[rank].said)

    def ended(self, within: float, *ranks: int) -> list[str]:
        """Why the runs ended; TimeoutError where one still goes on."""
        end = time.monotonic() + within
        errors = [self.found[rank].exception(max(0.1, end - time.monotonic())) for rank in ranks]
        assert all(isinstance(error, EngineError) for error in errors), errors
        assert [self.sessions[rank]._process.returncode for rank in ranks] == [ENDED] * len(ranks)
        return [str(error) for error in errors]

    def close(self) -> None:
        for made in self.sessions.values():
            made._process.kill()
        self.pool.shutdown()
        for made in self.sessions.values():
            made.kill()


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
    assert len(found["tried"]) == 7


@pytest.fixture(scope="module")
def sessions(engine, tmp_path_factory) -> Iterator[tuple[EngineSession, ...]]:
    with local_parties.local_sessions(engine, tmp_path_factory.mktemp("session") / "parties") as made:
        yield made


def test_the_result_is_opened_to_its_receiver_alone(sessions):
    program = lower(short_work, ROWS, ROWS, ROWS)

    def run(one: EngineSession) -> list[np.ndarray | None]:
        ones = OwnSecret(np.ones(ROWS.shape, np.float32))
        return one.run(program, [ones if one.rank == r else PeerSecret(r) for r in range(3)], [OpenTo(WEST)])

    found = local_parties.at_once(sessions, run)
    assert found[NORTH] == found[EAST] == [None]
    assert found[WEST][0] is not None
    assert np.abs(found[WEST][0] - 2).max() < 1e-4


def test_secrets_stay_in_a_session_from_run_to_run(sessions):
    """Every source of an argument, every receiver of a result; whole numbers are exact, also beyond 32 bits."""
    vector, whole = jax.ShapeDtypeStruct((3,), jnp.float32), jax.ShapeDtypeStruct((2,), "int64")
    begin = lower(lambda state, x: (state + x, x), vector, vector)
    step = lower(
        lambda state, rate, sums, x: (state + rate * x, state, sums * 3),
        vector,
        jax.ShapeDtypeStruct((), jnp.float32),
        whole,
        vector,
        public=[1],
    )
    numbers = np.array([0.5, -1.25, 2.0], np.float32)

    def run(one: EngineSession) -> list[list[np.ndarray | None]]:
        given = OwnSecret(numbers) if one.rank == EAST else PeerSecret(EAST)
        fixed = Parts(np.full(3, 1 << 16, np.int64))  # a quarter of each: three of them in all
        kept = one.run(begin, [fixed, given], [Keep("state"), Keep("x")])
        parts = Parts(np.array([2**40 + one.rank, -one.rank], np.int64))
        arguments = [KeptSecret("state"), PublicInput(np.array(2, np.float32)), parts, KeptSecret("x")]
        return [kept, one.run(step, arguments, [Keep("state"), Additive(), Opened()])]

    found = local_parties.at_once(sessions, run)
    assert [kept for kept, _ in found] == [[None, None]] * 3
    shares = [results[1] for _, results in found]
    assert all(one is not None and one.dtype == np.uint64 for one in shares)
    total = sum(shares[1:], shares[0]).view(np.int64) / 2**18
    assert total.tolist() == (numbers + 0.75).tolist()
    assert [results[2].tolist() for _, results in found] == [[9 * 2**40 + 9, -9]] * 3

    def open_state(one: EngineSession) -> list[np.ndarray | None]:
        double = lower(lambda state: state * 2, vector)
        return one.run(double, [KeptSecret("state")], [OpenTo(NORTH)])

    (state,), *_ = local_parties.at_once(sessions, open_state)
    assert np.abs(state - 2 * (3 * numbers + 0.75)).max() < 1e-3


@pytest.mark.parametrize("what", ["public", "receiver", "nothing kept", "another has ended"])
def test_parties_that_would_run_different_things_run_nothing(engine, tmp_path, what):
    program = lower(lambda x, y: x * y, ROWS, ROWS, public=[1] if what == "public" else [])

    def run(one: EngineSession) -> list[np.ndarray | None]:
        ones = np.full(ROWS.shape, 1 + (one.rank == WEST), np.float32)
        mine = OwnSecret(ones) if one.rank == NORTH else PeerSecret(NORTH)
        if what == "another has ended" and one.rank == WEST:
            one.close()
        if what == "public":
            return one.run(program, [mine, PublicInput(ones)], [OpenTo(NORTH)])
        if what == "nothing kept":
            return one.run(program, [mine, KeptSecret("moon")], [OpenTo(NORTH)])
        return one.run(program, [mine, mine], [OpenTo(NORTH if one.rank == WEST else EAST)])

    said = {
        "public": "is to run another program, or on other arguments: none was run",
        "receiver": "is to run another program, or on other arguments: none was run",
        "nothing kept": "nothing of this shape and type is kept as moon",
        "another has ended": "west is gone: it has ended the session",
    }
    with (
        pytest.raises(EngineError, match=said[what]),
        local_parties.local_sessions(engine, tmp_path / "parties") as three,
    ):
        local_parties.at_once(three, run)
    for one in three:
        assert "shared" not in one.said
        with pytest.raises(EngineError):
            one.run(program, [], [])


def test_where_who_started_it_is_gone_a_process_ends(engine, tmp_path):
    """And with it those of the others: nobody is left behind."""
    with (
        pytest.raises(EngineError, match="east is gone or does not follow the protocol"),
        local_parties.local_sessions(engine, tmp_path / "parties") as three,
    ):
        left_alone(three)


def left_alone(three: tuple[EngineSession, ...]) -> None:
    stdin = three[EAST]._process.stdin
    assert stdin is not None
    stdin.close()
    three[EAST]._process.wait(GONE)
    program = lower(lambda x: x, ROWS)
    local_parties.at_once((three[NORTH], three[WEST]), lambda one: one.run(program, [PeerSecret(EAST)], [Opened()]))


@pytest.mark.parametrize("moment", ["start", "connected", "shared"])
@pytest.mark.parametrize("killed", [NORTH, WEST], ids=["receiver", "another"])
def test_where_a_party_is_killed_the_others_end_and_nothing_is_opened(parties, moment, killed):
    run = parties(long_work, patience=5 if moment == "start" else 60)
    others = [rank for rank in (NORTH, EAST, WEST) if rank != killed]
    run.start(*others) if moment == "start" else run.start(NORTH, EAST, WEST)
    if moment != "start":
        run.wait_for(moment, killed)
        run.sessions[killed]._process.kill()
    said, gone = run.ended(GONE, *others), local_parties.NAMES[killed]
    assert any(f"{gone} is" in line for line in said), said
    assert all(len(line) < 200 for line in said)


def test_where_a_party_is_stopped_the_others_end(parties):
    run = parties(long_work)
    run.start(NORTH, EAST, WEST)
    run.wait_for("shared", NORTH, EAST, WEST)
    os.kill(run.sessions[EAST]._process.pid, signal.SIGSTOP)
    assert "silent too long" in "".join(run.ended(GONE, NORTH, WEST))


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
    _, east, _ = run.ended(REFUSED, NORTH, EAST, WEST)
    lines = ("not let this party in", "refuses this party", "north is not at")
    assert any(line in east for line in lines), east
    others = run.said(NORTH) + run.said(WEST)
    assert "nothing was sent to it" in others or "a caller was refused: it" in others


def test_a_party_with_another_plan_is_refused(parties):
    run = parties(patience=5)
    run.start(EAST, plan=replace(run.plan, subject="another"))
    run.start(NORTH, WEST)
    (said,) = run.ended(REFUSED, EAST)
    assert "has another plan" in said


ROGUES = {
    "short share": ("SHARE", "content[:-1]", "sent a share of another size"),
    "long share": ("SHARE", "content + b'0'", "sent a share of another size"),
    "false share of a result": (
        "SHARE",
        "(content[:-1] + bytes([content[-1] ^ 1]) if 'result' in name else content)",
        "the shares of a result contradict each other",
    ),
    "another order": ("ORDER", "bytes(32)", "is to run another program, or on other arguments"),
    "absurd length": ("ENGINE", "bytes(1 << 26)", "are allowed"),
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
        f"    right(self, kind, name, {content} if kind == FrameKind.{kind} and name != 'seed' else content)\n"
        "FrameWriter.write = rogue",
    )
    lines = run.ended(GONE, NORTH) if kind == "SHARE" and "result" in content else run.ended(GONE, NORTH, WEST)
    assert any(said in line for line in lines), lines


def test_a_secret_that_the_engine_opens_voids_the_run(engine, tmp_path, monkeypatch):
    """A program that the list of what is allowed refuses, let through: the engine opens an index and goes on."""
    monkeypatch.setattr("sfumato.trust.mpc.engine.lowering.check_program", lambda text, public: None)
    program = lower(looking_up, ROWS, CODES)
    arrays = [np.ones(ROWS.shape, np.float32), np.arange(8, dtype=np.int32) % 5]
    with (
        pytest.raises(EngineError, match="gather with an index that is secret"),
        local_parties.local_sessions(engine, tmp_path / "checked") as three,
    ):
        local_parties.run_locally(three, program, arrays)
    monkeypatch.setattr(session, "check_program", lambda text, public: None)
    with (
        pytest.raises(EngineError, match="opened a secret that nobody asked it to open: this run is void"),
        local_parties.local_sessions(engine, tmp_path / "void") as three,
    ):
        local_parties.run_locally(three, program, arrays)


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
