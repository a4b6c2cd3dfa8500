"""A command by which a site takes part in a plan: alone in its folder, told to its people, and logged for them."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from sfumato.errors import CheckpointError, FederationError
from sfumato.federation.certifying import certify
from sfumato.federation.credentials import Credentials
from sfumato.federation.documents import Invitation
from sfumato.federation.site_folder import SiteFolder
from sfumato.federation.site_ledger import paying
from sfumato.federation.site_service import SiteService
from sfumato.fitting.dataset_ledger import DatasetLedger
from sfumato.folder_lock import FolderLock
from sfumato.privacy.guarantee import Guarantee
from sfumato.progress import Progress
from sfumato.trust.federated.federated_site import FederatedSite
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.federated.transport import Endpoint
from sfumato.trust.secure_sum.accounts import SiteAccount

Said = Callable[[str], None]
"""Takes a line for the people of the site."""


class SiteRun:
    """One such command.

    Args:
        folder: of the site.
        asked: to take part in what.
        patience: seconds to wait for the coordinator, and to go on without a word of it.
        progress: receives stages and rounds.
        said: takes the plan in plain words, and what happens.
    """

    def __init__(self, folder: SiteFolder, asked: Invitation, patience: float, progress: Progress, said: Said) -> None:
        self._folder, self._asked, self._patience, self._progress, self._said = folder, asked, patience, progress, said

    def answer(
        self,
        place: int,
        book: DatasetLedger,
        site: Callable[[SiteAccount], FederatedSite],
        over: Sequence[Callable[[], None]],
        most: Guarantee | None = None,
    ) -> None:
        """Answer what is paid for until the coordinator says that the run is over.

        Args:
            place: of the site in the plan.
            book: its ledger.
            site: makes what answers, over its account.
            over: what is done at the end.
            most: that the run of the ledger may spend; see ``paying``.
        """
        plan = self._asked.plan
        with alone(self._folder), paying(self._folder, plan, book, most) as paid, self._told():
            made = site(SiteAccount(paid.run, plan.terms, place, paid.prepaid))
            try:
                self._serve(made, self._certified, bool(paid.run.events))
            finally:
                made.close()
            for end in over:
                end()
            paid.finish()

    def train(self, answering: AbstractContextManager[Endpoint]) -> None:
        """Let ``answering`` take part in a training on shares; nothing is charged for it, and no certificate signed."""
        with alone(self._folder), self._told(), answering as party:
            self._serve(party, None)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Say the plan, and log what happens."""
        with _logged(self._folder.path / "site.log"):
            say(self._asked.plan, self._said)
            yield

    def _serve(self, site: Endpoint, certify: Callable[[bytes], bytes] | None, paid: bool = False) -> None:
        """Let the coordinator call until it is done; FederationError where it says nothing for too long."""
        from sfumato.federation.nvflare.client import calling_out

        asked, name = self._asked, self._folder.name
        service = SiteService(asked.plan, site, self._progress, self._said, certify, paid)
        credentials = Credentials(self._folder.connection_key, asked.certificates[name], asked.authority)
        folder = self._folder.path / "connection"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        most = asked.plan.most_bytes
        with calling_out(folder, name, asked.address, credentials, self._said, self._patience, most) as client:
            client.serve(service, lambda: service.done)

    def _certified(self, data: bytes) -> bytes:
        """Sign a certificate of the plan, of which a copy is kept; SfumatoError where that is none."""
        signature = certify(data, self._asked.plan, self._folder.identity)
        self._folder.keep_certificate(data)
        return signature


def say(plan: FederationPlan, said: Said) -> None:
    """Say a plan in plain words."""
    for line in plan.words():
        said(line)


@contextmanager
def alone(folder: SiteFolder) -> Iterator[None]:
    """Have the folder of a site to oneself; FederationError where another command has it."""
    try:
        lock = FolderLock.take(folder.path)
    except CheckpointError:
        raise FederationError(f"another run of this site goes on in {folder.path}; end that first") from None
    try:
        yield
    finally:
        lock.give_back()


@contextmanager
def _logged(path: Path) -> Iterator[None]:
    """What the site logs goes to a file of its own, for its owner's eyes alone."""
    path.touch(mode=0o600)
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("sfumato.site")
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = True
        handler.close()
