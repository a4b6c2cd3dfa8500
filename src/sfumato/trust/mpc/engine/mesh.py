"""Connections among the three parties: each calls each other, and who calls is the one that speaks.

A connection is mutual TLS 1.3 in which nothing is trusted but the three certificates of the plan, and the certificate
that is shown must be the very one of the rank that is claimed. What arrives on a connection is therefore of that rank.
"""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sfumato.errors import EngineError
from sfumato.trust.mpc.engine.engine_plan import EngineParty, EnginePlan
from sfumato.trust.mpc.engine.frames import FrameError, FrameKind, FrameWriter, read_frame

SILENCE = 10.0
"""Seconds without a sign of life after which a party is taken for gone."""
_GREETING = 5.0
"""Seconds for a stranger to say who it is."""
_AGAIN = 0.1
"""Seconds between calls to a party that does not listen yet."""
_ANOTHER = "has another plan"
_SHORT = 4096
"""Bytes of a greeting and its answer."""


@dataclass(frozen=True)
class PartyKeys:
    """What a party shows to the others.

    Attributes:
        rank: of the party.
        certificate: file, in PEM.
        key: file of the private key, in PEM.
        listen: address that it listens on.
    """

    rank: int
    certificate: Path
    key: Path
    listen: str


@dataclass(frozen=True)
class Peer:
    """Another party, both directions.

    Attributes:
        name: of the party.
        writer: what is sent to it.
        connection: what comes from it.
    """

    name: str
    writer: FrameWriter
    connection: socket.socket


def connect(plan: EnginePlan, keys: PartyKeys, patience: float, said: Callable[[str], None]) -> dict[int, Peer]:
    """The connections to the two others, by rank.

    Args:
        plan: that all three are to have.
        keys: of this party.
        patience: seconds for the others to be there.
        said: takes a line about a caller who was refused.

    Raises:
        EngineError: a party refuses this one, another answers in its place, or one is not there in time.
    """
    pins = [ssl.PEM_cert_to_DER_cert(party.certificate) for party in plan.parties]
    if ssl.PEM_cert_to_DER_cert(keys.certificate.read_text("ascii")) != pins[keys.rank]:
        raise EngineError(f"this certificate is not the one of {plan.parties[keys.rank].name} in the plan")
    end, called = time.monotonic() + patience, dict[int, ssl.SSLSocket]()
    reception = Reception(plan, keys, pins, said)
    try:
        for rank in set(range(len(pins))) - {keys.rank}:
            called[rank] = _call(plan, keys, pins, rank, reception.waiting(end))
        heard = reception.wait(end)
    except BaseException:
        for connection in (*called.values(), *reception.heard.values()):
            connection.close()
        reception.waiting(end)()  # where it knows a better reason, it says that
        raise
    finally:
        reception.close()
    return {rank: Peer(plan.parties[rank].name, FrameWriter(to), heard[rank]) for rank, to in called.items()}


def _context(plan: EnginePlan, keys: PartyKeys, server: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False  # the certificate itself is compared
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata="".join(party.certificate for party in plan.parties))
    context.load_cert_chain(keys.certificate, keys.key)
    return context


def _call(
    plan: EnginePlan, keys: PartyKeys, pins: list[bytes], rank: int, waiting: Callable[[], bool]
) -> ssl.SSLSocket:
    """The connection on which this party speaks to the one of ``rank``."""
    other, plain = plan.parties[rank], _reach(plan.parties[rank], waiting)
    try:
        connection = _context(plan, keys, server=False).wrap_socket(plain)
    except ssl.SSLCertVerificationError:
        plain.close()
        raise EngineError(
            f"who answers at {other.host}:{other.port} is no party of this plan: nothing was sent to it"
        ) from None
    except OSError:
        plain.close()
        raise EngineError(f"{other.name} at {other.host}:{other.port} does not let this party in") from None
    try:
        if connection.getpeercert(binary_form=True) != pins[rank]:
            raise EngineError(f"who answers at {other.host}:{other.port} is not {other.name}: nothing was sent to it")
        _greet(connection, plan, keys.rank, other)
    except BaseException:
        connection.close()
        raise
    connection.settimeout(SILENCE)
    return connection


def _reach(other: EngineParty, waiting: Callable[[], bool]) -> socket.socket:
    while True:
        try:
            return socket.create_connection((other.host, other.port), _GREETING)
        except OSError as error:
            if not waiting():
                raise EngineError(f"{other.name} is not at {other.host}:{other.port} ({error.strerror})") from None
            time.sleep(_AGAIN)


def _greet(connection: ssl.SSLSocket, plan: EnginePlan, rank: int, other: EngineParty) -> None:
    """Say who calls, and be let in."""
    hello = {"rank": rank, "plan": plan.digest}
    try:
        FrameWriter(connection).write(FrameKind.HELLO, content=json.dumps(hello).encode("ascii"))
        kind, _, answer = read_frame(connection, _SHORT)
    except (OSError, FrameError):
        raise EngineError(f"{other.name} at {other.host}:{other.port} does not let this party in") from None
    if kind != FrameKind.ANSWER or answer:
        raise EngineError(f"{other.name} refuses this party: {answer.decode('utf-8', 'replace')}")


class Reception:
    """Listens, and lets in who is who it says it is.

    Attributes:
        heard: connections on which the others speak, by rank.
    """

    def __init__(self, plan: EnginePlan, keys: PartyKeys, pins: list[bytes], said: Callable[[str], None]) -> None:
        self._plan, self._keys, self._pins, self._said = plan, keys, pins, said
        self._context = _context(plan, keys, server=True)
        self._admitted, self._at_odds = set[int](), ""
        self.heard: dict[int, socket.socket] = {}
        self._changed = threading.Condition()
        own = plan.parties[keys.rank]
        try:
            self._door = socket.create_server((keys.listen, own.port))
        except OSError as error:
            raise EngineError(f"cannot listen at {keys.listen}:{own.port} ({error.strerror})") from None
        self._door.settimeout(_AGAIN)
        self._closed = threading.Event()
        self._listening = threading.Thread(target=self._listen, daemon=True)
        self._listening.start()

    def waiting(self, end: float) -> Callable[[], bool]:
        """Whether there is time left, each time it is asked; EngineError where a party of the plan has another plan."""

        def left() -> bool:
            if self._at_odds:
                raise EngineError(f"{self._at_odds}: compare the files; nothing was sent")
            return time.monotonic() < end

        return left

    def wait(self, end: float) -> dict[int, socket.socket]:
        """What is heard from each other party; EngineError where one did not call in time, or has another plan."""
        left = self.waiting(end)
        for rank in set(range(len(self._pins))) - {self._keys.rank}:
            while rank not in self.heard:
                if not left():
                    raise EngineError(f"{self._plan.parties[rank].name} did not call in time; nothing was sent")
                with self._changed:
                    self._changed.wait(_AGAIN)
        return self.heard

    def close(self) -> None:
        """Let nobody else in."""
        self._closed.set()
        self._listening.join()
        self._door.close()

    def _listen(self) -> None:
        while not self._closed.is_set():
            with suppress(TimeoutError):
                plain, _ = self._door.accept()
                threading.Thread(target=self._admit, args=(plain,), daemon=True).start()

    def _admit(self, plain: socket.socket) -> None:
        connection, reason = plain, "it shows no certificate of this plan"
        try:
            plain.settimeout(_GREETING)
            connection = secured = self._context.wrap_socket(plain, server_side=True)
            reason = "it does not say who it is"
            _, _, content = read_frame(secured, _SHORT)
            reason, rank = self._judge(content, secured.getpeercert(binary_form=True))
            FrameWriter(secured).write(FrameKind.ANSWER, content=reason.encode())
            self._at_odds = reason if reason.endswith(_ANOTHER) else self._at_odds  # when it was told, not before
        except (OSError, FrameError):
            reason, rank = reason or "it was gone before it was let in", -1
        if reason:
            self._said(f"a caller was refused: {reason}")
            connection.close()
            return
        connection.settimeout(SILENCE)
        with self._changed:
            self.heard[rank] = connection
            self._changed.notify_all()

    def _judge(self, content: bytes, shown: bytes | None) -> tuple[str, int]:
        """Why a caller is refused, or nothing; and its rank."""
        try:
            hello = json.loads(content)
            rank, plan = hello["rank"], hello["plan"]
        except (ValueError, TypeError, KeyError):
            return "it does not say who it is", -1
        if type(rank) is not int or rank not in range(len(self._pins)) or rank == self._keys.rank:
            return "it claims a rank that no other party has", -1
        if shown != self._pins[rank]:
            return f"its certificate is not the one of {self._plan.parties[rank].name}, as which it calls", rank
        if plan != self._plan.digest:
            return f"{self._plan.parties[rank].name} {_ANOTHER}", rank
        with self._changed:
            if rank in self._admitted:
                return f"{self._plan.parties[rank].name} has called already", rank
            self._admitted.add(rank)
        return "", rank
