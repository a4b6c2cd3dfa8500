"""Calls through relays that end by themselves: they are started anew, once for each site that fell silent."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from sfumato.errors import FederationError
from sfumato.federation.nvflare.pipes import UNSEEN, Call, Pipe
from sfumato.federation.nvflare.server import Server, ServerTransport

SITES = ("a", "b", "c")
ASKED = dict.fromkeys(range(3), b"body")
DEADLINE = 1.0


class Relays:
    """What stands for the coordinator's relay: it answers for all sites but those that are ``silent``."""

    def __init__(self) -> None:
        self.started = self.closed = 0
        self.silent: set[str] = set()
        self.says, self.broken = Pipe.FAILED + UNSEEN, False

    def start(self) -> Relays:
        self.started += 1
        self.broken = False
        return self

    def ask(self, message: bytes, patience: float, meanwhile: Callable[[], None]) -> bytes:
        if self.broken:
            raise FederationError("gone")
        meanwhile()
        call = Call.of(message)
        answers = {name: self.says if name in self.silent else Pipe.ANSWERED + b"yes" for name in call.bodies}
        return Call(call.method, call.deadline, answers).to_bytes()

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def relays() -> Relays:
    return Relays()


def transport(relays: Relays) -> ServerTransport:
    return ServerTransport(SITES, relays.start, lambda names: None, lambda names: None)  # type: ignore[arg-type]


@pytest.fixture
def call(relays: Relays) -> Callable[..., set[int]]:
    made = transport(relays)
    return lambda asked=ASKED: set(made.call("masked", asked, DEADLINE).answers)


def test_relays_are_started_anew_before_a_silent_site_is_called_again(relays, call):
    relays.silent = {"b"}
    assert call() == {0, 2}
    assert call({0: b"consent", 2: b"consent"}) == {0, 2}
    assert relays.started == 1
    relays.silent = set()
    assert call() == {0, 1, 2}
    assert (relays.started, relays.closed) == (2, 1)


def test_a_site_that_stays_silent_costs_one_new_start(relays, call):
    relays.silent = {"b"}
    for _ in range(4):
        assert call() == {0, 2}
    assert relays.started == 2
    relays.silent = set()
    call()
    relays.silent = {"b"}
    call()
    call()
    assert relays.started == 3


def test_a_site_that_refuses_is_there(relays, call):
    relays.silent, relays.says = {"b"}, Pipe.FAILED + b"a question outside the plan"
    for _ in range(2):
        assert call() == {0, 2}
    assert relays.started == 1


def test_a_coordinators_relay_that_is_gone_is_replaced(relays, call):
    call()
    relays.broken = True
    assert call() == set()
    assert call() == {0, 1, 2}
    assert relays.started == 2


def test_no_site_is_blamed_where_the_coordinators_relay_is_gone(relays):
    made = transport(relays)
    made.call("masked", ASKED, DEADLINE)
    relays.broken = True
    said = made.call("masked", ASKED, DEADLINE).failures
    assert set(said.values()) == {"the coordinator's own server, or its job, has ended"}


class Session:
    """What stands for the administrator's session: when each site showed that it lives, in seconds ago."""

    def __init__(self, **ago: float) -> None:
        now = time.time()
        self.client_info = [SimpleNamespace(name=name, last_connect_time=now - s) for name, s in ago.items()]

    def get_system_info(self) -> Session:
        return self


def test_a_site_without_a_sign_of_life_is_told_of_while_its_answer_is_waited_for(tmp_path):
    """Long before the deadline, and the call goes on: it may come back."""
    told: list[set[str]] = []
    relays = Relays()
    server = Server(tmp_path, Session(a=1.0, b=9.0))
    looking = ServerTransport(SITES, relays.start, lambda names: None, lambda asked: told.append(server.unheard(asked)))  # type: ignore[arg-type]
    assert set(looking.call("masked", ASKED, DEADLINE).answers) == {0, 1, 2}
    assert told == [{"b", "c"}]
    assert Server(tmp_path, None).unheard(SITES) == set(), "where the server has ended, the call says so"
