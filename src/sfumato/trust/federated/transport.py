"""How messages come to the sites of a federation and back: one small protocol, and the one that stays in a process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sfumato.errors import SfumatoError


@dataclass(frozen=True)
class Replies:
    """What came back from a call.

    Attributes:
        answers: by place of the site, its bytes.
        failures: by place, why nothing came: what the site said, or that it was lost. Nothing of its rows.
    """

    answers: Mapping[int, bytes] = field(default_factory=dict)
    failures: Mapping[int, str] = field(default_factory=dict)


class Transport(Protocol):
    """Carries bytes between the coordinator and the sites; it reads none of them."""

    def call(self, method: str, requests: Mapping[int, bytes], deadline: float) -> Replies:
        """Call ``method`` at the sites at these places, each with its bytes, and wait ``deadline`` seconds at most."""
        ...


class CountingTransport(Transport, Protocol):
    """One that knows what it carried."""

    @property
    def sent(self) -> Sequence[int]:
        """Bytes that each site sent, by place."""
        ...

    @property
    def received(self) -> Sequence[int]:
        """Bytes that each site was sent, by place."""
        ...


class Endpoint(Protocol):
    """A site as a transport sees it."""

    def call(self, method: str, body: bytes) -> bytes:
        """The answer; SfumatoError, whose text says nothing of the rows, where there is none."""
        ...


class InProcess:
    """Sites in this very process, one after the other: for tests, for a simulation, and for one machine.

    Args:
        sites: in the order of the roster.

    Attributes:
        sent: bytes that each site sent, by place; ``received``: bytes that it was sent.
    """

    def __init__(self, sites: Sequence[Endpoint]) -> None:
        self._sites = list(sites)
        self.sent, self.received = [0] * len(sites), [0] * len(sites)

    def call(self, method: str, requests: Mapping[int, bytes], deadline: float) -> Replies:
        """See ``Transport``; nobody is waited for, so the deadline does not matter."""
        answers, failures = {}, {}
        for place, body in requests.items():
            self.received[place] += len(body)
            try:
                answers[place] = self._sites[place].call(method, body)
                self.sent[place] += len(answers[place])
            except SfumatoError as error:
                failures[place] = str(error)
        return Replies(answers, failures)
