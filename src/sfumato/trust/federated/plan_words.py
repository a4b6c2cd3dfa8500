"""A plan of a federation in plain words, as each site reads it before it signs."""

from __future__ import annotations

from sfumato.trust.federated.plan_facts import MOST_STEPS, PlanFacts
from sfumato.trust.mpc.encrypted.training import EncryptedTraining
from sfumato.trust.mpc.split import VerticalSplit


def plan_words(facts: PlanFacts, digest: str) -> list[str]:
    """What each site reads; ``digest``: of the plan, in hexadecimal digits."""
    if facts.encrypted is not None and facts.split is not None:
        return _of_a_training(facts, digest, facts.encrypted, facts.split)
    promise, own = facts.guarantee, facts.at_a_site
    if promise.private:
        said = f"Promise toward whoever gets the model: epsilon {promise.epsilon:g}, delta {promise.delta:g} per"
        said += f" {promise.unit}. Your own ledger may be charged up to epsilon {own.epsilon:g}, delta {own.delta:g}."
    else:
        said = "NO PROMISE: sums are opened without noise; what comes out is not private."
    split = facts.split
    return [
        f"Plan {digest}: compare this number with the other sites, by telephone.",
        said,
        *([] if split is None else _toward_a_party(facts)),
        f"Columns: {', '.join(facts.schema.names)}.",
        _asked(facts),
        *(_several(facts) if split is None else []),
        *_searched(facts),
        *(_capacities(facts) if split is None else split.words(facts.roster)),
        *_trained(facts),
        *_compared(facts),
        *facts.roster.words(),
    ]


def _of_a_training(facts: PlanFacts, digest: str, encrypted: EncryptedTraining, split: VerticalSplit) -> list[str]:
    """What each party reads of a training on shares."""
    return [
        f"Plan {digest}: compare this number with the other parties, by telephone.",
        *encrypted.words(),
        f"Columns: {', '.join(facts.schema.names)}.",
        *split.words(facts.roster, f"what {encrypted.receiver} obtains"),
        *(f"{member.name}: {member.fingerprint}" for member in facts.roster.members),
    ]


def _asked(facts: PlanFacts) -> str:
    """What is asked, and of whom."""
    asked = f"answers {', '.join(facts.questions)}, in at most {facts.rounds} rounds of {facts.attempts} attempts"
    who = f"Each server {asked}" if facts.outsourced else f"Your site {asked}; its rows never leave it"
    return f"Model: {facts.model}. {who}."


def _toward_a_party(facts: PlanFacts) -> list[str]:
    """What is promised toward the other parties, who know more than whoever gets the model."""
    if not facts.guarantee.private:
        return []
    other = facts.toward_a_site
    return [
        f"Promise toward another party, of what a person's cells say and not of who the persons are: epsilon"
        f" {other.epsilon:.3g}, delta {other.delta:g}."
    ]


def _compared(facts: PlanFacts) -> list[str]:
    """Where the engines are, by which parties compare."""
    if not facts.engine:
        return []
    at = [f"Party {party.name} listens at {party.host}:{party.port} for the engine." for party in facts.engine]
    said = "Tables are compared with public estimates on secret shares, by SecretFlow SPU: of a selection its index"
    return [*at, f"{said} is opened to all, of distances noised sums. It trusts that no two of you work together."]


def _several(facts: PlanFacts) -> list[str]:
    """Whose rows may lie at several sites."""
    if facts.max_sites == 1:
        return ["Whoever has rows at several sites is protected less, by their number: none is meant to."]
    return [f"Whoever has rows at up to {facts.max_sites} sites is protected as promised: the noise is made for it."]


def _searched(facts: PlanFacts) -> list[str]:
    """What is found before anything is learnt."""
    named = ", ".join(facts.schema.measured())
    said = f"Bounds of {named} are found first, from noised tables that count against the promise, and told to all."
    return [said] if named else []


def _trained(facts: PlanFacts) -> list[str]:
    """How networks are trained."""
    if facts.averaging is not None:
        return [facts.averaging.words()]
    if facts.split is not None and facts.split.training is not None:
        return [facts.split.training.words()]
    said = f"A network is trained in at most {MOST_STEPS} steps, each of which is one secure sum: where its model"
    return [f"{said} would take more, a step draws more rows."] if "descent" in facts.questions else []


def _capacities(facts: PlanFacts) -> list[str]:
    """How many records each site says that it holds at most; of a training, what follows from it."""
    each = zip(facts.roster.members, facts.capacity, strict=True)
    declared = ", ".join(f"{member.name} {most:,}" for member, most in each)
    said = f"Records that each site holds at most, as it declares to everybody: {declared}. One that holds more"
    return [f"{said} does not take part; how many it holds is told to nobody."]
