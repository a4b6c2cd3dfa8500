"""A training on shares of three simulated parties: on three engines of this machine, or in the open as its twin."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sfumato.errors import FederationError
from sfumato.fitting.encrypted_fit import MODEL, EncryptedFit
from sfumato.fitting.encrypted_for import EncryptedFor
from sfumato.fitting.plan import Plan
from sfumato.fitting.simulated import fresh_members
from sfumato.progress import Progress
from sfumato.release.release import Release
from sfumato.tables import Rows
from sfumato.trust.mpc.counting import Codes
from sfumato.trust.mpc.encrypted.coins import seed_of
from sfumato.trust.mpc.encrypted.plain_twin import in_the_open
from sfumato.trust.mpc.encrypted.shared_training import SharedTraining
from sfumato.trust.mpc.encrypted.training import TOGETHER
from sfumato.trust.mpc.engine.engine import Engine
from sfumato.trust.mpc.engine.local_parties import at_once, local_sessions
from sfumato.trust.mpc.engine.session import EngineSession
from sfumato.trust.mpc.party_records import party_records
from sfumato.trust.mpc.persons import Persons
from sfumato.trust.mpc.split import CURIOUS, LOST, VerticalSplit
from sfumato.trust.secure_sum.roster import Roster

_SEED = seed_of(b"simulated parties", ())
"""Of all simulated trainings, so that one on shares and its twin take the same steps."""


def trained(
    plan: Plan, wanted: EncryptedFor, tables: Sequence[Rows], names: Sequence[str], split: VerticalSplit,
    persons: Persons, progress: Progress,
) -> Release:  # fmt: skip
    """The model of columns at three simulated parties, without a promise.

    Raises:
        FederationError: a promise is asked for, another model, or nothing that three parties can train.
        EngineError: the training diverged, or an engine ended before its time.

    *Formal guarantee.* None.
    """
    if plan.guarantee.private or plan.model not in ("auto", MODEL):
        raise FederationError(
            f"what is trained on shares without noise is {MODEL}, and promises nothing: take Guarantee(inf)"
        )
    _, members = fresh_members(names)
    fit = EncryptedFit.of(plan.schema, Roster(members, CURIOUS, LOST), split, wanted.receiver, wanted.steps)
    fit.try_out(progress)
    records = (party_records(table, plan.schema, split, place, persons, progress) for place, table in enumerate(tables))
    codes = [fit.seen(one) for one in records]
    if wanted.engine is None:
        return fit.release(in_the_open(fit.columns, codes, fit.start, _SEED, fit.training.runs, progress))
    return fit.release(_on_shares(fit, codes, wanted.engine, progress))


def _on_shares(fit: EncryptedFit, codes: Sequence[Codes], engine: Engine, progress: Progress) -> np.ndarray:
    runs, receiver = fit.training.runs, fit.parties.index(fit.training.receiver)
    programs = fit.programs
    progress.stage("steps on secret shares", runs * TOGETHER)

    def party(session: EngineSession) -> np.ndarray | None:
        own = codes[session.rank]
        training = SharedTraining(session, fit.columns, programs, own, fit.start, _SEED, runs, receiver)
        training.share()
        found = None
        for _ in range(runs):
            found = training.step()
            if session.rank == receiver:
                progress.step(TOGETHER)
        return found

    with tempfile.TemporaryDirectory() as folder, local_sessions(engine.folder, Path(folder) / "parties") as sessions:
        found = at_once(sessions, party)[receiver]
    assert found is not None, "the receiver obtains the last parameters"
    return found
