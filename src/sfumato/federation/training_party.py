"""A party's side of a training on shares: its engine, its one-hots, and the model where it is the one to obtain it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from sfumato.atomic import check_writable
from sfumato.errors import FederationError
from sfumato.federation.own_rows import OwnRows
from sfumato.federation.site_folder import SiteFolder
from sfumato.fitting.encrypted_fit import EncryptedFit
from sfumato.fitting.encrypted_party import EncryptedParty
from sfumato.outputs import MODEL
from sfumato.progress import Progress
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.mpc.engine.engine import Engine
from sfumato.trust.mpc.engine.engine_plan import EnginePlan
from sfumato.trust.mpc.engine.session import EngineSession
from sfumato.trust.mpc.party_records import PartyRecords


class TrainingParty:
    """One party of a plan of a training on shares.

    Args:
        folder: of the party.
        plan: that it takes part in.
        place: of the party.
        engine: that it computes with.
        output: where the model goes; None at a party that does not obtain it.

    FederationError where the party that obtains the model does not say where it goes, or another does, and where the
    plan names no engines. OutputError where the place cannot be written to.
    """

    def __init__(
        self,
        folder: SiteFolder,
        plan: FederationPlan,
        place: int,
        engine: Engine,
        output: str | os.PathLike[str] | None,
    ) -> None:
        self._folder, self._fit, self._place, self._engine = folder, EncryptedFit(plan), place, engine
        self._output = None if output is None else Path(output)
        receiver = self._fit.training.receiver
        if not plan.engine:
            raise FederationError("the plan does not say where the engines of its parties are reached: take no part")
        if (folder.name == receiver) != (output is not None):
            raise FederationError(
                f"{receiver} obtains the model of this plan: "
                + ("say where it goes" if output is None else "no output is written at any other party")
            )
        if self._output is not None:
            check_writable(self._output, MODEL, [folder.path])

    @contextmanager
    def answering(self, own: OwnRows, progress: Progress) -> Iterator[EncryptedParty]:
        """What answers the coordinator, once a trial on simulated rows went well; its engine ends with the block.

        Raises:
            EngineError: the training leaves the numbers that are right on shares.
            SfumatoError: the table does not fit.
        """
        records = own.records()
        assert isinstance(records, PartyRecords)
        self._fit.plan.check_capacity(self._place, records)
        self._fit.try_out(progress)
        with tempfile.TemporaryDirectory(dir=self._folder.path, prefix="engine-") as folder:
            party = EncryptedParty(
                self._fit,
                self._folder.identity,
                self._fit.seen(records),
                lambda: self._started(Path(folder)),
                self._obtained,
            )
            try:
                yield party
            finally:
                party.end()

    def _started(self, folder: Path) -> EngineSession:
        plan = self._fit.plan
        keys = self._folder.engine_keys(self._place, plan.engine[self._place].host)
        return EngineSession.start(self._engine.folder, folder, EnginePlan(plan.engine, plan.digest.hex()), keys)

    def _obtained(self, parameters: np.ndarray) -> None:
        """Save the model; this party is the one that obtains it."""
        if self._output is not None:
            self._fit.release(parameters).artifact().save(self._output)
