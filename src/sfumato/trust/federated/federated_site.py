"""One site of a federation: it judges each question by itself, pays from its own ledger, noises and masks its sum."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from sfumato.errors import FederationError, Overdraft, QuestionError, TooMuchNoise
from sfumato.privacy.events import Event
from sfumato.privacy.randomness import SYSTEM, Entropy
from sfumato.trust import summing
from sfumato.trust.encrypted_sum.encrypting_site import EncryptingSite
from sfumato.trust.federated.agreement import check_signatures, sign_plan
from sfumato.trust.federated.averaging_site import AveragingSite
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.federated.plan_facts import MASKED
from sfumato.trust.federated.request import SumRequest
from sfumato.trust.federated.sharing import SharedNoise
from sfumato.trust.federated.site_facts import Encode, SiteFacts
from sfumato.trust.questions import GradientStep, LocalRun, Marginals, Selection, SumQuestion
from sfumato.trust.records import ExactRecords
from sfumato.trust.secure_sum.accounts import SiteAccount
from sfumato.trust.secure_sum.identity import SiteIdentity
from sfumato.trust.secure_sum.numbered_site import NumberedSite
from sfumato.trust.secure_sum.sum_site import SumSite

if TYPE_CHECKING:
    from sfumato.trust.federated.descents import SiteDescent

_LOG = logging.getLogger("sfumato.site")
"""For the people of the site alone."""


class FederatedSite:
    """Answers the coordinator's calls with bytes, and lets nothing else out.

    Args:
        plan: what the site agreed to.
        identity: its signing key.
        records: its private records.
        account: over a run of its own ledger; it outlives this object.
        entropy: source of keys and noise.
        encode: makes the records anew once facts that the plan leaves open are told; ``records`` are then those of
            ``facts.first_codec``.

    FederationError where it holds more records than the plan declares for it.

    *Formal guarantee.* A question is read, held against the plan and priced by this site alone; its events are
    charged, durably, before the noise is drawn and before the masked vector leaves. The vector holds the exact sum over
    this site's records plus its share of the noise. What is said of a failure says nothing of the records. Calls are
    answered one after the other, so that a question is priced and answered by the same records.
    """

    def __init__(
        self,
        plan: FederationPlan,
        identity: SiteIdentity,
        records: ExactRecords,
        account: SiteAccount,
        entropy: Entropy = SYSTEM,
        encode: Encode | None = None,
    ) -> None:
        self._plan, self._account = plan, account
        self._identity, self._entropy, self._lock = identity, entropy, threading.Lock()
        self._descent: SiteDescent | None = None
        self._sums = self._fresh_sums()
        check = partial(plan.check_capacity, self._sums.place)
        check(records)
        self._facts = SiteFacts(plan.schema, records, encode, check)
        self._averages = AveragingSite(plan, self._sums.place, self._facts, account)
        self._signed = False
        self._before: dict[str, Callable[[bytes], bytes]] = {"agree": self._agreed, "begin": self._begun}
        self._methods: dict[str, Callable[[bytes], bytes]] = {
            "facts": self._facts.told,
            "descent": self._paid,
            "averaging": self._averages.begin,
            "clear": lambda body: self._averages.clear(SumRequest.of(body), self._sums),
            "masked": self._masked,
        }

    def call(self, method: str, body: bytes) -> bytes:
        """The answer to one call; FederationError, without a word about the records, where there is none."""
        answer = self._before.get(method) or self._methods.get(method) or self._sums.calls.get(method)
        if answer is None:
            raise FederationError("a site has no such method")
        try:
            with self._lock:
                if not self._signed and method not in self._before:
                    raise FederationError("nothing is answered before all sites have signed the plan")
                return answer(body)
        except FederationError:
            raise
        except Overdraft:
            raise FederationError("its own ledger does not allow this question") from None
        except Exception:
            _LOG.exception("a call of the coordinator failed")
            raise FederationError("it could not answer; its own log says why") from None

    def close(self) -> None:
        """End what it keeps open while a run lasts: nothing, for sums."""

    @property
    def _records(self) -> ExactRecords:
        """Those that are asked now."""
        return self._facts.records

    def _fresh_sums(self) -> NumberedSite:
        made = SumSite if self._plan.sums == MASKED else EncryptingSite
        return made(self._plan.terms, self._identity, self._entropy, self._account.answered)

    def _agreed(self, body: bytes) -> bytes:
        """Sign the plan, where the coordinator means this one; keys and all that was prepared for are drawn anew."""
        if body != self._plan.digest:
            raise FederationError("the coordinator runs another plan than the one that this site was given")
        self._signed, self._sums, self._descent = False, self._fresh_sums(), None
        self._averages.forget()
        self._facts.forget()
        return sign_plan(self._plan, self._identity)

    def _begun(self, body: bytes) -> bytes:
        check_signatures(self._plan, body)
        self._signed = True
        return b""

    def _masked(self, body: bytes) -> bytes:
        request = SumRequest.of(body)
        if isinstance(request.question, GradientStep):
            return self._stepped(request, request.question)
        if isinstance(request.question, LocalRun):
            return self._averages.masked(request, self._sums)
        if isinstance(request.question, Selection):
            raise FederationError("a selection is no sum; nothing is answered")
        if not isinstance(request.question, Marginals):
            self._facts.check_told()
        noise = self._noise(request, request.question)
        noised = partial(self._noised, request.question, noise)
        return self._account.answer(self._sums, request.number, self._subject(request), noised, self._charged(noise))

    def _subject(self, request: SumRequest) -> bytes:
        return request.subject(self._label)

    @property
    def _label(self) -> bytes:
        """Hash of what this site's part of a sum is made by, for which masks are made: of its codec."""
        return self._facts.codec

    def _paid(self, body: bytes) -> bytes:
        """Pay for a training, whole, before its first step; of one that goes on, for what was not paid yet."""
        if "descent" not in self._plan.questions:
            raise FederationError("a training is outside the plan")
        if self._plan.max_rows != 1:
            raise FederationError("gradients are clipped per row, but a unit may hold several")
        if self._plan.averaging is not None:
            raise FederationError("the networks of this plan are trained by averages")
        self._facts.check_told()
        from sfumato.trust.federated.descents import SiteDescent  # imports jax, which sums do without

        try:
            descent = SiteDescent(body, self._records, self._plan, self._sums.place)
        except (QuestionError, TooMuchNoise) as error:
            raise FederationError(str(error)) from None
        self._account.prepay_steps(descent.step, descent.shared.needed, descent.shared.spare)
        self._descent = descent
        return b""

    def _stepped(self, request: SumRequest, step: GradientStep) -> bytes:
        """A step of the training that was paid for."""
        descent = self._descent
        if descent is None:
            raise FederationError("a step of a training that was never begun")
        try:
            descent.check(step)
        except QuestionError as error:
            raise FederationError(str(error)) from None
        noised = partial(descent.noised, step)
        return self._account.answer(self._sums, request.number, self._subject(request), noised, training=descent.step)

    def _noise(self, request: SumRequest, question: SumQuestion) -> SharedNoise:
        """What this site pays and adds, found from the question and the plan alone."""
        self._plan.check(question)
        if self._plan.guarantee.private and not all(map(math.isfinite, request.mu)):
            raise FederationError("a question without noise, in a plan that makes a promise; nothing is answered")
        try:
            plan, domain = self._plan, self._records.domain
            noise = SharedNoise.of(question, request.mu, plan.moved_by(question), plan.roster, domain)
            noise.check(plan)
            return noise
        except (QuestionError, TooMuchNoise) as error:
            raise FederationError(str(error)) from None

    def _noised(self, question: SumQuestion, noise: SharedNoise, entropy: Entropy) -> np.ndarray:
        """The exact sum over this site's records with its share of the noise."""
        return noise.add(self._exact(question), entropy)

    def _exact(self, question: SumQuestion) -> np.ndarray:
        """What this site adds to a sum, (values,) int64: private."""
        return summing.exact(question, self._records)

    def _charged(self, noise: SharedNoise) -> Sequence[Event]:
        """What this site pays for an answer with this noise."""
        return noise.events
