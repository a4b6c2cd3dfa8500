"""Bytes of one direction of a connection: frames of a kind, a name and a content, each with a bound on its length."""

from __future__ import annotations

import os
import select
import struct
import threading
from enum import IntEnum
from typing import Protocol, SupportsInt

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
    ORDER = 7
    """What is to be run next: all of it to a process, its hash to the other parties."""
    START = 8
    """To a process: who it is, and who the others are."""
    PROGRAM = 9
    """To a process: StableHLO, once for all orders that name its hash."""
    ARRAY = 10
    """To a process an input of its own, from it a result."""
    FIGURES = 11
    """From a process: what it took to find the others, or to run an order."""


class FrameError(EngineError):
    """The other side ended the connection, was silent too long, or sent what is no frame or too long."""


class Writing(Protocol):
    """What frames are written to."""

    def sendall(self, data: bytes, /) -> None:
        """All of it; OSError where the other side is gone."""
        ...


class Reading(Protocol):
    """What frames are read from."""

    def recv_into(self, buffer: memoryview, /) -> int:
        """Some bytes, at least one; 0 where it has ended."""
        ...


class PipeEnd:
    """One end of a pipe, as frames need it.

    Args:
        descriptor: of the pipe.
        patience: seconds that whoever writes may be silent; None: for ever.
    """

    def __init__(self, descriptor: int, patience: float | None = None) -> None:
        self._descriptor, self._patience = descriptor, patience

    def sendall(self, data: bytes) -> None:
        """See ``Writing``."""
        left = memoryview(data)
        while left:
            left = left[os.write(self._descriptor, left) :]

    def recv_into(self, buffer: memoryview) -> int:
        """See ``Reading``; TimeoutError where nothing comes in time."""
        if self._patience is not None:
            waiting = select.poll()
            waiting.register(self._descriptor, select.POLLIN)
            if not waiting.poll(1000 * self._patience):
                raise TimeoutError
        return os.readv(self._descriptor, [buffer])


class FrameWriter:
    """Writes whole frames, from any thread."""

    def __init__(self, connection: Writing) -> None:
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


def read_frame(connection: Reading, longest: SupportsInt) -> tuple[FrameKind, str, bytes]:
    """The next frame; its lengths are looked at before memory is taken for it.

    Args:
        connection: that it comes from.
        longest: bytes of its content at most, looked at once it has begun to come.

    Raises:
        FrameError: nothing came in time, the connection has ended, or what came is no frame of at most ``longest``
            bytes.
    """
    try:
        kind, label, length = _HEADER.unpack(_exactly(connection, _HEADER.size))
        if label > _LONGEST_NAME or length > int(longest):
            raise FrameError(f"it sent a message of {length} bytes, of which {int(longest)} are allowed")
        name = _exactly(connection, label).decode("ascii")
        return FrameKind(kind), name, _exactly(connection, length)
    except TimeoutError:
        raise FrameError("it was silent too long") from None
    except OSError:
        raise FrameError("its connection ended") from None
    except ValueError:
        raise FrameError("it sent what is no message of a party") from None


def _exactly(connection: Reading, size: int) -> bytes:
    found = bytearray(size)
    view, place = memoryview(found), 0
    while place < size:
        got = connection.recv_into(view[place:])
        if not got:
            raise FrameError("its connection ended")
        place += got
    return bytes(found)
