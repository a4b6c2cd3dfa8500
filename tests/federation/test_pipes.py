"""Bytes between two processes of one user: whole messages, and a clear end."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from sfumato.errors import FederationError
from sfumato.federation.nvflare import pipes
from sfumato.federation.nvflare.pipes import Call, Pipe, listening


def test_messages_come_whole_and_in_order() -> None:
    with listening() as listener:
        assert Path(listener.path).parent.stat().st_mode & 0o077 == 0
        near = Pipe.open(listener.path)
        far = listener.accept(10.0)
        assert far is not None
        big = bytes(range(256)) * 40_000
        sender = threading.Thread(target=lambda: [near.give(message) for message in (b"", b"x", big)])
        sender.start()
        assert [far.take(), far.take(), far.take()] == [b"", b"x", big]
        sender.join()
        near.close()
        assert far.take() is None
        with pytest.raises(FederationError, match="is gone, or silent"):
            far.ask(b"x")
        far.close()


def test_of_a_message_that_is_too_long_nothing_is_read() -> None:
    with listening(10) as listener:
        near = Pipe.open(listener.path)
        far = listener.accept(10.0)
        assert far is not None
        near.give(bytes(10))
        near.give(bytes(11))
        assert [far.take(), far.take()] == [bytes(10), None]
        near.close()
        far.close()


def test_who_says_nothing_is_not_waited_for() -> None:
    with listening() as listener:
        assert listener.accept(0.01) is None
        near = Pipe.open(listener.path)
        far = listener.accept(10.0)
        assert far is not None
        with pytest.raises(FederationError, match="is gone, or silent"):
            near.ask(b"x", 0.01)
        near.close()
        far.close()


@pytest.mark.parametrize("bodies", [{}, {"a": b""}, {"a": b"1", "b": b"", "c": bytes(100)}], ids=len)
def test_a_call_is_read_as_it_was_written(bodies: dict[str, bytes]) -> None:
    call = Call("masked", 30.0, bodies)
    assert Call.of(call.to_bytes()) == call


@pytest.mark.parametrize("data", [b"", b"\x01", b"\x02\0\0\0{}", Call.one("x", b"abc").to_bytes()[:-1]], ids=len)
def test_what_is_no_call_is_refused(data: bytes) -> None:
    with pytest.raises(FederationError, match="a call that is none"):
        Call.of(data)


def test_something_else_is_looked_at_while_an_answer_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipes, "LOOK", 0.01)
    looks = []
    with listening() as listener:
        near = Pipe.open(listener.path)
        far = listener.accept(10.0)
        assert far is not None

        def look() -> None:
            looks.append(1)
            if len(looks) == 3:
                far.give(b"answer")

        assert near.ask(b"x", 60.0, look) == b"answer"
        assert len(looks) == 3
        with pytest.raises(FederationError, match="is gone, or silent"):
            near.ask(b"x", 0.05, lambda: looks.append(1))
        assert len(looks) > 3
        near.close()
        far.close()
