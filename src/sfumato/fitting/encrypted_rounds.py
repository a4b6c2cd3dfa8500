"""The coordinator's way through a training on shares: signatures, then steps, of which it learns that they happen."""

from __future__ import annotations

from collections.abc import Mapping

from sfumato.errors import FederationError
from sfumato.progress import Progress
from sfumato.trust.federated.agreement import check_signed, write_signatures
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.federated.transport import Transport
from sfumato.trust.mpc.encrypted.training import TOGETHER

TRAIN = "train"
"""The call for the next steps; its body is the number of the run."""
STEPS_DEADLINE = 600.0
"""Seconds that parties have for the steps of one call: most take ten, the first half a minute."""


def train(plan: FederationPlan, transport: Transport, deadline: float, progress: Progress) -> Mapping[int, bytes]:
    """Have all parties sign the plan, and take all steps; what each signed, by place.

    Args:
        plan: with its training.
        transport: reaches the parties, all of them at the same time.
        deadline: seconds for an answer that takes no steps.
        progress: receives steps.

    Raises:
        FederationError: a party does not take part, or the training ended before its time.
    """
    encrypted = plan.encrypted
    assert encrypted is not None, "the plan is of a training on shares"
    progress.stage("signatures of the parties")
    signatures = _all(plan, transport, "agree", plan.digest, deadline)
    for place, signature in signatures.items():
        check_signed(plan, place, signature)
    _all(plan, transport, "begin", write_signatures(signatures), deadline)
    progress.stage("steps on secret shares", encrypted.steps)
    for run in range(encrypted.runs):
        _all(plan, transport, TRAIN, run_bytes(run), max(deadline, STEPS_DEADLINE))
        progress.step(TOGETHER)
    return signatures


def run_bytes(run: int) -> bytes:
    """The number of a run as it is called for."""
    return run.to_bytes(4, "little")


def _all(plan: FederationPlan, transport: Transport, method: str, body: bytes, deadline: float) -> Mapping[int, bytes]:
    """The answers of all parties; FederationError with what those that failed said."""
    members = plan.roster.members
    replies = transport.call(method, dict.fromkeys(range(len(members)), body), deadline)
    missing = {place: replies.failures.get(place, "no answer in time") for place in range(len(members))}
    said = [f"{members[place].name}: {why}" for place, why in missing.items() if place not in replies.answers]
    if said:
        raise FederationError(f"the training ended before its time; {'; '.join(said)}")
    return replies.answers
