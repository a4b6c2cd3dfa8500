"""What it costs to let three servers count: the files of two owners, and the servers' work, in one process."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.federation.figure import Row, figure
from benchmarks.mpc.people import CELLS, COLUMNS, COSTS, DOMAIN, KEY, NAMES, PAIRS, PROMISE, SCHEMA, people
from benchmarks.mpc.simulated import MEGABYTE
from sfumato.federation.sealed_shares import SealedShares, write_sealed
from sfumato.privacy.ledger import Ledger
from sfumato.progress import Silent
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.federated.rounds import SecureRounds
from sfumato.trust.federated.transport import InProcess
from sfumato.trust.mpc.counting import Codes
from sfumato.trust.mpc.outsourced import Outsourced, SealingKey
from sfumato.trust.mpc.row_sharing import RowSharing
from sfumato.trust.mpc.server_site import ServerRecords, ServerSite, cuts
from sfumato.trust.mpc.split import VerticalSplit
from sfumato.trust.records import Records
from sfumato.trust.secure_sum.accounts import SiteAccount
from sfumato.trust.secure_sum.identity import SiteIdentity
from sfumato.trust.secure_sum.roster import Member, Roster

_SPLIT = 8
"""Columns of the first owner; the second has the rest."""
_POSITIONS = (tuple(range(_SPLIT)), tuple(range(_SPLIT, COLUMNS)))
_KEY_BYTES = 32


class _Study:
    """Two owners and three servers of a plan for these persons."""

    def __init__(self, persons: int) -> None:
        self.servers, self.owners = ([SiteIdentity.fresh() for _ in range(k)] for k in (3, 2))
        self.keys = [bytes([place + 1]) * _KEY_BYTES for place in range(3)]  # of what is sealed in a temporary folder
        members = tuple(Member(f"owner-{i}", key.public_key) for i, key in enumerate(self.owners))
        sealing = tuple(SealingKey.signed(*both) for both in zip(self.keys, self.servers, strict=True))
        held = tuple(tuple(NAMES[i] for i in own) for own in _POSITIONS)
        split = VerticalSplit(KEY, held, "0" * 64, persons, Outsourced(members, sealing))
        roster = Roster(tuple(Member(f"server-{i}", key.public_key) for i, key in enumerate(self.servers)))
        self.plan = FederationPlan(SCHEMA, "mst", PROMISE, roster, ("count", "marginals"), split=split)

    def write(self, folder: Path, owner: int, codes: np.ndarray) -> list[Path]:
        """Share the columns of an owner to files."""
        columns = tuple(np.ascontiguousarray(codes[:, i]) for i in _POSITIONS[owner])
        sharing = RowSharing(cuts(self.plan)[owner], Codes(columns, np.ones(len(codes), bool)), 0)
        return write_sealed(folder, self.plan, self.owners[owner], sharing)

    def read(self, place: int, files: list[list[Path]]) -> ServerSite:
        """The server that was sent these."""
        opened = [SealedShares(sent[place], self.plan, place, self.keys[place]) for sent in files]
        received = [one.received(cut) for one, cut in zip(opened, cuts(self.plan), strict=True)]
        records = ServerRecords.of(self.plan, received, [one.agreed for one in opened], Silent())
        run = Ledger.open().begin(self.plan.at_a_site, "benchmark")
        return ServerSite(self.plan, self.servers[place], records, SiteAccount(run, self.plan.terms, place))


_T = TypeVar("_T")


def _timed(work: Callable[[], _T]) -> tuple[_T, float]:
    """What came of some work, and the CPU seconds that it took."""
    began = time.process_time()
    return work(), time.process_time() - began


def rows(persons: int) -> Iterator[Row]:
    """Figures for so many persons."""
    codes, study = people(persons), _Study(persons)
    with threadpool_limits(1), tempfile.TemporaryDirectory() as folder:
        shared = [_timed(lambda owner=owner: study.write(Path(folder), owner, codes)) for owner in range(2)]
        files = [paths for paths, _ in shared]
        sizes = [[path.stat().st_size for path in paths] for paths in files]
        served = [_timed(lambda place=place: study.read(place, files)) for place in range(3)]
        sites = [site for site, _ in served]
        transport = InProcess(sites)
        rounds = SecureRounds(study.plan, transport)
        rounds.set_up()
        rounds.find_sharings()
        sent = list(transport.sent)
        _, asked = _timed(lambda: rounds.opened(PAIRS, COSTS, CELLS))
    exact, shares = Records.of(codes, DOMAIN), sum(site._exact(PAIRS) for site in sites)
    tables = np.concatenate([exact.table(query).ravel() for query in PAIRS.queries])
    wrong = int(np.count_nonzero((shares - tables) % 2**32))
    name = f"{persons:,} persons x {COLUMNS} columns at two owners, three servers"
    yield figure(f"wrong cells, of {CELLS:,}: {name}", wrong, 0)
    yield figure(f"MB that an owner of {_SPLIT} columns sends, once: {name}", sum(sizes[0]) / MEGABYTE)
    yield figure(f"MB that a server is sent, at most: {name}", max(map(sum, zip(*sizes, strict=True))) / MEGABYTE)
    yield figure(f"kB that the server with seeds alone is sent: {name}", min(map(sum, zip(*sizes, strict=True))) / 1e3)
    yield figure(f"CPU seconds of an owner: {name}", max(seconds for _, seconds in shared))
    yield figure(f"CPU seconds of a server, all products: {name}", max(seconds for _, seconds in served))
    yield figure(f"CPU seconds of a server, opening all tables: {name}", asked / 3)
    most = max(last - first for last, first in zip(transport.sent, sent, strict=True)) / MEGABYTE
    yield figure(f"MB that a server sends, all tables: {name}", most)
