"""The other parties while a session lasts: what they send, and that they are there.

The engine waits for ever for a party that is gone, within native code that cannot be interrupted. So a loss ends the
process: it says why in one line, and nothing that was not opened yet is opened by it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import SupportsInt

from sfumato.trust.mpc.engine.frames import FrameError, FrameKind, FrameWriter, read_frame
from sfumato.trust.mpc.engine.mesh import Peer

ENDED = 3
"""Exit status of a party process that refused something, was refused, or lost another party."""
_SIGN = 1.0
"""Seconds between signs of life: ten of them are missed before a party is taken for gone."""
_UNREAD = 1 << 30
"""Bytes of a party's messages that wait to be read; one that sends more floods this one."""


class Longest:
    """Bytes of the longest message that a party may send, which grows with what is run."""

    def __init__(self, allowed: int) -> None:
        self._allowed = allowed

    def __int__(self) -> int:
        return self._allowed

    def allow(self, size: int) -> None:
        """Allow messages of so many bytes from now on."""
        self._allowed = max(self._allowed, size)


class Inbox:
    """What one other party has sent and nobody has read yet."""

    def __init__(self) -> None:
        self._found: dict[tuple[FrameKind, str], bytes] = {}
        self._changed, self._unread = threading.Condition(), 0

    def put(self, kind: FrameKind, name: str, content: bytes) -> None:
        """FrameError where it was sent before, or too much waits."""
        with self._changed:
            if (kind, name) in self._found or self._unread + len(content) > _UNREAD:
                raise FrameError("it sent a message twice, or more than anybody reads")
            self._found[kind, name] = content
            self._unread += len(content)
            self._changed.notify_all()

    def take(self, kind: FrameKind, name: str) -> bytes:
        """Wait for a message; the watch over the party ends the process where it never comes.

        FrameError where the party has said that it needs nothing more, and did not send this before.
        """
        ends = (FrameKind.DONE, "")
        with self._changed:
            self._changed.wait_for(lambda: (kind, name) in self._found or ends in self._found)
            if (kind, name) not in self._found:
                raise FrameError("it has ended the session")
            content = self._found.pop((kind, name))
            self._unread -= len(content)
            return content

    def wait_for_the_end(self, seconds: float) -> None:
        """Wait, so long at most, until the party has said that it needs nothing more."""
        with self._changed:
            self._changed.wait_for(lambda: (FrameKind.DONE, "") in self._found, max(seconds, 0))


def watch(peers: Mapping[int, Peer], longest: SupportsInt, lost: Callable[[str], None]) -> dict[int, Inbox]:
    """Receive from all and give signs of life; ``lost`` is told in one line when a party is gone."""
    inboxes = {rank: Inbox() for rank in peers}
    for rank, peer in peers.items():
        threading.Thread(target=_receive, args=(peer, inboxes[rank], longest, lost), daemon=True).start()
        threading.Thread(target=live, args=(peer.writer,), daemon=True).start()
    return inboxes


def _receive(peer: Peer, inbox: Inbox, longest: SupportsInt, lost: Callable[[str], None]) -> None:
    kind = FrameKind.ALIVE
    try:
        while kind != FrameKind.DONE:
            kind, name, content = read_frame(peer.connection, longest)
            if kind in (FrameKind.SHARE, FrameKind.ENGINE, FrameKind.ORDER, FrameKind.DONE):
                inbox.put(kind, name, content)
            elif kind != FrameKind.ALIVE:
                raise FrameError("it sent what is no message of a party")
    except FrameError as error:
        lost(f"{peer.name} is gone or does not follow the protocol: {error}")


def live(writer: FrameWriter) -> None:
    """Give signs of life, until whoever is to see them is gone."""
    with suppress(OSError):  # what came from it before says whether it is done or lost
        while True:
            writer.write(FrameKind.ALIVE)
            time.sleep(_SIGN)
