"""What runs in NVFlare's processes: it hands bytes on, between the network and the ``sfumato`` process beside it."""

from __future__ import annotations

import os
import threading

from nvflare.collab import collab

from sfumato.federation.nvflare.pipes import SITE_PIPE, UNSEEN, Call, Pipe

_COORDINATOR = "server"
"""How NVFlare names the caller of a site where the server calls; it takes the name from the connection."""


class SiteRelay:
    """At a site: answers a call with what the site's own process says, which alone has keys and rows."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pipe: Pipe | None = None

    @collab.publish
    def call(self, method: str, body: bytes) -> bytes:
        """One answer, a failure marked as such; nothing is raised, because what is raised is sent in full."""
        if collab.caller != _COORDINATOR:  # NVFlare lets every site of a job call every other
            return Pipe.FAILED + b"the coordinator alone calls a site"
        with self._lock:
            try:
                self._pipe = self._pipe or Pipe.open(os.environ[SITE_PIPE])
                return self._pipe.ask(Call.one(method, body).to_bytes())
            except Exception:
                self._pipe = None
                return Pipe.FAILED + b"its own process is not there"


class CoordinatorRelay:
    """At the coordinator: makes the calls that the coordinator's own process asks for."""

    def __init__(self, pipe: str) -> None:
        self.pipe = pipe  # NVFlare finds the argument by its name

    @collab.main
    def run(self) -> None:
        """Call until the coordinator's process is done."""
        pipe = Pipe.open(self.pipe)
        while (asked := pipe.take()) is not None:
            pipe.give(_called(Call.of(asked)))


def _called(call: Call) -> bytes:
    """The answers of all sites that were asked; those that are asked the same are asked in one group.

    A site may have no relay in this job: it was lost when relays were started anew.
    """
    here = {client.name for client in collab.clients}
    alike: dict[bytes, list[str]] = {}
    for name, body in call.bodies.items():
        if name in here:
            alike.setdefault(body, []).append(name)
    asked = [
        collab.get_clients(names)(timeout=call.deadline, blocking=False).call(call.method, body)
        for body, names in alike.items()
    ]
    answers = dict.fromkeys(call.bodies, Pipe.FAILED + UNSEEN)
    for queue in asked:
        answers.update({name: answer for name, answer in queue if isinstance(answer, bytes) and answer})
    return Call(call.method, call.deadline, answers).to_bytes()
