"""What a certificate says of the sites of a fit: beforehand of those of the plan, and at the end of what they did."""

from __future__ import annotations

from dataclasses import asdict

from sfumato.privacy.guarantee import Guarantee
from sfumato.release.absences import StatedAbsence
from sfumato.release.federation import FederationStatement, StatedAveraging, StatedSite
from sfumato.release.stated_split import (
    StatedOutsourcing,
    StatedOwner,
    StatedSealing,
    StatedSplit,
    StatedTraining,
)
from sfumato.trust.federated.attendance import Absence
from sfumato.trust.federated.averaging import Averaging
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.federated.rounds import SecureRounds
from sfumato.trust.federated.transport import CountingTransport
from sfumato.trust.mpc.outsourced import Outsourced
from sfumato.trust.mpc.split import VerticalSplit


def planned_statement(plan: FederationPlan, simulated: bool) -> FederationStatement:
    """Before anything was asked: as if one sum had been opened, and nothing sent."""
    roster = plan.roster
    return FederationStatement(
        plan=plan.digest.hex(),
        sites=tuple(StatedSite(name=m.name, fingerprint=m.fingerprint) for m in roster.members),
        curious=roster.curious,
        lost=roster.lost,
        threshold=roster.threshold,
        simulated=simulated,
        rounds=1,
        bytes_sent=0,
        bytes_received=0,
        averaging=_stated(plan.averaging),
        max_sites=plan.max_sites,
        sums=plan.sums,
        split=_stated_split(plan.split, plan.toward_a_site) if plan.split and plan.guarantee.private else None,
    )


def final_statement(
    rounds: SecureRounds, transport: CountingTransport, simulated: bool, resumed: bool
) -> FederationStatement:
    """Of a fit whose ``rounds`` are over; ``resumed``: its coordinator went on with what was opened before."""
    members = rounds.plan.roster.members
    found = {
        "rounds": rounds.opened_rounds,
        "bytes_sent": max(transport.sent),
        "bytes_received": max(transport.received),
        "resumed": resumed,
        "signed": not simulated,
        "absences": tuple(_absence(members[a.place].name, a) for a in rounds.attendance.absences),
    }
    return planned_statement(rounds.plan, simulated).model_copy(update=found)


def _absence(site: str, absence: Absence) -> StatedAbsence:
    return StatedAbsence(
        site=site, times=absence.times, round=absence.round, stage=absence.stage, returned=absence.returned
    )


def _stated_split(split: VerticalSplit, toward: Guarantee) -> StatedSplit:
    return StatedSplit(
        alignment=split.alignment,
        key=split.key,
        columns=split.columns,
        persons=split.persons,
        number=split.number,
        toward_a_party=toward.epsilon,
        outsourced=_stated_outsourcing(split.outsourced),
        training=None if split.training is None else StatedTraining(**asdict(split.training)),
    )


def _stated_outsourcing(outsourced: Outsourced | None) -> StatedOutsourcing | None:
    if outsourced is None:
        return None
    return StatedOutsourcing(
        owners=tuple(StatedOwner(name=o.name, key=o.public_key.hex()) for o in outsourced.owners),
        sealing=tuple(
            StatedSealing(public=key.public.hex(), signature=key.signature.hex()) for key in outsourced.sealing
        ),
        days=outsourced.days,
    )


def _stated(averaging: Averaging | None) -> StatedAveraging | None:
    if averaging is None:
        return None
    return StatedAveraging(
        local_steps=averaging.local_steps,
        proximal=averaging.proximal,
        secure=averaging.secure,
        level=averaging.level,
    )
