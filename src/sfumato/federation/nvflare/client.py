"""A site's side: a client of NVFlare that calls out to the server, and the calls that come through it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sfumato.errors import FederationError, SfumatoError
from sfumato.federation.address import Address
from sfumato.federation.authority import ORGANISATION
from sfumato.federation.credentials import Credentials
from sfumato.federation.nvflare.attended import attended
from sfumato.federation.nvflare.handshake import wait_for_server
from sfumato.federation.nvflare.kits import write_site
from sfumato.federation.nvflare.pipes import SITE_PIPE, Call, Listener, Pipe, listening
from sfumato.trust.federated.transport import Endpoint

_STEP = 1.0
"""Seconds between looks at whether the client still runs."""
_GRACE = 5.0
"""Seconds for the last answer to reach the coordinator, which then ends all connections."""


class Client:
    """A running client of NVFlare: it goes on to look for the server until the block ends."""

    def __init__(self, listener: Listener, runs: Callable[[], bool]) -> None:
        self._listener, self._runs = listener, runs

    def serve(self, endpoint: Endpoint, done: Callable[[], bool]) -> None:
        """Let ``endpoint`` answer all calls, one after the other, until it is ``done``.

        FederationError where the client ends before.
        """
        while not done():
            pipe = self._listener.accept(_STEP)
            if pipe is not None:
                _answer(pipe, endpoint, done)
            elif not self._runs():
                raise FederationError("NVFlare's client has ended; its log says why")


def _answer(pipe: Pipe, endpoint: Endpoint, done: Callable[[], bool]) -> None:
    """All calls of one relay, until it ends."""
    while (message := pipe.take(_GRACE if done() else None)) is not None:
        try:
            call = Call.of(message)
            answer = Pipe.ANSWERED + endpoint.call(call.method, call.bodies.get("", b""))
        except SfumatoError as error:
            answer = Pipe.FAILED + str(error).encode()
        with suppress(FederationError):
            pipe.give(answer)
    pipe.close()


@contextmanager
def calling_out(
    folder: Path, name: str, address: Address, credentials: Credentials, said: Callable[[str], None]
) -> Iterator[Client]:
    """A client of the site ``name`` while the block lasts, once the server can be reached.

    Args:
        folder: for what it starts from and writes; new, and of its user alone.
        name: of the site.
        address: of the server.
        credentials: of the site.
        said: takes a line about what is waited for.

    FederationError where the server is none of this federation, or does not let this site in.
    """
    kit = folder / "client"
    write_site(kit, name, address, credentials)
    wait_for_server(address, kit / "startup", said)
    module = "sfumato.federation.nvflare.client_process"
    options = ["-m", str(kit), "-s", "fed_client.json"]
    values = ["--set", "secure_train=true", f"uid={name}", f"org={ORGANISATION}", "config_folder=config"]
    command = [sys.executable, "-u", "-m", module, *options, *values]
    with listening() as listener, attended(command, folder / "client.log", {SITE_PIPE: listener.path}) as process:
        yield Client(listener, lambda: process.poll() is None)
