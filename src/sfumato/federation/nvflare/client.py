"""A site's side: a client of NVFlare that calls out to the server, and the calls that come through it."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path

from sfumato.errors import FederationError, SfumatoError
from sfumato.federation.address import Address
from sfumato.federation.authority import ORGANISATION
from sfumato.federation.credentials import Credentials
from sfumato.federation.nvflare.attended import attended
from sfumato.federation.nvflare.handshake import NOTHING_LOST, wait_for_server
from sfumato.federation.nvflare.kits import write_site
from sfumato.federation.nvflare.pipes import MOST_BYTES, SITE_PIPE, Call, Listener, Pipe, listening
from sfumato.trust.federated.transport import Endpoint

_STEP = 1.0
"""Seconds between looks at whether the client still runs."""
_GRACE = 5.0
"""Seconds for the last answer to reach the coordinator, which then ends all connections."""
_HEARTBEAT = 2
"""Seconds between the client's signs of life, by which it learns of a new server too; NVFlare takes ten."""
_STARTS = 3
"""Clients that end while the server is there, none of which was called, before one is believed to be unable to run."""


class Client:
    """A running client of NVFlare: it goes on to look for the server until the block ends.

    One that comes to a server which dies before it has registered ends by itself, after half a minute. Then the server
    is waited for again, and another client started.

    Args:
        listener: where the relays that the clients start come in.
        wait: waits for the server, until a moment of the monotonic clock; whether it had to.
        start: one client, while its block lasts.
        patience: seconds to go on without a call.
    """

    def __init__(
        self,
        listener: Listener,
        wait: Callable[[float], bool],
        start: Callable[[], AbstractContextManager[subprocess.Popen[bytes]]],
        patience: float = math.inf,
    ) -> None:
        self._listener, self._wait, self._start, self._patience = listener, wait, start, patience
        self._running = ExitStack()
        self._heard, self._started = time.monotonic(), 0
        self._begin()

    def serve(self, endpoint: Endpoint, done: Callable[[], bool]) -> None:
        """Let ``endpoint`` answer all calls, one after the other, until it is ``done``.

        FederationError where no client can run, or nobody has called for too long.
        """
        while not done():
            pipe = self._listener.accept(_STEP)
            if pipe is not None:
                self._answer(pipe, endpoint, done)
            elif self._process.poll() is not None:
                self._running.close()
                self._begin()
            if not done() and self._left() <= 0:
                raise FederationError(
                    f"the coordinator has said nothing for {self._patience:g} seconds; {NOTHING_LOST}"
                )

    def close(self) -> None:
        """End the client."""
        self._running.close()

    def _begin(self) -> None:
        self._started = 0 if self._wait(self._heard + self._patience) else self._started
        if self._started == _STARTS:
            raise FederationError(f"NVFlare's client has ended {_STARTS} times; its log says why")
        self._started += 1
        self._process = self._running.enter_context(self._start())

    def _left(self) -> float:
        """Seconds for which it goes on without a call."""
        return self._heard + self._patience - time.monotonic()

    def _answer(self, pipe: Pipe, endpoint: Endpoint, done: Callable[[], bool]) -> None:
        """All calls of one relay, until it ends, or says nothing for too long."""
        while (message := pipe.take(_GRACE if done() else self._longest())) is not None:
            try:
                call = Call.of(message)
                answer = Pipe.ANSWERED + endpoint.call(call.method, call.bodies.get("", b""))
            except SfumatoError as error:
                answer = Pipe.FAILED + str(error).encode()
            with suppress(FederationError):
                pipe.give(answer)
            self._heard, self._started = time.monotonic(), 0
        pipe.close()

    def _longest(self) -> float | None:
        """Seconds that a relay may say nothing; None: for ever."""
        return None if math.isinf(self._patience) else max(self._left(), _STEP)


@contextmanager
def calling_out(
    folder: Path,
    name: str,
    address: Address,
    credentials: Credentials,
    said: Callable[[str], None],
    patience: float = math.inf,
    most: int = MOST_BYTES,
) -> Iterator[Client]:
    """A client of the site ``name`` while the block lasts, once the server can be reached.

    Args:
        folder: for what it starts from and writes; new, and of its user alone.
        name: of the site.
        address: of the server.
        credentials: of the site.
        said: takes a line about what is waited for.
        patience: seconds to wait for the server, and to go on without a call.
        most: bytes of a call, see ``FederationPlan.most_bytes``.

    FederationError where the server is none of this federation, does not let this site in, or does not come.
    """
    kit = folder / "client"
    write_site(kit, name, address, credentials)
    module = "sfumato.federation.nvflare.client_process"
    options = ["-m", str(kit), "-s", "fed_client.json"]
    values = ["--set", "secure_train=true", f"uid={name}", f"org={ORGANISATION}", "config_folder=config"]
    values.append(f"heart_beat_interval={_HEARTBEAT}")
    command = [sys.executable, "-u", "-m", module, *options, *values]
    with listening(most) as listener:
        client = Client(
            listener,
            lambda until: wait_for_server(address, kit / "startup", said, until),
            lambda: attended(command, folder / "client.log", {SITE_PIPE: listener.path}),
            patience,
        )
        try:
            yield client
        finally:
            client.close()
