"""The sites of a run, as the coordinator reaches them: a server of its own, up while the run lasts."""

from __future__ import annotations

import shutil
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

    def __enter__(self) -> ReachedSites:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def connect(self, progress: Progress) -> CountingTransport:
        """Start the server and wait for all sites; FederationError where one does not come."""
        from sfumato.federation.nvflare.server import serving  # imports what only the extra brings

        progress.stage("waiting for sites")
        folder = self._folder.path / "connection"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        address = self._invited.address
        roster = self._invited.plan.roster
        names = [member.name for member in roster.members]
        server = self._stack.enter_context(serving(folder, address, *self._folder.credentials(address.host)))
        server.wait_for(names, self._patience, self._kept.missing)
        self._transport = server.transport(names, roster.fewest, self._kept.lost)
        return self._transport

    def finish(self, certificate: bytes, deadline: float) -> dict[str, bytes]:
        """Tell all sites that the run is over, and of what came of it; by name, what those that are there answer."""
        if self._transport is None:
            return {}
        members = self._invited.plan.roster.members
        replies = self._transport.call(FINISH, dict.fromkeys(range(len(members)), certificate), deadline)
        return {members[place].name: answer for place, answer in replies.answers.items()}
