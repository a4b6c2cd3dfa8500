"""Whether a site should take part in a plan: all that it can tell by its own folder and by the invitation."""

from __future__ import annotations

import os
from dataclasses import replace

from sfumato.errors import FederationError
from sfumato.extras import require
from sfumato.federation.authority import check_certificate
from sfumato.federation.documents import Invitation, SiteRequest
from sfumato.federation.sealed_shares import outsourced_of
from sfumato.federation.site_folder import SiteFolder, request_name
from sfumato.fitting.agreed import agreed
from sfumato.models import MODELS
from sfumato.models.choose import check_suits
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.secure_sum.roster import check_confirmed


def invited(path: str | os.PathLike[str]) -> Invitation:
    """The invitation in a file; MissingExtra where what its plan needs of this site is not installed."""
    asked = Invitation.load(path)
    split = asked.plan.split
    if split is not None and split.persons is None:
        require("mpc", "a plan that finds the persons by intersection")
    return asked


def place_of(folder: SiteFolder, plan: FederationPlan) -> int:
    """A site's place in the plan, or an owner's among those of it; FederationError where it names no such one."""
    if plan.outsourced is None:
        return plan.roster.position(folder.identity.public_key)
    return _owner_place(folder, plan)


def judge(folder: SiteFolder, asked: Invitation, honest: int | None = None) -> int:
    """A site's place in the plan; FederationError where it should not take part.

    Args:
        folder: of the site.
        asked: to take part in what.
        honest: how many of the sites its people rely on to be honest; default: as many as the plan needs.
    """
    plan = asked.plan
    place = plan.roster.position(folder.identity.public_key)
    if plan.roster.members[place].name != folder.name:
        raise FederationError(f"the plan calls this site {plan.roster.members[place].name}, not {folder.name}")
    plan.roster.confirm_fingerprints(folder.confirmed)
    _check_outsourced(folder, plan)
    if honest is not None:
        plan.roster.check_floor(honest)
    check_certificate(asked.certificates[folder.name], asked.authority, folder.connection_key, folder.name)
    check_suits(plan.model, plan.schema.content)
    _check_made(asked)
    _check_declared(folder, plan, place)
    MODELS[plan.model, plan.schema.content].recipe()  # imports what a site computes with, or says what is missing
    return place


def judge_owner(folder: SiteFolder, asked: Invitation) -> int:
    """An owner's place among those of the plan; FederationError where it should not share anything."""
    plan = asked.plan
    place, owners = _owner_place(folder, plan), outsourced_of(plan).owners
    if owners[place].name != folder.name:
        raise FederationError(f"the plan calls this owner {owners[place].name}, not {folder.name}")
    check_confirmed(plan.roster.members, folder.confirmed)
    _check_outsourced(folder, plan)
    _check_made(asked)
    return place


def _owner_place(folder: SiteFolder, plan: FederationPlan) -> int:
    place = outsourced_of(plan).position(folder.identity.public_key)
    if place is None:
        raise FederationError(
            "the plan names this folder as no owner of columns: a server takes part by sfumato party serve"
        )
    return place


def _check_outsourced(folder: SiteFolder, plan: FederationPlan) -> None:
    """FederationError unless all owners are confirmed, and each server signed the key that shares are sealed to."""
    if plan.outsourced is not None:
        check_confirmed(plan.outsourced.owners, folder.confirmed)
        plan.outsourced.check_keys(plan.roster)


def _check_made(asked: Invitation) -> None:
    """FederationError unless a coordinator that follows the rules can have made this plan."""
    plan = asked.plan
    if not plan.guarantee.private and plan.encrypted is None:
        raise FederationError("the plan makes no promise: sums would be opened without noise; no site takes part")
    if plan.server != asked.connection:
        raise FederationError("the address or the authority in this file is not that of its plan: it was changed")
    if replace(_made(plan), server=plan.server, engine=plan.engine) != plan:
        raise FederationError("the plan allows other questions or numbers than its model needs: take no part")


def _check_declared(folder: SiteFolder, plan: FederationPlan, place: int) -> None:
    """FederationError unless the plan holds what this site declared in its request."""
    asked_for = SiteRequest.load(folder.path / request_name(folder.name))
    if plan.engine and plan.engine[place] != asked_for.engine:
        raise FederationError("the plan names another engine for this party than its request does: take no part")
    declared = asked_for.capacity
    usual = replace(plan, capacity=()).capacity[place]
    if plan.capacity[place] != (declared or usual):
        raise FederationError(
            f"the plan says that this site holds at most {plan.capacity[place]:,} records; it declared"
            f" {declared or usual:,}: ask for a plan with that"
        )


def _made(plan: FederationPlan) -> FederationPlan:
    """The plan as its own facts make it here, but for where anybody is reached."""
    if plan.encrypted is None or plan.split is None:
        stated = plan.capacity, plan.averaging, plan.max_sites, plan.split
        return agreed(plan.schema, plan.model, plan.guarantee, plan.roster, *stated, engine=plan.engine).plan
    from sfumato.fitting.encrypted_fit import EncryptedFit, check_program  # imports jax

    made = EncryptedFit.of(plan.schema, plan.roster, plan.split, plan.encrypted.receiver, plan.encrypted.steps)
    check_program(made, plan)
    return made.plan
