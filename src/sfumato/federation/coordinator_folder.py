"""What the coordinator keeps in its folder: what is to be fitted, the keys of the connections, the plan, and the run.

FOLDER/study.json           what is to be fitted, with whom, under which promise
FOLDER/keys/                of the authority, the server and its session; for the coordinator's eyes alone
FOLDER/requests/            of the sites: copied here as they are taken in
FOLDER/plan.json            the invitation, for all sites
FOLDER/signatures.json      of the sites under the plan, once they have signed it
FOLDER/coordinator.ledger   what the opened sums cost, and FOLDER/answers/, which keeps them for another try
FOLDER/status.json          how far the run is
FOLDER/over.json            where the model is, and which sites have not heard yet that the run is over
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sfumato.atomic import atomic_folder
from sfumato.errors import FederationError
from sfumato.federation.address import Address
from sfumato.federation.authority import Authority, fresh_key
from sfumato.federation.credentials import Credentials
from sfumato.federation.defaults import USUAL_STEPS
from sfumato.federation.documents import save_new
from sfumato.federation.kept_files import KeptFiles
from sfumato.privacy.guarantee import Guarantee
from sfumato.results.plain import Json
from sfumato.schema import Schema
from sfumato.trust.federated.averaging import Averaging
from sfumato.trust.mpc.split import VerticalSplit

_STUDY, _KEYS, _STATUS, _SIGNATURES, _OVER = "study.json", "keys", "status.json", "signatures.json", "over.json"
_PLAN = "plan.json"
_AUTHORITY_KEY, _AUTHORITY, _SERVER_KEY, _ADMIN_KEY = "authority.key", "authority.pem", "server.key", "admin.key"
_FORMAT = "sfumato federation study/1"


@dataclass(frozen=True)
class Over:
    """The end of a run: the model is saved, and the sites are told.

    Attributes:
        model: where it is, or will be in a moment.
        untold: names of the sites that have not answered yet that they heard it.
    """

    model: Path
    untold: tuple[str, ...]


@dataclass(frozen=True)
class Study:
    """What is to be fitted, and with whom.

    Attributes:
        schema: the public schema, with its target.
        model: its name, or ``"auto"``.
        guarantee: what is promised.
        sites: their names, in order.
        curious: how many of them may collude with the coordinator.
        lost: how many may be lost in a round.
        address: where sites will reach the coordinator.
        max_sites: sites at which one unit may have rows.
        averaging: how networks are trained by averages; None: by one secure sum a step.
        split: which of them, as parties, holds which columns; None: each has all columns of its own rows.
        receiver: of a training on shares without a promise, who obtains the model; None: what is fitted keeps one.
        steps: of such a training.
    """

    schema: Schema
    model: str
    guarantee: Guarantee
    sites: tuple[str, ...]
    curious: int
    lost: int
    address: Address
    max_sites: int = 1
    split: VerticalSplit | None = None
    averaging: Averaging | None = None
    receiver: str | None = None
    steps: int = USUAL_STEPS

    @property
    def owners(self) -> tuple[str, ...]:
        """Names of the owners of columns, where the sites are servers that have none; none in any other study."""
        outsourced = None if self.split is None else self.split.outsourced
        return () if outsourced is None else tuple(owner.name for owner in outsourced.owners)

    @property
    def commands(self) -> tuple[str, str]:
        """Names of the commands of whoever makes the plan, and of those who take part."""
        return ("federation", "site") if self.split is None else ("mpc", "party")

    def to_dict(self) -> dict[str, Json]:
        """As it is written."""
        return {
            "format": _FORMAT,
            "schema": self.schema.dump(),
            "model": self.model,
            "guarantee": {**asdict(self.guarantee), **({} if self.guarantee.private else {"epsilon": None})},
            "sites": list(self.sites),
            "curious": self.curious,
            "lost": self.lost,
            "address": str(self.address),
            "max_sites": self.max_sites,
            "split": None if self.split is None else self.split.to_dict(),
            "averaging": None if self.averaging is None else asdict(self.averaging),
            "receiver": self.receiver,
            "steps": self.steps,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Study:
        """The inverse."""
        promise = data["guarantee"]
        epsilon = math.inf if promise["epsilon"] is None else promise["epsilon"]
        return cls(
            schema=Schema.parse(data["schema"]),
            model=data["model"],
            guarantee=Guarantee(**{**promise, "epsilon": epsilon}),
            sites=tuple(data["sites"]),
            curious=data["curious"],
            lost=data["lost"],
            address=Address.parse(data["address"]),
            max_sites=data["max_sites"],
            split=None if data["split"] is None else VerticalSplit.from_dict(data["split"]),
            averaging=None if data["averaging"] is None else Averaging(**data["averaging"]),
            receiver=data.get("receiver"),
            steps=data.get("steps", USUAL_STEPS),
        )


class CoordinatorFolder:
    """The folder of one federation; made by :meth:`make`.

    Attributes:
        path: of the folder.
        study: what is to be fitted.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()  # processes that work elsewhere are told of it
        self._files = KeptFiles(self.path, "make the folder anew")
        if not self._files.has(_STUDY):
            raise FederationError(f"{path} is no folder of a federation: make one with sfumato federation init {path}")
        try:
            self.study = Study.from_dict(self._files.facts(_STUDY))
        except (KeyError, TypeError, ValueError, AttributeError):
            raise FederationError(f"{path / _STUDY} is damaged, or of another version; make the folder anew") from None

    @classmethod
    def make(cls, path: Path, study: Study) -> CoordinatorFolder:
        """A new folder with fresh keys; OutputError where there is one already."""
        authority = Authority.fresh("sfumato federation")
        with atomic_folder(path) as part:
            part.chmod(0o700)
            for name in (_KEYS, "requests"):
                (part / name).mkdir(mode=0o700)
            save_new(part, _STUDY, json.dumps(study.to_dict(), indent=1).encode())
            save_new(part / _KEYS, _AUTHORITY_KEY, authority.key)
            save_new(part / _KEYS, _AUTHORITY, authority.certificate.encode())
            for name in (_SERVER_KEY, _ADMIN_KEY):
                save_new(part / _KEYS, name, fresh_key())
        return cls(path)

    @property
    def authority(self) -> Authority:
        """Of all connections of this federation."""
        return Authority(
            self._files.data(f"{_KEYS}/{_AUTHORITY_KEY}"), self._files.data(f"{_KEYS}/{_AUTHORITY}").decode()
        )

    def credentials(self, host: str) -> tuple[Credentials, Credentials]:
        """Of the server, for the ``host`` under which sites reach it, and of the session that starts runs at it."""
        authority = self.authority
        server, admin = (self._files.data(f"{_KEYS}/{name}") for name in (_SERVER_KEY, _ADMIN_KEY))
        return (
            Credentials(server, authority.certify_server(server, host), authority.certificate),
            Credentials(admin, authority.certify_admin(admin), authority.certificate),
        )

    def requests(self) -> Sequence[Path]:
        """Files of the requests that were taken in."""
        return sorted((self.path / "requests").glob("*.json"))

    @property
    def invitation(self) -> Path:
        """The file with the plan."""
        return self.path / _PLAN

    def keep_signatures(self, signatures: Mapping[str, str]) -> None:
        """By name of the site, its signature under the plan."""
        self._files.save(_SIGNATURES, signatures)

    def keep_status(self, status: Mapping[str, Json]) -> None:
        """How far the run is."""
        self._files.save(_STATUS, status)

    @property
    def status(self) -> dict[str, Any]:
        """The last that was kept; empty before a run."""
        return self._files.facts(_STATUS)

    def keep_over(self, over: Over) -> None:
        """That the model is saved, or about to be."""
        self._files.save(_OVER, {"model": str(over.model), "untold": list(over.untold)})

    @property
    def over(self) -> Over | None:
        """The end of the run; None before."""
        match self._files.facts(_OVER):
            case {"model": str(model), "untold": [*untold]} if all(isinstance(name, str) for name in untold):
                return Over(Path(model), tuple(untold))
            case {}:
                return None
        raise self._files.damaged(_OVER)
