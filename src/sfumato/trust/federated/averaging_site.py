"""Averages as one site takes part in them: it pays for a training whole, then tells what each local run changed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from sfumato.errors import FederationError, QuestionError, TooMuchNoise
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.federated.request import SumRequest
from sfumato.trust.federated.site_facts import SiteFacts
from sfumato.trust.questions import LocalRun
from sfumato.trust.secure_sum.accounts import SiteAccount
from sfumato.trust.secure_sum.masks import in_ring
from sfumato.trust.secure_sum.numbered_site import NumberedSite

if TYPE_CHECKING:
    from sfumato.trust.federated.local_runs import LocalRuns

CLEAR_BITS = 32
"""Of a number of a change that is sent in the clear."""


class AveragingSite:
    """A site's part in trainings by averages.

    Args:
        plan: what the site agreed to.
        place: of the site in it.
        facts: its private records, once it was told all facts.
        account: over a run of its own ledger.

    *Formal guarantee.* All runs of a training are charged, durably, before the first; of one that goes on those that
    are still to be made, unless they were paid for. Each number of the plan is answered once. In the clear goes only
    what the plan says, which is private by itself, or of a plan without promise.
    """

    def __init__(self, plan: FederationPlan, place: int, facts: SiteFacts, account: SiteAccount) -> None:
        self._plan, self._place, self._facts, self._account = plan, place, facts, account
        self._runs: LocalRuns | None = None

    def forget(self) -> None:
        """A new run of the plan begins: what was paid for goes with the old one."""
        self._runs = None

    def begin(self, body: bytes) -> bytes:
        """Pay for a training, whole."""
        if self._plan.averaging is None or "local run" not in self._plan.questions:
            raise FederationError("a training by averages is outside the plan")
        if self._plan.max_rows != 1:
            raise FederationError("gradients are clipped per row, but a unit may hold several")
        self._facts.check_told()
        from sfumato.trust.federated.local_runs import LocalRuns  # imports jax, which sums do without

        try:
            self._runs = LocalRuns(body, self._facts.records, self._plan, self._place)
        except (QuestionError, TooMuchNoise) as error:
            raise FederationError(str(error)) from None
        if self._runs.step is not None:
            self._account.prepay_steps(self._runs.step, self._runs.needed, self._runs.spare)
        return b""

    def masked(self, request: SumRequest, sums: NumberedSite) -> bytes:
        """What a local run changed, hidden by ``sums``."""
        run, runs = self._checked(request)
        change = partial(runs.change, run)
        return self._account.answer(sums, request.number, self._subject(request), change, training=runs.step)

    def clear(self, request: SumRequest, sums: NumberedSite) -> bytes:
        """The same as it is; ``sums`` draws its noise alone."""
        if self._plan.averaging is None or self._plan.averaging.secure:
            raise FederationError("the plan lets nothing of this site be seen in the clear")
        run, runs = self._checked(request)
        self._account.charge(request.number, training=runs.step)
        return in_ring(runs.change(run, sums.entropy(request.number, self._subject(request))), CLEAR_BITS).tobytes()

    def _subject(self, request: SumRequest) -> bytes:
        return request.subject(self._facts.codec)

    def _checked(self, request: SumRequest) -> tuple[LocalRun, LocalRuns]:
        """The run that is asked for, of the training that was paid for."""
        run = request.question
        if not isinstance(run, LocalRun):
            raise FederationError("a request that is for no local run; nothing is answered")
        if self._runs is None:
            raise FederationError("a local run of a training that was never begun")
        try:
            self._runs.check(run)
        except QuestionError as error:
            raise FederationError(str(error)) from None
        return run, self._runs
