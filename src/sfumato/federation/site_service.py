"""What a site answers over the network: the calls of the coordinator, and that the run is done."""

from __future__ import annotations

from collections.abc import Callable

from sfumato.errors import FederationError, SfumatoError
from sfumato.progress import Progress
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.federated.transport import Endpoint

FINISH = "finish"
"""The call after the last one: with the certificate of the model, which the site signs."""
_WORDS = {
    "agree": "the coordinator asks for the signature under the plan",
    "begin": "all sites have signed the plan",
    "descent": "the coordinator begins a training; it is paid for whole",
}


class SiteService:
    """Passes calls to the site, and says what happens.

    Args:
        plan: that was agreed to.
        site: answers.
        progress: receives stages and rounds.
        said: takes a line for the people of the site.
        certify: the site's signature under a certificate; SfumatoError where it does not sign that; None: there is
            none to be signed.
        paid: whether something of the plan was charged in an earlier process.

    Attributes:
        done: whether the coordinator has said that the run is over.
    """

    def __init__(
        self,
        plan: FederationPlan,
        site: Endpoint,
        progress: Progress,
        said: Callable[[str], None],
        certify: Callable[[bytes], bytes] | None,
        paid: bool = False,
    ) -> None:
        self._plan, self._site, self._progress, self._said, self._certify = plan, site, progress, said, certify
        self.done, self._begun = False, paid

    def call(self, method: str, body: bytes) -> bytes:
        """The answer; FederationError where there is none."""
        if self.done:
            raise FederationError("the run is over at this site")
        if method == FINISH:
            if not self._begun:
                raise FederationError("a run that has not begun cannot be over")
            self.done = True
            return self._certified(body)
        try:
            answer = self._site.call(method, body)
        except FederationError as error:
            self._said(f"refused ({method}): {error}")
            raise
        self._begun |= method == "begin"
        if method in _WORDS:
            self._said(_WORDS[method])
        if method == "receive":
            self._progress.stage("rounds", self._plan.rounds)
        if method == "unmask":
            self._progress.step()
        return answer

    def _certified(self, certificate: bytes) -> bytes:
        """The signature under the certificate; nothing where the site does not sign it. The run is over either way."""
        if self._certify is None:
            return b""
        try:
            signature = self._certify(certificate)
        except SfumatoError as error:
            self._said(f"this site did not sign the certificate: {error}")
            return b""
        self._said("this site signed the certificate, which states what its plan does")
        return signature
