"""The engine of a party whose plan compares on secret shares."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from sfumato.federation.site_folder import SiteFolder
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.mpc.engine.engine import Engine
from sfumato.trust.mpc.engine.session import EngineSession

_MEETING = 30.0
"""Seconds for the engines of parties to find each other, which all are told to at once."""


def engine_start(
    folder: SiteFolder, plan: FederationPlan, place: int, engine: Engine | None
) -> Callable[[], EngineSession] | None:
    """What starts the session of the party at ``place`` with its engine; None where the plan compares nothing by it.

    Args:
        folder: of the party.
        plan: that it takes part in.
        place: of the party.
        engine: that it compares with; default: the one among the user's data.

    EngineError where there is none; FederationError where the party was made without one.
    """
    if not plan.compares:
        return None
    here, keys = engine or Engine(), folder.engine_keys(place, plan.engine[place].host)
    session = folder.path / "engine"
    session.mkdir(mode=0o700, exist_ok=True)
    return partial(EngineSession.start, here.folder, session, plan.engine_plan, keys, _MEETING)
