"""Rows that lie at sites elsewhere, as a source of one fit: reached over a network, under a plan that they sign."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from sfumato.errors import FederationError
from sfumato.fitting.agreed import Agreed, agreed
from sfumato.fitting.dataset_ledger import DatasetLedger
from sfumato.fitting.fit import Log
from sfumato.fitting.plan import Plan
from sfumato.privacy.ledger import Ledger
from sfumato.progress import Progress
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.federated.transport import CountingTransport

Connect = Callable[[Progress], CountingTransport]
"""Waits for all sites to be there; what reaches them from then on, until its caller ends it."""


@dataclass(frozen=True, eq=False)
class ConnectedSource:
    """The sites of a plan, elsewhere.

    Attributes:
        plan: what they were given to sign.
        connect: reaches them, once all that can fail without them was tried.
        ledger: what the opened sums are charged to.
        answers: folder that keeps them for another try, in place of one that was interrupted.
        deadline: seconds that a site has for each answer.
        signed: takes the signatures of the sites under the plan, by place.
    """

    plan: FederationPlan
    connect: Connect
    ledger: Path
    answers: Path
    deadline: float
    signed: Callable[[Mapping[int, bytes]], None]

    def opened(self, plan: Plan) -> ConnectedSites:
        """The sites for one fit; FederationError where the fit is not that of the plan. Nobody is reached yet."""
        given = self.plan
        declared = given.capacity, given.averaging, given.max_sites, given.split
        made = agreed(plan.schema, plan.model, plan.guarantee, given.roster, *declared, engine=given.engine)
        made = replace(made, plan=replace(made.plan, server=given.server))
        if made.plan != given:
            raise FederationError("the plan was made for another fit, or by another version of sfumato: make it anew")
        return ConnectedSites(self, made)


@dataclass(frozen=True)
class ConnectedSites:
    """Sites elsewhere; see ``federated_fit.OpenSites``."""

    source: ConnectedSource
    agreed: Agreed
    rows = None
    simulated = False

    @property
    def book(self) -> DatasetLedger:
        """The coordinator's own, with the promise as its cap; none without a promise."""
        place, promise = self.source.ledger, self.agreed.plan.guarantee
        if not promise.private:
            return DatasetLedger(None)
        if not place.exists():
            Ledger.open(place, promise).close()
        return DatasetLedger(place)

    @property
    def log(self) -> Log | None:
        """The coordinator's folder; nowhere without a guarantee."""
        plan = self.agreed.plan
        return Log(self.source.answers, True, {"plan": plan.digest.hex()}) if plan.guarantee.private else None

    @property
    def deadline(self) -> float:
        """Seconds that a site has for each answer."""
        return self.source.deadline

    def keep_signed(self, signatures: Mapping[int, bytes]) -> None:
        """Hand them to whoever keeps them."""
        self.source.signed(signatures)

    @contextmanager
    def answering(self, plan: Plan, progress: Progress) -> Iterator[CountingTransport]:
        """The sites, once they are there."""
        yield self.source.connect(progress)
