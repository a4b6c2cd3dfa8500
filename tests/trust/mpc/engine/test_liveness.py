"""Parties that are gone, silent, or say too much: this one ends with a line, and never waits for ever."""

from __future__ import annotations

import queue
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from sfumato.trust.mpc.engine import liveness
from sfumato.trust.mpc.engine.frames import FrameError, FrameKind, FrameWriter, read_frame
from sfumato.trust.mpc.engine.mesh import Peer

PATIENCE = 20
"""Seconds for what takes a fraction of one."""


class Watched:
    """This side and the other of a peer, and what was lost."""

    def __init__(self) -> None:
        self.there, here = socket.socketpair()
        self.heard, to = socket.socketpair()
        here.settimeout(PATIENCE)
        self.lost: queue.Queue[str] = queue.Queue()
        self.closed = (here, to)
        self.inbox = liveness.watch({1: Peer("east", FrameWriter(to), here)}, 100, self.lost.put)[1]
        self.writer = FrameWriter(self.there)

    def close(self) -> None:
        for one in (self.there, self.heard, *self.closed):
            one.close()


@pytest.fixture
def watched():
    with closing(Watched()) as found:
        yield found


def test_messages_are_kept_by_kind_and_name_until_they_are_taken(watched):
    for kind, name, content in (
        (FrameKind.ENGINE, "b", b"2"),
        (FrameKind.ALIVE, "", b""),
        (FrameKind.SHARE, "a", b"1"),
    ):
        watched.writer.write(kind, name, content)
    assert watched.inbox.take(FrameKind.SHARE, "a") == b"1"
    assert watched.inbox.take(FrameKind.ENGINE, "b") == b"2"
    watched.writer.write(FrameKind.DONE)
    watched.inbox.take(FrameKind.DONE, "")
    watched.there.shutdown(socket.SHUT_WR)
    assert watched.lost.empty()


def test_what_a_party_that_is_done_did_not_send_is_not_waited_for(watched):
    watched.writer.write(FrameKind.SHARE, "a", b"1")
    watched.writer.write(FrameKind.DONE)
    assert watched.inbox.take(FrameKind.SHARE, "a") == b"1"
    with pytest.raises(FrameError, match="it has ended the session"):
        watched.inbox.take(FrameKind.SHARE, "b")


def test_longer_messages_are_allowed_while_the_party_is_listened_to():
    longest, (there, here) = liveness.Longest(3), socket.socketpair()
    with there, here, ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read_frame, here, longest)
        longest.allow(4)
        longest.allow(2)
        FrameWriter(there).write(FrameKind.SHARE, "a", b"1234")
        assert reading.result(PATIENCE)[2] == b"1234"


def test_a_party_that_ends_before_it_is_done_is_lost(watched):
    watched.there.shutdown(socket.SHUT_WR)
    assert watched.lost.get(timeout=PATIENCE) == "east is gone or does not follow the protocol: its connection ended"


def test_a_message_that_is_sent_twice_is_refused(watched):
    for _ in range(2):
        watched.writer.write(FrameKind.SHARE, "a", b"1")
    assert "sent a message twice" in watched.lost.get(timeout=PATIENCE)


def test_a_message_that_is_too_long_is_refused(watched):
    watched.writer.write(FrameKind.ENGINE, "a", bytes(101))
    assert "a message of 101 bytes, of which 100 are allowed" in watched.lost.get(timeout=PATIENCE)


def test_a_greeting_in_the_middle_is_refused(watched):
    watched.writer.write(FrameKind.HELLO)
    assert "what is no message of a party" in watched.lost.get(timeout=PATIENCE)


def test_a_flood_that_nobody_reads_is_refused(watched, monkeypatch):
    monkeypatch.setattr(liveness, "_UNREAD", 150)
    for name in "ab":
        watched.writer.write(FrameKind.ENGINE, name, bytes(100))
    assert "more than anybody reads" in watched.lost.get(timeout=PATIENCE)


def test_a_silent_party_is_lost(watched):
    watched.closed[0].settimeout(0.01)
    watched.writer.write(FrameKind.ALIVE)
    assert "it was silent too long" in watched.lost.get(timeout=PATIENCE)


def test_signs_of_life_are_given(watched):
    watched.heard.settimeout(PATIENCE)
    assert watched.heard.recv(1) == bytes([FrameKind.ALIVE])


@pytest.mark.parametrize(
    ("said", "code"), [(b"Reveal 1th start index", 7), (b"Some secret values are revealed.", 7), (b"thread pool", 0)]
)
def test_the_line_that_must_never_stand_in_the_log_is_found(tmp_path, said, code):
    """Also where it comes in two pieces, behind much else."""
    program = (
        "import os, sys\nfrom pathlib import Path\nfrom sfumato.trust.mpc.engine.engine_log import EngineLog\n"
        "log = EngineLog(Path(sys.argv[1]), lambda: os._exit(7))\n"
        "said = sys.argv[2].encode()\nos.write(1, b'x' * 70000 + said[:3])\nos.write(2, said[3:])\n"
        "log.settle()\nlog = Path(sys.argv[1]).read_bytes()\nassert said in log\nassert b'\\0' not in log"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "log"), said.decode()]
    assert subprocess.run(command, timeout=PATIENCE, check=False).returncode == code
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600
