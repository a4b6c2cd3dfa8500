"""The engines of three simulated parties: processes of this machine, with keys that live as long as one fit."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sfumato.trust.mpc.engine.engine_plan import EngineParty
from sfumato.trust.mpc.engine.identities import CERTIFICATE, KEY, REHEARSED, identity, write_identity
from sfumato.trust.mpc.engine.local_parties import HERE, free_ports
from sfumato.trust.mpc.engine.mesh import PartyKeys
from sfumato.trust.mpc.engine.session import EngineSession

if TYPE_CHECKING:
    from sfumato.trust.mpc.engine.engine_plan import EnginePlan


@dataclass(frozen=True)
class LocalEngines:
    """Those of three parties.

    Attributes:
        engine: folder of the engine.
        parties: where each is reached; public.
        identities: key and certificate of each, in PEM.
    """

    engine: Path
    parties: tuple[EngineParty, ...]
    identities: tuple[tuple[bytes, str], ...]

    @classmethod
    def fresh(cls, engine: Path, names: Sequence[str]) -> LocalEngines:
        """With keys and ports of their own."""
        identities = tuple(identity(name, REHEARSED) for name in names)
        found = zip(names, free_ports(), identities, strict=True)
        return cls(engine, tuple(EngineParty(n, HERE, port, shown) for n, port, (_, shown) in found), identities)

    @contextmanager
    def ready(self, plan: EnginePlan) -> Iterator[list[Callable[[], EngineSession]]]:
        """What starts the session of each; their keys lie in a folder of this account alone while it lasts."""
        with tempfile.TemporaryDirectory(prefix="sfumato-engine-") as folder:
            starts = []
            for rank, made in enumerate(self.identities):
                own = Path(folder) / str(rank)
                own.mkdir(mode=0o700)
                write_identity(own, *made)
                keys = PartyKeys(rank, own / CERTIFICATE, own / KEY, HERE)
                starts.append(partial(EngineSession.start, self.engine, own, plan, keys))
            yield starts
