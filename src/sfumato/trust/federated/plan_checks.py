"""What no plan of a federation may state, whoever makes it."""

from __future__ import annotations

from typing import get_args

from sfumato.errors import FederationError
from sfumato.privacy.guarantee import MOST_EPSILON
from sfumato.schema import Schema
from sfumato.trust.federated.averaging import SITE_UNIT
from sfumato.trust.federated.plan_facts import MASKED, PlanFacts, Sums
from sfumato.trust.mpc.engine.engine_plan import EnginePlan
from sfumato.trust.mpc.engine.identities import check_keys

NO_SHARED_KEY = (
    "sums under encryption are for simulated sites: CKKS by TenSEAL has no key of several holders, so the one who holds"
    " it and whoever adds would read every site's numbers together; real sites add under masks, leave sums out"
)
"""Why real sites refuse them."""
MOST_ROWS = 1 << 28
"""Records of all sites together: their counts and the noise stay far within a ring of 32 bits."""
_MOST_PRODUCTS = 1 << 26
"""The same where sums of products are asked for, to which each adds up to 2**36 steps: a ring of 64 bits holds them."""
_TRAININGS = frozenset({"descent", "local run"})
_PORTS = range(1, 1 << 16)  # of machines
TRAINED_ROWS = 1 << 16
"""Records that a site of a training may hold where nobody declared how many: each step takes as long as for so many."""


def check_facts(facts: PlanFacts) -> None:
    """FederationError for averages that keep another promise, open categories, and what else no plan may state."""
    if facts.averaging is not None:
        facts.averaging.check(facts.guarantee)
    _check_sums(facts)
    check_measurable(facts.schema)
    if facts.split is not None:
        facts.split.check(facts.schema, facts.roster)
        if facts.guarantee.private and facts.toward_a_site.epsilon > MOST_EPSILON:
            raise FederationError(
                f"toward another party the promise would be epsilon {facts.toward_a_site.epsilon:.3g}, and at most"
                f" {MOST_EPSILON:g} is accounted: promise less"
            )
    _check_unit(facts)
    _check_engine(facts)
    _check_encrypted(facts)
    k = len(facts.roster.members)
    if type(facts.max_sites) is not int or not 1 <= facts.max_sites <= k:
        raise FederationError(f"max_sites: {facts.max_sites!r}; write a whole number from 1 to {k}, the sites")


def usual_capacity(facts: PlanFacts) -> tuple[int, ...]:
    """Records that each site may hold where nobody declared how many."""
    k = len(facts.roster.members)
    if facts.split is not None:
        return (facts.split.number,) * k
    each = _most_rows(facts) // k
    return (min(each, TRAINED_ROWS) if _TRAININGS & set(facts.questions) else each,) * k


def check_capacity(facts: PlanFacts) -> None:
    """FederationError for capacities that no plan can have."""
    k, most = len(facts.roster.members), _most_rows(facts)
    if len(facts.capacity) != k or not all(type(n) is int and n >= 1 for n in facts.capacity):
        raise FederationError(f"capacity: write a whole number of records from 1 on for each of the {k} sites")
    if facts.most_rows > most:
        raise FederationError(
            f"capacity: the sites declare {facts.most_rows:,} records together; at most {most:,} can be added up for"
            " this model: declare fewer"
        )


def _most_rows(facts: PlanFacts) -> int:
    return _MOST_PRODUCTS if "scatter" in facts.questions else MOST_ROWS


def _check_sums(facts: PlanFacts) -> None:
    """FederationError unless numbers can be added as it says."""
    if facts.sums not in get_args(Sums):
        raise FederationError(f"sums: {facts.sums!r}; write one of {', '.join(get_args(Sums))}")
    if facts.sums == MASKED:
        return
    if facts.server:
        raise FederationError(NO_SHARED_KEY)
    if facts.split is not None:
        raise FederationError("parties count on shares, which are added under masks: leave encrypted sums out")
    if facts.averaging is not None and not facts.averaging.secure:
        raise FederationError("secure=False sends changes in the clear: nothing of it is encrypted, leave one out")


def _check_unit(facts: PlanFacts) -> None:
    """FederationError unless the promise is per unit of the schema, by which a site bounds its rows."""
    unit = facts.schema.unit.column if facts.schema.unit.kind == "id" else "row"
    whole = facts.averaging is not None and facts.averaging.level == "site"
    if facts.guarantee.private and facts.guarantee.unit != (SITE_UNIT if whole else unit):
        raise FederationError(
            f"the plan promises per {facts.guarantee.unit}, and what is counted is each {unit}: nobody bounds the"
            f" rows of a {facts.guarantee.unit}"
        )


def _check_engine(facts: PlanFacts) -> None:
    """FederationError unless the engines are those of the parties, and no two of them are one."""
    if not facts.engine:
        return
    if facts.split is None or [one.name for one in facts.engine] != [m.name for m in facts.roster.members]:
        raise FederationError("a plan names the engine of each of three parties, in their order, or of none")
    if not all(type(one.host) is type(one.certificate) is str and one.port in _PORTS for one in facts.engine):
        raise FederationError("an engine is reached at a host and a port from 1 to 65535")
    check_keys(EnginePlan(facts.engine))


def _check_encrypted(facts: PlanFacts) -> None:
    """FederationError where a training without a promise stands beside one, or beside sums that it would open."""
    if facts.encrypted is None:
        return
    if facts.split is None or facts.guarantee.private or facts.questions:
        raise FederationError(
            "a training on shares is of three parties, makes no promise (epsilon inf), and opens no sum"
        )
    if facts.split.persons is None or facts.split.outsourced is not None:
        raise FederationError(
            "a training on shares is of persons of a public list, by the parties that have the rows: give persons,"
            " and no servers"
        )
    facts.encrypted.check([member.name for member in facts.roster.members])


def check_measurable(schema: Schema) -> None:
    """FederationError where categories are left to be measured; bounds may be."""
    for column in schema.columns:
        if column.measured and column.values_fact == "categories":
            raise FederationError(
                f"column {column.name!r}: its categories are left to be measured, and no sum over sites finds labels"
                " that nobody declared: declare all that may occur ('outside: other' takes in the rest)"
            )
