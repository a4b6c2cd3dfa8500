"""The coordinator's side: a server of NVFlare, the sites that are connected to it, and calls of them."""

from __future__ import annotations

import contextlib
import io
import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sfumato.errors import FederationError
from sfumato.federation.address import Address
from sfumato.federation.authority import ADMIN
from sfumato.federation.credentials import Credentials
from sfumato.federation.nvflare.attended import attended
from sfumato.federation.nvflare.job import write_job
from sfumato.federation.nvflare.kits import write_admin, write_server
from sfumato.federation.nvflare.pipes import MOST_BYTES, UNSEEN, Call, Pipe, listening
from sfumato.trust.federated.transport import Replies

_STEP = 0.2
"""Seconds between looks at what has changed."""
_START = 60.0
"""Seconds for a server to answer after its start, and for a job to run after it was submitted; some five are usual."""
_AGAIN = 30.0
"""Seconds for relays to be started anew: by then the server knows of each site whether it is gone."""
_UNHEARD = 8.0
"""Seconds after which a site is said to be silent: it shows every two that it lives, and ends no call by that."""
_LOGIN = 5.0
"""Seconds of one try to open the session."""
_UNSENT = "the coordinator's own server, or its job, has ended"
"""What is said of all sites where the coordinator's relay does not answer."""
_GRACE = 10.0
"""Seconds beyond a call's deadline before the relay itself is given up."""


class ServerTransport:
    """Calls of the sites of a running server; see ``trust.federated.transport.Transport``.

    A relay may end by itself. So relays are started anew, once, before a site is called again that was silent.

    Args:
        sites: their names, by place.
        start: starts the relays; the pipe to the coordinator's.
        lost: is told which sites did not answer the last call.
        look: is called every few seconds while answers are waited for, with those that are.

    Attributes:
        sent: bytes that each site sent, by place; ``received``: bytes that it was sent.
    """

    def __init__(
        self,
        sites: Sequence[str],
        start: Callable[[], Pipe],
        lost: Callable[[set[str]], None],
        look: Callable[[Sequence[str]], None],
    ) -> None:
        self._sites, self._start, self._lost, self._look = list(sites), start, lost, look
        self._pipe: Pipe | None = None
        self._silent: set[int] = set()
        self._given_up: set[int] = set()
        self.sent, self.received = [0] * len(sites), [0] * len(sites)

    def call(self, method: str, requests: Mapping[int, bytes], deadline: float) -> Replies:
        """See ``Transport``."""
        for place, body in requests.items():
            self.received[place] += len(body)
        anew = self._silent.intersection(requests) - self._given_up
        if anew:
            self._given_up |= anew
            self._hang_up()
        self._pipe = self._pipe or self._start()
        asked = Call(method, deadline, {self._sites[place]: body for place, body in requests.items()})
        try:
            names = list(asked.bodies)
            found = Call.of(self._pipe.ask(asked.to_bytes(), deadline + _GRACE, lambda: self._look(names))).bodies
        except FederationError:
            self._hang_up()
            return Replies({}, dict.fromkeys(requests, _UNSENT))
        replies = self._replies(requests, found)
        self._silent -= replies.answers.keys()
        self._given_up -= replies.answers.keys()
        self._silent |= {place for place, said in replies.failures.items() if said == UNSEEN.decode()}
        self._lost({self._sites[place] for place in replies.failures})
        return replies

    def _hang_up(self) -> None:
        if self._pipe is not None:
            self._pipe.close()
        self._pipe = None

    def _replies(self, requests: Mapping[int, bytes], found: Mapping[str, bytes]) -> Replies:
        answers, failures = {}, {}
        for place in requests:
            answer = found.get(self._sites[place], b"")
            if answer[:1] == Pipe.ANSWERED:
                answers[place] = answer[1:]
                self.sent[place] += len(answer) - 1
            else:
                failures[place] = answer[1:].decode(errors="replace") or "no answer"
        return Replies(answers, failures)


class Server:
    """A running server of NVFlare.

    Args:
        folder: for what it starts from and writes; emptied.
        session: of the administrator.
    """

    def __init__(self, folder: Path, session: Any) -> None:
        self._folder, self._session = folder, session
        self._job: str | None = None

    def connected(self) -> set[str]:
        """Names of the sites that are connected."""
        try:
            with _silenced():
                return {client.name for client in self._session.get_system_info().client_info}
        except Exception as error:
            raise _ended(error) from None

    def unheard(self, sites: Sequence[str]) -> set[str]:
        """Which of these have given no sign of life for ``_UNHEARD`` seconds; none where the server cannot be asked."""
        try:
            with _silenced():
                clients = self._session.get_system_info().client_info
        except Exception:
            return set()
        return set(sites) - {c.name for c in clients if time.time() - c.last_connect_time < _UNHEARD}

    def wait_for(self, sites: Sequence[str], patience: float, said: Callable[[set[str]], None]) -> None:
        """Until all ``sites`` are connected; FederationError after ``patience`` seconds, naming those that are not."""
        end, before = time.monotonic() + patience, None
        while True:
            missing = set(sites) - self.connected()
            if missing != before:
                said(missing)
                before = missing
            if not missing:
                return
            if time.monotonic() > end:
                named = ", ".join(name for name in sites if name in missing)
                raise FederationError(f"not there after {patience:g} seconds: {named}; nothing was asked of any site")
            time.sleep(_STEP)

    def transport(
        self,
        sites: Sequence[str],
        fewest: int,
        lost: Callable[[set[str]], None],
        silent: Callable[[set[str]], None],
        most: int = MOST_BYTES,
    ) -> ServerTransport:
        """Calls of these sites, in this order.

        ``lost`` is told which of them did not answer the last one, ``silent`` which show no life while an answer is
        waited for.

        All must be there at first; where relays are started anew later, the ``fewest`` that a sum can do with. Answers
        of all sites together that are longer than ``most`` bytes are not taken.
        """
        start = partial(self._linked, sites, fewest, most)
        return ServerTransport(sites, start, lost, lambda asked: silent(self.unheard(asked)))

    def _linked(self, sites: Sequence[str], fewest: int, most: int) -> Pipe:
        """Start a job whose relays link the sites to this process."""
        first = self._job is None
        needed, patience = (len(sites), _START) if first else (fewest, _AGAIN)
        with listening(most) as listener, _silenced():
            if self._job is not None:
                with contextlib.suppress(Exception):
                    self._session.abort_job(self._job)
            job = write_job(self._folder / "job", sites, needed, listener.path)
            end = time.monotonic() + patience
            try:
                self._job = self._session.submit_job(str(job))
                while time.monotonic() < end:
                    pipe = listener.accept(_STEP)
                    if pipe is not None:
                        return pipe
                    if (self._session.get_job_status(self._job) or "").startswith("FINISHED"):
                        break
            except Exception as error:
                raise _ended(error) from None
        found = "the sites are there, but could not be called" if first else f"fewer than {needed} sites can be called"
        raise FederationError(f"{found}; the logs of NVFlare say why")


@contextmanager
def serving(folder: Path, address: Address, server: Credentials, admin: Credentials) -> Iterator[Server]:
    """A server at ``address`` while the block lasts; ``folder`` is new, absolute, and of its user alone.

    Raises:
        FederationError: it does not start, for instance because the port is taken.
    """
    write_server(folder / "server", address, server)
    write_admin(folder / "admin", address, admin)
    module = "nvflare.private.fed.app.server.server_train"
    options = ["-m", str(folder / "server"), "-s", "fed_server.json"]
    values = ["--set", "secure_train=true", "org=sfumato", "config_folder=config"]
    command = [sys.executable, "-u", "-m", module, *options, *values]
    with attended(command, folder / "server.log", {}) as process, _logged(folder / "session.log"):
        session = _session(folder / "admin", lambda: process.poll() is None)
        try:
            yield Server(folder, session)
        finally:
            with _silenced(), contextlib.suppress(Exception):
                session.close()


def _ended(error: Exception) -> FederationError:
    """What is said where the server does not answer its own session."""
    return FederationError(f"the server has ended ({type(error).__name__}); its log says why")


def _session(folder: Path, runs: Callable[[], bool]) -> Any:
    from nvflare.fuel.flare_api.flare_api import new_secure_session

    end = time.monotonic() + _START
    while True:
        try:
            with _silenced():
                return new_secure_session(ADMIN, str(folder), timeout=_LOGIN)
        except Exception as error:
            if not runs() or time.monotonic() > end:
                raise FederationError(
                    f"the server does not answer ({type(error).__name__}); its log says why"
                ) from None
            time.sleep(_STEP)


@contextmanager
def _silenced() -> Iterator[None]:
    """Without what NVFlare's session prints: it is no part of what a command says."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield


@contextmanager
def _logged(path: Path) -> Iterator[None]:
    """What NVFlare's session logs goes to a file, not to the terminal."""
    handler = logging.FileHandler(path, encoding="utf-8")
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()
