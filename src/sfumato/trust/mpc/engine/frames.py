"""Bytes of one direction of a connection: frames of a kind, a name and a content, each with a bound on its length."""

from __future__ import annotations

import socket
import struct
import threading
from enum import IntEnum

from sfumato.errors import EngineError

_HEADER = struct.Struct(">BHQ")
_LONGEST_NAME = 256
"""Bytes of a name: the engine's are below 100."""


class FrameKind(IntEnum):
    """What a frame is."""

    HELLO = 1
    """Who calls, and for which plan."""
    ANSWER = 2
    """Empty, or why the caller is refused."""
    ALIVE = 3
    """Nothing but a sign of life."""
    SHARE = 4
    """Of an input or a result."""
    ENGINE = 5
    """What the engine sends to its like."""
    DONE = 6
    """The party needs nothing more."""


class FrameError(EngineError):
    """The other side ended the connection, was silent too long, or sent what is no frame or too long."""


class FrameWriter:
    """Writes whole frames, from any thread."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self._lock = connection, threading.Lock()
        self.sent = 0

    def write(self, kind: FrameKind, name: str = "", content: bytes = b"") -> None:
        """OSError where the other side is gone."""
        label = name.encode("ascii")
        with self._lock:
            self._connection.sendall(_HEADER.pack(kind, len(label), len(content)) + label)
            if content:
                self._connection.sendall(content)
            self.sent += _HEADER.size + len(label) + len(content)


def read_frame(connection: socket.socket, longest: int) -> tuple[FrameKind, str, bytes]:
    """The next frame; its lengths are looked at before memory is taken for it.

    Raises:
        FrameError: nothing came in time, the connection has ended, or what came is no frame of at most ``longest``
            bytes.
    """
    try:
        kind, label, length = _HEADER.unpack(_exactly(connection, _HEADER.size))
        if label > _LONGEST_NAME or length > longest:
            raise FrameError(f"it sent a message of {length} bytes, of which the plan allows {longest}")
        name = _exactly(connection, label).decode("ascii")
        return FrameKind(kind), name, _exactly(connection, length)
    except TimeoutError:
        raise FrameError("it was silent too long") from None
    except OSError:
        raise FrameError("its connection ended") from None
    except ValueError:
        raise FrameError("it sent what is no message of a party") from None


def _exactly(connection: socket.socket, size: int) -> bytes:
    found = bytearray(size)
    view, place = memoryview(found), 0
    while place < size:
        got = connection.recv_into(view[place:])
        if not got:
            raise FrameError("its connection ended")
        place += got
    return bytes(found)
