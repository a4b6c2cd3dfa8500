"""Bytes between a process of NVFlare and the ``sfumato`` process beside it, over a socket of their user alone."""

from __future__ import annotations

import json
import math
import select
import socket
import struct
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sfumato.errors import FederationError

_HEAD, _SIZE = struct.Struct("<I"), struct.Struct("<Q")
_GONE = "the process at the other end of the connection is gone, or silent"
SITE_PIPE = "SFUMATO_SITE_PIPE"
"""Environment variable of a site's NVFlare with the path of the socket of the site's own process."""
UNSEEN = b"no answer came in time, or its process ended"
"""All that is said of a call that failed on its way: the site itself said nothing."""
LOOK = 2.0
"""Seconds between looks at what else there is to see while an answer is waited for."""
_LEAST = 0.001
"""Seconds that what has come is read for at least: a socket takes none for no waiting at all."""
MOST_BYTES = 1 << 32
"""Of one message where no plan says less."""


@dataclass(frozen=True)
class Call:
    """One call of several sites, or the answers to it.

    Attributes:
        method: what is called.
        deadline: seconds that an answer may take; 0 where it does not matter.
        bodies: by name of the site, its bytes.
    """

    method: str
    deadline: float
    bodies: Mapping[str, bytes]

    @classmethod
    def one(cls, method: str, body: bytes) -> Call:
        """Of one site, which knows its own name."""
        return cls(method, 0.0, {"": body})

    def to_bytes(self) -> bytes:
        """A head as JSON, then all bodies."""
        sizes = {name: len(body) for name, body in self.bodies.items()}
        head = json.dumps({"method": self.method, "deadline": self.deadline, "sizes": sizes}).encode()
        return b"".join((_HEAD.pack(len(head)), head, *self.bodies.values()))

    @classmethod
    def of(cls, data: bytes) -> Call:
        """The inverse; FederationError where it is none."""
        try:
            (size,) = _HEAD.unpack_from(data)
            head = json.loads(data[_HEAD.size : _HEAD.size + size])
            bodies, start = {}, _HEAD.size + size
            for name, length in head["sizes"].items():
                bodies[name] = data[start : start + length]
                start += length
            if start != len(data):
                raise ValueError("of another length")
            return cls(str(head["method"]), float(head["deadline"]), bodies)
        except (ValueError, KeyError, TypeError, AttributeError, struct.error):
            raise FederationError("a call that is none") from None


class Pipe:
    """One end of a socket: whole messages of bytes, each behind its length.

    Args:
        end: of the socket.
        most: bytes of a message that is taken; of a longer one nothing is read, and the other side is taken for gone.
    """

    ANSWERED, FAILED = b"\0", b"\1"
    """First byte of a site's answer: what follows is the answer, or why there is none."""

    def __init__(self, end: socket.socket, most: int = MOST_BYTES) -> None:
        self._end, self._most = end, most

    @classmethod
    def open(cls, path: str) -> Pipe:
        """Connect to the process that listens at ``path``."""
        end = socket.socket(socket.AF_UNIX)
        end.connect(path)
        return cls(end)

    def give(self, message: bytes) -> None:
        """Send a message; FederationError where the other side has gone."""
        try:
            self._end.sendall(_SIZE.pack(len(message)))
            self._end.sendall(message)
        except OSError:
            raise FederationError(_GONE) from None

    def take(self, patience: float | None = None) -> bytes | None:
        """The next message; None where the other side has gone, said nothing for ``patience`` seconds, or too much."""
        self._end.settimeout(patience)
        try:
            (size,) = _SIZE.unpack(self._exactly(_SIZE.size))
            return self._exactly(size) if size <= self._most else None
        except OSError:
            return None

    def ask(self, message: bytes, patience: float | None = None, meanwhile: Callable[[], None] | None = None) -> bytes:
        """The answer to a message; FederationError where the other side has gone, or is silent for too long.

        ``meanwhile`` is called every ``LOOK`` seconds until there is one, which it may hold up.
        """
        self.give(message)
        end = math.inf if patience is None else time.monotonic() + patience
        while meanwhile is not None and not self._said_within(min(LOOK, end - time.monotonic())):
            if time.monotonic() >= end:
                break
            meanwhile()
        answer = self.take(None if patience is None else max(end - time.monotonic(), _LEAST))
        if answer is None:
            raise FederationError(_GONE)
        return answer

    def close(self) -> None:
        """Let the other side know that there is no more."""
        self._end.close()

    def _said_within(self, patience: float) -> bool:
        """Whether the other side has said something, or gone, before ``patience`` seconds are over."""
        return bool(select.select([self._end], [], [], max(patience, 0.0))[0])

    def _exactly(self, size: int) -> bytes:
        data = bytearray(size)
        view, have = memoryview(data), 0
        while have < size:
            got = self._end.recv_into(view[have:])
            if not got:
                raise ConnectionError
            have += got
        return bytes(data)


class Listener:
    """Where the other process comes in: a socket in a folder that only this user can open.

    Attributes:
        path: of the socket.
    """

    def __init__(self, folder: str, most: int) -> None:
        self.path, self._most = str(Path(folder) / "pipe"), most
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(self.path)
        self._socket.listen()

    def accept(self, patience: float | None = None) -> Pipe | None:
        """The next process that connects; None where none does for ``patience`` seconds."""
        self._socket.settimeout(patience)
        try:
            end, _ = self._socket.accept()
        except OSError:
            return None
        end.settimeout(None)
        return Pipe(end, self._most)

    def close(self) -> None:
        """Let nobody in any more."""
        self._socket.close()


@contextmanager
def listening(most: int = MOST_BYTES) -> Iterator[Listener]:
    """One while the block lasts, in a folder with a short path: that of a socket has 108 bytes at most.

    Nobody who comes in is let send more than ``most`` bytes at a time.
    """
    with tempfile.TemporaryDirectory(prefix="sfumato-") as folder:
        listener = Listener(folder, most)
        try:
            yield listener
        finally:
            listener.close()
