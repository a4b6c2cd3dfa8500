"""The run of a site's ledger that pays for a plan: begun once, and taken up again by every try of the same plan."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from sfumato.errors import FederationError, Overdraft
from sfumato.federation.site_folder import PaidRun, SiteFolder
from sfumato.fitting.dataset_ledger import DatasetLedger
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import DEFAULT_CAP, Ledger, Run
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.secure_sum.prepaid import prepaid_file


class PaidPlan:
    """A plan's run, while it is held.

    Attributes:
        run: of the ledger.
        prepaid: file with the steps of a training that are paid for and not taken; None in memory.
    """

    def __init__(self, folder: SiteFolder, plan: str, paid: PaidRun, run: Run, ledger: Path | None) -> None:
        self._folder, self._plan, self._paid, self.run = folder, plan, paid, run
        self.prepaid = prepaid_file(ledger, run)
        self._done = False

    def finish(self) -> None:
        """Note that the plan was carried out, where anything was charged for it: it is not carried out again."""
        if self.run.guarantee.private and not self.run.events:
            return
        self._folder.note(self._plan, replace(self._paid, done=True))
        self._done = True

    def give_back(self) -> None:
        """Close the run where the plan was carried out; else another try may take it up."""
        if self._done:
            self.run.close()
            if self.prepaid is not None:
                self.prepaid.unlink(missing_ok=True)
        else:
            self.run.release()


@contextmanager
def paying(
    folder: SiteFolder, plan: FederationPlan, book: DatasetLedger, most: Guarantee | None = None
) -> Iterator[PaidPlan]:
    """The run of the ledger that pays for ``plan``, while the block lasts.

    Args:
        folder: of the site.
        plan: that it takes part in.
        book: where the ledger is.
        most: that the run may spend; default: ``plan.at_a_site``.

    Raises:
        FederationError: the plan was carried out, or is paid for by another ledger.
        Overdraft: the cap leaves no room for what the plan may cost at a site.
        LedgerError: the ledger cannot be used.

    *Formal guarantee.* All tries of a plan are charged to one run, which may spend no more than ``most``.
    What was charged is never given back.
    """
    before = folder.run_of(plan.digest.hex())
    if before is not None and before.done:
        raise FederationError("this plan has been carried out: for another model, ask the coordinator for a new plan")
    most = most or plan.at_a_site
    owned = not isinstance(book.ledger, Ledger)
    ledger = _opened(book, plan, most, before) if owned else book.ledger
    assert isinstance(ledger, Ledger)
    try:
        held = _taken_up(folder, plan, ledger, most, before)
        try:
            yield held
        finally:
            held.give_back()
    finally:
        if owned:
            ledger.close()


def _opened(book: DatasetLedger, plan: FederationPlan, most: Guarantee, before: PaidRun | None) -> Ledger:
    """The ledger of a file: a new one for a plan that nothing has paid for yet, and for no other."""
    if book.path is None or book.path.exists():
        return Ledger.open(book.path)
    if before is not None:
        raise _other(before)
    cap = replace(DEFAULT_CAP, unit=plan.guarantee.unit)
    with Ledger.open(None, cap) as tried:
        _begun(tried, plan, most).close()  # nothing is left behind where there is no room in a new one
    return Ledger.open(book.path, cap)


def _taken_up(
    folder: SiteFolder, plan: FederationPlan, ledger: Ledger, most: Guarantee, before: PaidRun | None
) -> PaidPlan:
    digest = plan.digest.hex()
    if before is None:
        run = _begun(ledger, plan, most)
        before = PaidRun(ledger.id, run.id)
        folder.note(digest, before)
        return PaidPlan(folder, digest, before, run, ledger.path)
    if before.ledger != ledger.id:
        raise _other(before)
    return PaidPlan(folder, digest, before, ledger.resume(before.run), ledger.path)


def _begun(ledger: Ledger, plan: FederationPlan, most: Guarantee) -> Run:
    try:
        return ledger.begin(most, f"federation {plan.digest.hex()[:16]}")
    except Overdraft as error:
        raise Overdraft(f"with room for attempts that fail, which are charged: {error}") from None


def _other(before: PaidRun) -> FederationError:
    return FederationError(
        f"this plan is paid for by another ledger, with the id {before.ledger}: name that one (--ledger)"
    )
