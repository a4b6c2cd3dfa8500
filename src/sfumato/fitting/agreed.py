"""What the sites of a federation agree to, from public facts alone: the plan and the model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sfumato.encoding.codec import Codec
from sfumato.encoding.measure import widest
from sfumato.errors import FederationError, UnsupportedUnit
from sfumato.models import MODELS
from sfumato.models.choose import Choice, chosen
from sfumato.privacy.accounting import mu_for
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.party_training import PartyTraining
from sfumato.schema import Schema
from sfumato.trust.federated.averaging import Averaging
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.federated.plan_checks import check_measurable
from sfumato.trust.federated.plan_facts import MASKED, Sums
from sfumato.trust.mpc.engine.engine_plan import EngineParty
from sfumato.trust.mpc.split import VerticalSplit
from sfumato.trust.secure_sum.noise import CountNoise
from sfumato.trust.secure_sum.roster import MOST_SITES, Roster

_KINDS = {"marginals": "marginals", "feature_sum": "feature sum", "scatter": "scatter", "gradients": "descent"}
"""Kinds of questions, by what a model's entry says that it asks."""
_VECTORS = frozenset({"feature_sum", "scatter"})
"""What lies on so fine a grid that it takes the wide ring."""
_COUNTED = frozenset({"marginals", "select", "distances"})
"""What a model may ask of parties: one that selects asks for all at once where these do not compare."""
_COMPARED = {"select": "selection", "distances": "distances"}
"""Kinds of questions that parties answer whose plan names engines."""
_ROUNDS, _ROUNDS_A_COLUMN = 256, 10
"""Of a plan. One that compares may take ten for each column: some four selections, and a table after each."""
_LEARNT = _COUNTED | {"gradients"}
"""What they may be asked with the engine."""
_PARTY_STEPS, _BATCHES = 24, 20
"""Steps of a training of parties, and batches that make all records where a recipe takes its own number of steps."""
_NARROW, _WIDE = 32, 64
"""Bits of the ring: counts and their noise mostly fit the narrow one; sums of vectors lie on a fine grid."""


@dataclass(frozen=True)
class Agreed:
    """A plan, and the model that it is for.

    Attributes:
        plan: what the sites sign.
        choice: the model.
    """

    plan: FederationPlan
    choice: Choice


def agreed(
    schema: Schema,
    model: str,
    guarantee: Guarantee,
    roster: Roster,
    capacity: Sequence[int] = (),
    averaging: Averaging | None = None,
    max_sites: int = 1,
    split: VerticalSplit | None = None,
    sums: Sums = MASKED,
    engine: tuple[EngineParty, ...] = (),
) -> Agreed:
    """The plan for a model: it allows the kinds of questions that the model asks, and no other.

    What is chosen hangs on no bounds, which may be left to be measured.

    Raises:
        FederationError: nothing that sites can answer.
        SfumatoError: the schema or the model cannot be fitted.
    """
    check_measurable(schema)
    codec = Codec.from_schema(schema, widest(schema))
    target = None if schema.target is None else codec.position(schema.target)
    choice = chosen(model, codec.domain, target, guarantee)
    asks = MODELS[choice.name, codec.domain.content].asks
    if averaging is not None:
        if "gradients" not in asks:
            raise FederationError(
                f"model {choice.name!r} is learnt from sums, not by steps: leave local_steps out, or name a network"
            )
        averaging = replace(averaging, level="record" if guarantee.private else "none")
    asks |= {"marginals"} if schema.measured() else frozenset()  # of which the search for bounds is made
    listed = split is not None and split.persons is not None and split.outsourced is None
    if split is not None and asks - (_LEARNT if engine and listed else _COUNTED):
        raise FederationError(
            f"model {choice.name!r} asks for {', '.join(sorted(asks - _COUNTED))}, and parties count: take a model over"
            " marginals (auto, aim, mst, independent), or, of tables, give the engine that networks need"
        )
    if split is not None and "gradients" in asks:
        split = replace(split, training=_training(choice, codec, guarantee))
    if sums != MASKED and _VECTORS & asks:
        raise FederationError(
            f"model {choice.name!r} asks for sums of vectors in steps so fine that encrypted ones are not exact: add"
            " under masks, or take another model"
        )
    known = _KINDS if averaging is None else {**_KINDS, "gradients": "local run"}
    known = {**known, **_COMPARED} if engine and listed else known
    kinds = ("count", *(kind for asked, kind in known.items() if asked in asks))
    given = tuple(capacity)
    narrow = FederationPlan(
        schema,
        choice.name,
        guarantee,
        roster,
        kinds,
        rounds=max(_ROUNDS, _ROUNDS_A_COLUMN * len(codec.domain)) if engine else _ROUNDS,
        bits=_NARROW,
        capacity=given,
        averaging=averaging,
        max_sites=max_sites,
        split=split,
        sums=sums,
        engine=engine,
    )
    if narrow.max_rows != 1 and "gradients" in asks:
        raise UnsupportedUnit(
            f"model {choice.name!r} clips gradients per row, but a unit may hold {narrow.max_rows} rows at all sites:"
            " take a model over marginals, or declare max_rows 1 and max_sites 1"
        )
    fits = not _VECTORS & asks and _fits_counts(narrow)
    if split is not None and not fits:
        raise FederationError("parties count in a ring of 32 bits, which does not hold noise as small: promise less")
    return Agreed(narrow if fits else replace(narrow, bits=_WIDE), choice)


def _training(choice: Choice, codec: Codec, guarantee: Guarantee) -> PartyTraining:
    """What parties fix of a training, by the recipe of the model.

    Fewer steps of larger batches than elsewhere: a party knows who is in a batch, so that each costs it as much.
    """
    recipe = MODELS[choice.name, codec.domain.content].recipe()
    steps = min(_PARTY_STEPS, recipe.steps)  # pyright: ignore[reportAttributeAccessIssue] - as all networks have
    rate = min(1.0, recipe.steps / steps / _BATCHES)  # pyright: ignore[reportAttributeAccessIssue]
    share = recipe.gradients  # pyright: ignore[reportAttributeAccessIssue]
    return PartyTraining(share, steps, math.floor(rate * 2**32) / 2**32)


def _fits_counts(plan: FederationPlan) -> bool:
    """Whether the ring holds counts at any cost: their finest parts are those of one that costs the whole promise."""
    if not plan.guarantee.private:
        return True
    finest = CountNoise.of_cost(mu_for(plan.guarantee), plan.roster, plan.max_rows)
    most = plan.most_rows * finest.multiple
    return plan.holds(most, finest.deviation(MOST_SITES) * finest.multiple)
