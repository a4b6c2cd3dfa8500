"""How an owner shares its columns to servers, and how a server computes on what owners shared."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from sfumato.federation.documents import Invitation
from sfumato.federation.own_rows import OwnRows
from sfumato.federation.sealed_shares import SealedShares, by_owner, check_new, write_sealed
from sfumato.federation.site_folder import SiteFolder
from sfumato.federation.site_ledger import paying
from sfumato.federation.site_run import Said, SiteRun, alone, say
from sfumato.fitting.dataset_ledger import DatasetLedger
from sfumato.privacy.guarantee import MOST_DELTA, MOST_EPSILON, Guarantee
from sfumato.privacy.ledger import Ledger
from sfumato.progress import Progress
from sfumato.trust.federated.federated_site import FederatedSite
from sfumato.trust.mpc.party_records import PartyRecords
from sfumato.trust.mpc.row_sharing import RowSharing
from sfumato.trust.mpc.server_site import ServerRecords, ServerSite, cuts
from sfumato.trust.mpc.whole_plan import at_servers, charge_whole
from sfumato.trust.secure_sum.accounts import SiteAccount


def share_rows(folder: SiteFolder, own: OwnRows, book: DatasetLedger, output: Path, said: Said) -> list[Path]:
    """Share an owner's rows to the servers of its plan: the path of the file for each.

    Args:
        folder: of the owner.
        own: its rows.
        book: their ledger.
        output: folder for the files.
        said: takes the plan in plain words.

    Raises:
        Overdraft: the ledger has no room for the whole plan.
        OutputError: there are such files already: they are not replaced.

    *Formal guarantee.* The ledger is charged with the whole plan, durably and once, before the first byte of a share is
    written.
    """
    plan, place = own.plan, own.place
    records = own.records()
    assert isinstance(records, PartyRecords)
    check_new(output, plan, place)
    with alone(folder):
        say(plan, said)
        with paying(folder, plan, book) as paid:
            charge_whole(paid.run, plan)
        sharing = RowSharing(cuts(plan)[place], records.codes, records.outside)
        return write_sealed(output, plan, folder.identity, sharing)


def serve_shares(
    folder: SiteFolder, asked: Invitation, place: int, files: Sequence[Path], progress: Progress, run: SiteRun
) -> None:
    """Answer as the server at ``place`` of the plan, on the shares in ``files``; these are deleted at the end.

    Args:
        folder: of the server.
        asked: to take part in what.
        place: of the server.
        files: that owners sealed for it, one of each.
        progress: receives stages.
        run: by which it takes part.

    FederationError for files that are not of each owner, for this server and this plan.

    *Formal guarantee.* See ``ServerSite``. The server's account of the plan is ``server.ledger`` in its folder.
    """
    plan = asked.plan
    opened = by_owner([SealedShares(file, plan, place, folder.sealing_key) for file in files], plan)

    def site(account: SiteAccount) -> FederatedSite:
        received = [one.received(cut) for one, cut in zip(opened, cuts(plan), strict=True)]
        records = ServerRecords.of(plan, received, [one.agreed for one in opened], progress)
        return ServerSite(plan, folder.identity, records, account)

    # without the key nobody reads a file, also where this process ends between the two
    over = [folder.delete_sealing_key, *(partial(file.unlink, missing_ok=True) for file in files)]
    book = DatasetLedger(folder.path / "server.ledger")
    if book.path is not None and not book.path.exists():  # its cap is no one's: owners have paid, each by its own
        Ledger.open(book.path, Guarantee(MOST_EPSILON, MOST_DELTA, plan.guarantee.unit)).close()
    run.answer(place, book, site, over, at_servers(plan))
