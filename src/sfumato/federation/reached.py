"""The sites of a run, as the coordinator reaches them: a server of its own, up while the run lasts."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import ExitStack

from sfumato.federation.coordinator_folder import CoordinatorFolder
from sfumato.federation.documents import Invitation
from sfumato.federation.run_status import KeptProgress
from sfumato.federation.site_service import FINISH
from sfumato.progress import Progress
from sfumato.trust.federated.transport import CountingTransport


class ReachedSites:
    """The sites of a run: reached once they are needed, until the block ends.

    Args:
        folder: of the coordinator.
        invited: the plan, and where the server is to be.
        patience: seconds to wait for all sites to be there.
        kept: is told which sites are waited for, and which did not answer.
    """

    def __init__(self, folder: CoordinatorFolder, invited: Invitation, patience: float, kept: KeptProgress) -> None:
        self._folder, self._invited, self._patience, self._kept = folder, invited, patience, kept
        self._stack = ExitStack()
        self._transport: CountingTransport | None = None
        self._names = [member.name for member in invited.plan.roster.members]

    def __enter__(self) -> ReachedSites:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def connect(self, progress: Progress, names: Sequence[str] = ()) -> CountingTransport:
        """Start the server and wait for all sites, or for these; FederationError where one does not come."""
        from sfumato.federation.nvflare.server import serving  # imports what only the extra brings

        progress.stage("waiting for sites")
        folder = self._folder.path / "connection"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        address = self._invited.address
        roster = self._invited.plan.roster
        self._names = list(names) or self._names
        server = self._stack.enter_context(serving(folder, address, *self._folder.credentials(address.host)))
        server.wait_for(self._names, self._patience, self._kept.missing)
        fewest, most = min(roster.fewest, len(self._names)), len(self._names) * self._invited.plan.most_bytes
        self._transport = server.transport(self._names, fewest, self._kept.lost, self._kept.silent, most)
        return self._transport

    def finish(self, certificate: bytes, deadline: float) -> dict[str, bytes]:
        """Tell the sites that the run is over, and of what came of it; by name, what those that are there answer."""
        if self._transport is None:
            return {}
        replies = self._transport.call(FINISH, dict.fromkeys(range(len(self._names)), certificate), deadline)
        return {self._names[place]: answer for place, answer in replies.answers.items()}
