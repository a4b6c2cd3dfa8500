"""How messages come to the sites of a federation and back: one small protocol, and the one that stays in a process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
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


def _answer(site: Endpoint, method: str, body: bytes) -> bytes | str:
    """What a site answers, or says in place of it."""
    try:
        return site.call(method, body)
    except SfumatoError as error:
        return str(error)


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
        answers, failures = dict[int, bytes](), dict[int, str]()
        for place, answer in self._answers(method, requests).items():
            self.received[place] += len(requests[place])
            if isinstance(answer, str):
                failures[place] = answer
            else:
                answers[place] = answer
                self.sent[place] += len(answer)
        return Replies(answers, failures)

    def _answers(self, method: str, requests: Mapping[int, bytes]) -> dict[int, bytes | str]:
        return {place: _answer(self._sites[place], method, body) for place, body in requests.items()}


class InThreads(InProcess):
    """The same, all sites at the same time: for those that need each other before they can answer."""

    def _answers(self, method: str, requests: Mapping[int, bytes]) -> dict[int, bytes | str]:
        with ThreadPoolExecutor(max(1, len(requests))) as pool:
            asked = {place: pool.submit(_answer, self._sites[place], method, body) for place, body in requests.items()}
        return {place: answer.result() for place, answer in asked.items()}
