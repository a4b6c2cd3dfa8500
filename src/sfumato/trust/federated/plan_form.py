"""The form of a plan of a federation as JSON values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, TypeVar

from sfumato.errors import FederationError
from sfumato.privacy.guarantee import Guarantee, check_promise
from sfumato.results.plain import Json
from sfumato.schema import Schema
from sfumato.trust.federated.averaging import Averaging
from sfumato.trust.federated.plan_checks import NO_SHARED_KEY
from sfumato.trust.federated.plan_facts import MASKED, PlanFacts
from sfumato.trust.mpc.encrypted.training import EncryptedTraining
from sfumato.trust.mpc.engine.engine_plan import EngineParty
from sfumato.trust.mpc.split import VerticalSplit
from sfumato.trust.secure_sum.roster import Member, Roster

FORMAT = "sfumato federation plan/1"
Facts = TypeVar("Facts", bound=PlanFacts)


def facts_as_json(facts: PlanFacts) -> dict[str, Json]:
    """All of them."""
    return {
        "format": FORMAT,
        "schema": facts.schema.dump(),
        "model": facts.model,
        "guarantee": {**asdict(facts.guarantee), **({} if facts.guarantee.private else {"epsilon": None})},
        "sites": [{"name": m.name, "key": m.public_key.hex()} for m in facts.roster.members],
        "curious": facts.roster.curious,
        "lost": facts.roster.lost,
        "threshold": facts.roster.threshold,
        "questions": list(facts.questions),
        "rounds": facts.rounds,
        "attempts": facts.attempts,
        "longest": facts.longest,
        "bits": facts.bits,
        "capacity": list(facts.capacity),
        "max_sites": facts.max_sites,
        "server": facts.server,
        **({} if facts.averaging is None else {"averaging": asdict(facts.averaging)}),
        **({} if facts.split is None else {"split": facts.split.to_dict()}),
        **({"engine": [asdict(one) for one in facts.engine]} if facts.engine else {}),
        **({} if facts.sums == MASKED else {"sums": facts.sums}),
        **({} if facts.encrypted is None else {"encrypted": facts.encrypted.to_dict()}),
    }


def facts_from_json(data: Mapping[str, Any], kind: type[Facts]) -> Facts:
    """The inverse of ``facts_as_json``, made as ``kind``.

    KeyError, TypeError, ValueError or AttributeError for data of another form; SfumatoError for facts that no plan may
    state.
    """
    if "sums" in data:  # of a file: no simulated site reads one
        raise FederationError(NO_SHARED_KEY)
    members = tuple(Member(site["name"], bytes.fromhex(site["key"])) for site in data["sites"])
    stated = data["guarantee"]
    guarantee = Guarantee(**{**stated, "epsilon": math.inf if stated["epsilon"] is None else stated["epsilon"]})
    check_promise(guarantee)
    return kind(
        schema=Schema.parse(data["schema"]),
        model=data["model"],
        guarantee=guarantee,
        roster=Roster(members, data["curious"], data["lost"]),
        questions=tuple(data["questions"]),
        rounds=data["rounds"],
        attempts=data["attempts"],
        longest=data["longest"],
        bits=data["bits"],
        capacity=tuple(data["capacity"]),
        max_sites=data["max_sites"],
        server=data["server"],
        averaging=Averaging(**data["averaging"]) if "averaging" in data else None,
        split=VerticalSplit.from_dict(data["split"]) if "split" in data else None,
        engine=tuple(EngineParty(**one) for one in data.get("engine", ())),
        encrypted=EncryptedTraining.from_dict(data["encrypted"]) if "encrypted" in data else None,
    )
