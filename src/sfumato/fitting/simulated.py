"""What all institutions that are simulated in this process have in common, whatever they answer with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from sfumato.errors import Overdraft
from sfumato.federation.defaults import DEADLINE
from sfumato.fitting.agreed import Agreed
from sfumato.fitting.dataset_ledger import DatasetLedger
from sfumato.fitting.fit import begin
from sfumato.fitting.plan import Plan
from sfumato.privacy.ledger import Run
from sfumato.tables import Rows
from sfumato.trust.secure_sum.identity import SiteIdentity
from sfumato.trust.secure_sum.roster import Member


def fresh_members(names: Sequence[str]) -> tuple[tuple[SiteIdentity, ...], tuple[Member, ...]]:
    """Signing keys that are drawn for one fit, and whose they are."""
    identities = tuple(SiteIdentity.fresh() for _ in names)
    return identities, tuple(Member(name, i.public_key) for name, i in zip(names, identities, strict=True))


@dataclass(frozen=True)
class Simulated:
    """Institutions in this process; what else ``federated_fit.OpenSites`` asks for, each kind adds.

    Attributes:
        tables: the opened tables, of which no row was read.
        books: the ledger of each.
        agreed: the plan and the model.
    """

    tables: tuple[Rows, ...]
    books: tuple[DatasetLedger, ...]
    agreed: Agreed
    book = DatasetLedger(None)
    log = None
    simulated = True
    deadline = DEADLINE

    @property
    def rows(self) -> Rows | None:
        """None: no table alone has the columns of the schema."""
        return None

    def keep_signed(self, signatures: Mapping[int, bytes]) -> None:
        """Nothing is kept: their keys are of this fit alone."""

    def runs(self, stack: ExitStack, plan: Plan, kind: str, members: Sequence[Member]) -> tuple[Run, ...]:
        """A run of each one's own ledger, closed with ``stack``; ``members`` are theirs, and ``kind`` what they are.

        Overdraft where the cap of one leaves no room for what the plan may cost it.
        """
        own, runs = replace(plan, guarantee=self.agreed.plan.at_a_site), []
        for member, book in zip(members, self.books, strict=True):
            try:
                opened = begin(own, book, None)
            except Overdraft as error:
                raise Overdraft(f"{kind} {member.name}, with room for attempts that fail: {error}") from None
            stack.callback(opened.finish)
            runs.append(opened.run)
        return tuple(runs)
