"""A site goes on where its client of NVFlare ends, and not for ever where nobody calls."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from sfumato.errors import FederationError
from sfumato.federation.nvflare import client as module
from sfumato.federation.nvflare.client import Client
from sfumato.federation.nvflare.pipes import Call, Listener, Pipe, listening


class Site:
    """Answers everything, until it was told that all is over."""

    done = False

    def call(self, method: str, body: bytes) -> bytes:
        self.done = method == "finish"
        return body


class Clients:
    """What stands for NVFlare's clients: those before the last end at once, and the last lets somebody call.

    Attributes:
        waits: for each look for the server, whether it had to be waited for.
    """

    def __init__(self, listener: Listener, ending: int, calls: int, waits: bool = True) -> None:
        self.listener, self.left, self.calls, self.waiting = listener, ending, calls, waits
        self.started = self.ended = 0
        self.until: list[float] = []

    def wait(self, until: float) -> bool:
        self.until.append(until)
        return self.waiting and self.started > 0

    @contextmanager
    def start(self) -> Iterator[Any]:
        self.started += 1
        ends = self.left > 0
        self.left -= 1
        caller = threading.Thread(target=self.call, daemon=True)
        if not ends:
            caller.start()
        yield SimpleNamespace(poll=lambda: 1 if ends else None)
        self.ended += 1
        if not ends:
            caller.join()

    def call(self) -> None:
        if not self.calls:
            return
        pipe = Pipe.open(self.listener.path)
        for i in range(self.calls):
            method = "finish" if i == self.calls - 1 else "masked"
            assert pipe.ask(Call.one(method, b"x").to_bytes(), 60.0) == Pipe.ANSWERED + b"x"
        pipe.close()


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    monkeypatch.setattr(module, "_STEP", 0.01)
    with listening() as made:
        yield made


def served(clients: Clients, patience: float = math.inf) -> None:
    """Until it is over."""
    site = Site()
    made = Client(clients.listener, clients.wait, clients.start, patience)
    try:
        made.serve(site, lambda: site.done)
    finally:
        made.close()


@pytest.fixture
def clients(listener: Listener) -> Callable[..., Clients]:
    return lambda *arguments, **more: Clients(listener, *arguments, **more)


def test_the_server_is_waited_for_again_where_it_died_before_the_client_had_registered(clients):
    made = clients(7, calls=2)
    served(made)
    assert made.started == made.ended == 8


def test_a_client_that_cannot_run_is_started_three_times(clients):
    made = clients(7, calls=2, waits=False)
    with pytest.raises(FederationError, match="has ended 3 times; its log says why"):
        served(made)
    assert made.started == made.ended == 3


def test_who_hears_nothing_of_the_coordinator_ends(clients):
    """It may have ended, or have carried the plan out while the site was away."""
    made = clients(0, calls=0)
    with pytest.raises(FederationError, match=r"has said nothing for 0\.05 seconds; what was charged stays charged"):
        served(made, 0.05)
    assert made.started == made.ended == 1
    assert made.until[0] < math.inf
