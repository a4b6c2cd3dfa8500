"""What an owner's ledger is charged with before its rows are shared: all that servers may ever answer of them."""

from __future__ import annotations

from sfumato.privacy.accounting import mu_for
from sfumato.privacy.events import Event
from sfumato.privacy.ledger import Run
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.secure_sum.noise import CountNoise


def whole_plan(plan: FederationPlan) -> Event:
    """One table at the cost of the whole plan, as ``FederationPlan.at_a_site`` bounds it, failed attempts included."""
    return CountNoise.of_cost(mu_for(plan.at_a_site), plan.roster).event()


def charge_whole(run: Run, plan: FederationPlan) -> None:
    """Charge ``run``, which was begun for ``plan.at_a_site``, with all of it, once.

    *Formal guarantee.* Servers keep an account with the same limit and refuse what goes beyond it, so that whatever
    they open of these rows costs no more than was charged here; shared again for the same plan, no more is opened.
    """
    if plan.guarantee.private and not run.events:
        run.charge(whole_plan(plan))
