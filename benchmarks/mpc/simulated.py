"""What counting itself costs: parties in one process, without connections."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.federation.figure import Row, figure
from benchmarks.mpc.people import (
    CELLS,
    COLUMNS,
    COSTS,
    DOMAIN,
    HELD,
    KEY,
    PAIRS,
    PARTY_NAMES,
    POSITIONS,
    PROMISE,
    SCHEMA,
    people,
)
from sfumato.privacy.ledger import Ledger
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.federated.rounds import SecureRounds
from sfumato.trust.federated.transport import InProcess
from sfumato.trust.mpc.counting import Codes
from sfumato.trust.mpc.dealing import maps_bytes
from sfumato.trust.mpc.party_records import PartyRecords
from sfumato.trust.mpc.party_site import PartySite
from sfumato.trust.mpc.split import VerticalSplit, layout
from sfumato.trust.records import Records
from sfumato.trust.secure_sum.accounts import SiteAccount
from sfumato.trust.secure_sum.identity import SiteIdentity
from sfumato.trust.secure_sum.roster import Member, Roster

MAPS = maps_bytes([np.arange(size) for size in DOMAIN.sizes])
MEGABYTE = 1e6
_FEW = 100


class Timed:
    """A party whose CPU seconds are added up; one thread computes at a time."""

    def __init__(self, party: PartySite) -> None:
        self.party, self.seconds = party, 0.0

    def call(self, method: str, body: bytes) -> bytes:
        """See ``Endpoint``."""
        began = time.process_time()
        answer = self.party.call(method, body)
        self.seconds += time.process_time() - began
        return answer

    def share(self) -> np.ndarray:
        """Of all tables, without noise or mask."""
        return self.party._exact(PAIRS)


def parties(codes: np.ndarray) -> tuple[list[Timed], InProcess, SecureRounds]:
    """The parties of these persons, after their set-up."""
    keys = [SiteIdentity.fresh() for _ in HELD]
    roster = Roster(tuple(Member(n, k.public_key) for n, k in zip(PARTY_NAMES, keys, strict=True)))
    split = VerticalSplit(KEY, HELD, "0" * 64, len(codes))
    plan = FederationPlan(SCHEMA, "mst", PROMISE, roster, ("count", "marginals"), split=split)
    made = []
    present = np.ones(len(codes), bool)
    for place, (key, own) in enumerate(zip(keys, POSITIONS, strict=True)):
        run = Ledger.open().begin(plan.at_a_site, "benchmark")
        columns = tuple(np.ascontiguousarray(codes[:, i]) for i in own)
        records = PartyRecords(DOMAIN, own, Codes(columns, present), ~present)
        made.append(Timed(PartySite(plan, key, records, SiteAccount(run, plan.terms, place))))
    transport = InProcess(made)
    rounds = SecureRounds(plan, transport)
    rounds.set_up()
    return made, transport, rounds


def ask(rounds: SecureRounds) -> np.ndarray:
    """Deal all columns, and open all tables with noise, int64."""
    split = rounds.plan.split
    assert split is not None
    made = layout([(place, i) for place, own in enumerate(POSITIONS) for i in range(len(own))], DOMAIN.sizes)
    rounds.deal(MAPS, made)
    return rounds.opened(PAIRS, COSTS, CELLS)[0]


def rows(persons: int, most: tuple[float, float], stretch: str, most_memory: float | None = None) -> Iterator[Row]:
    """Figures for so many persons: ``most`` CPU seconds and MB; ``stretch`` says what was hoped for."""
    codes = people(persons)
    with threadpool_limits(1):
        ask(parties(people(_FEW))[2])  # what a process computes once, as the tables of its noise
        made, transport, rounds = parties(codes)
        before, sent = [one.seconds for one in made], list(transport.sent)
        ask(rounds)
    seconds = max(one.seconds - first for one, first in zip(made, before, strict=True))
    megabytes = max(last - first for last, first in zip(transport.sent, sent, strict=True)) / MEGABYTE
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MEGABYTE
    shares = np.sum([one.share() for one in made], axis=0)
    exact = Records.of(codes, DOMAIN)
    tables = np.concatenate([exact.table(query).ravel() for query in PAIRS.queries])
    wrong = int(np.count_nonzero((shares - tables) % 2**32))
    name = f"all two-way tables of {persons:,} persons x {COLUMNS} columns, simulated parties"
    yield figure(f"wrong cells, of {CELLS:,}: {name}", wrong, 0)
    yield figure(f"CPU seconds of a party: {name} (stretch {stretch})", seconds, most[0])
    yield figure(f"MB sent by the largest party: {name}", megabytes, most[1])
    if most_memory is not None:
        yield figure(f"MB of memory, all three together: {name}", memory, most_memory)
