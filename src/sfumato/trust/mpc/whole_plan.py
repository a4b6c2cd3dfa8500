"""What an owner's ledger is charged with before its rows are shared: more than servers may ever answer of them."""

from __future__ import annotations

import math
from dataclasses import replace

from sfumato.privacy.accounting import ROUNDING
from sfumato.privacy.events import Event
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Run
from sfumato.privacy.spending import limit
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.secure_sum.noise import CountNoise

_AT_OWNERS, _AT_SERVERS = ROUNDING / 4, ROUNDING / 2
"""Shares of epsilon left free, so that rounding brings neither an owner's charge beyond the plan, nor what servers
answer beyond that charge; what a plan needs leaves ``ROUNDING`` free."""


def at_servers(plan: FederationPlan) -> Guarantee:
    """The most that servers answer by a plan, failed attempts included: less than each owner was charged with."""
    return _less(plan.at_a_site, _AT_SERVERS)


def whole_plan(plan: FederationPlan) -> Event:
    """One table at the cost of the whole plan, as ``FederationPlan.at_a_site`` bounds it, failed attempts included."""
    mu = math.sqrt(limit(_less(plan.at_a_site, _AT_OWNERS)).mu_squared)
    return CountNoise.of_cost(mu, plan.roster).event()


def charge_whole(run: Run, plan: FederationPlan) -> None:
    """Charge ``run``, which was begun for ``plan.at_a_site``, with all of it, once.

    *Formal guarantee.* Servers keep an account with the limit :func:`at_servers` and refuse what goes beyond it, so
    that whatever they open of these rows costs less than was charged here; shared again for the same plan, no more is
    opened.
    """
    if plan.guarantee.private and not run.events:
        run.charge(whole_plan(plan))


def _less(promise: Guarantee, share: float) -> Guarantee:
    return replace(promise, epsilon=promise.epsilon * (1 - share)) if promise.private else promise
