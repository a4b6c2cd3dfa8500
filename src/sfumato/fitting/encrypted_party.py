"""One party of a training on shares: what it answers to the coordinator, which sees signatures, steps and time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import numpy as np

from sfumato.errors import FederationError, SfumatoError
from sfumato.fitting.encrypted_fit import EncryptedFit
from sfumato.fitting.encrypted_rounds import TRAIN, run_bytes
from sfumato.trust.federated.agreement import check_signatures, sign_plan
from sfumato.trust.mpc.counting import Codes
from sfumato.trust.mpc.encrypted.coins import seed_of
from sfumato.trust.mpc.encrypted.shared_training import SharedTraining
from sfumato.trust.mpc.engine.session import EngineSession
from sfumato.trust.secure_sum.identity import SiteIdentity

_LOG = logging.getLogger("sfumato.site")


class EncryptedParty:
    """Answers the coordinator's calls; see ``Endpoint``.

    Args:
        fit: what the party agreed to.
        identity: its signing key.
        codes: its own, as the network sees them; private.
        start: begins its side of a session with the engines of the others.
        obtained: takes the last parameters, at the receiver.

    *Formal guarantee.* None of differential privacy. Nothing is shared before all three have signed the plan, and the
    coordinator is sent nothing but this party's signature.
    """

    def __init__(
        self,
        fit: EncryptedFit,
        identity: SiteIdentity,
        codes: Codes,
        start: Callable[[], EngineSession],
        obtained: Callable[[np.ndarray], None],
    ) -> None:
        self._fit, self._identity, self._codes = fit, identity, codes
        self._start, self._obtained, self._lock = start, obtained, threading.Lock()
        self._seed = b""
        self._session: EngineSession | None = None
        self._training: SharedTraining | None = None
        self._done = 0
        self._methods = {"agree": self._agreed, "begin": self._begun, TRAIN: self._trained}

    def call(self, method: str, body: bytes) -> bytes:
        """The answer to one call; FederationError, without a word about the records, where there is none."""
        answer = self._methods.get(method)
        if answer is None:
            raise FederationError("a party that trains on shares has no such method: no sum is opened")
        try:
            with self._lock:
                return answer(body)
        except FederationError:
            raise
        except SfumatoError as error:
            self.end()
            raise FederationError(str(error)) from None
        except Exception:
            _LOG.exception("a call of the coordinator failed")
            self.end()
            raise FederationError("it could not answer; its own log says why") from None

    def end(self) -> None:
        """End the session, also where the others go on: they are told that this party is gone."""
        if self._session is not None:
            self._session.kill()
        self._session = self._training = None

    def _agreed(self, body: bytes) -> bytes:
        """Sign the plan; a training that was begun before is given up."""
        if body != self._fit.plan.digest:
            raise FederationError("the coordinator runs another plan than the one that this party was given")
        self.end()
        self._seed, self._done = b"", 0
        return sign_plan(self._fit.plan, self._identity)

    def _begun(self, body: bytes) -> bytes:
        check_signatures(self._fit.plan, body)
        self._seed = seed_of(self._fit.plan.digest, [body])
        return b""

    def _trained(self, body: bytes) -> bytes:
        """The next steps, together with the two others; the last parameters go to ``obtained`` at the receiver."""
        training, runs = self._fit.training, self._fit.training.runs
        if not self._seed:
            raise FederationError("nothing is shared before all parties have signed the plan")
        if body != run_bytes(self._done) or self._done >= runs:
            raise FederationError("steps are taken once, in order; begin anew")
        if self._training is None:
            self._session = self._start()
            receiver = self._fit.parties.index(training.receiver)
            given = self._fit.columns, self._fit.programs, self._codes, self._fit.start
            self._training = SharedTraining(self._session, *given, self._seed, runs, receiver)
            self._training.share()
        found = self._training.step()
        self._done += 1
        if found is not None:
            self._obtained(found)
        if self._done == runs and self._session is not None:
            self._session.close()
            self._session = self._training = None
        return b""
