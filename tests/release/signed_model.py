"""A model of three sites with keys of their own, in this process: what a coordinator saves of a real federation."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pyarrow as pa

import sfumato as sf
from sfumato.federation.certifying import certify
from sfumato.fitting.agreed import agreed
from sfumato.fitting.connected import ConnectedSource
from sfumato.progress import Silent
from sfumato.release.artifact import Artifact, canonical_json
from sfumato.release.certificate import Certificate
from sfumato.release.consistency import process_of
from sfumato.release.words import words
from sfumato.synthesizer import keep_certified
from sfumato.tables import Rows
from sfumato.trust.federated.federated_site import FederatedSite
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.federated.site_facts import first_codec
from sfumato.trust.federated.transport import Endpoint, InProcess
from sfumato.trust.gathering import gather
from sfumato.trust.secure_sum.accounts import SiteAccount
from sfumato.trust.secure_sum.identity import SiteIdentity
from sfumato.trust.secure_sum.roster import Member, Roster

NAMES = ("north", "east", "west")
PROMISE = sf.Guarantee(1, 1e-6)
SCHEMA = sf.Schema.parse("""\
sfumato: schema/1
columns:
  age: {kind: integer, bounds: [0, 9], source: public}
  job: {kind: category, categories: [a, b], source: public}
""")


@dataclass(frozen=True)
class SignedModel:
    """A saved model, and those whose rows it is of."""

    path: Path
    plan: FederationPlan
    keys: tuple[SiteIdentity, ...]

    @property
    def artifact(self) -> Artifact:
        return Artifact.load(self.path)

    @property
    def told(self) -> dict[str, str]:
        """The fingerprints as the sites tell them."""
        return {member.name: member.fingerprint for member in self.plan.roster.members}


def planned(keys: Sequence[SiteIdentity], lost: int = 0, curious: int = 1) -> FederationPlan:
    """The plan of sites with these keys."""
    names = (*NAMES, *(f"site-{i}" for i in range(len(NAMES), len(keys))))
    members = tuple(Member(name, key.public_key) for name, key in zip(names, keys, strict=False))
    return agreed(SCHEMA, "mst", PROMISE, Roster(members, curious, lost), (1000,) * len(keys)).plan


def signed_model(
    folder: Path,
    sites: int = 3,
    *,
    lost: int = 0,
    certified: Sequence[str] = NAMES,
    wrap: Callable[[list[FederatedSite]], Sequence[Endpoint]] = lambda made: made,
) -> SignedModel:
    """Fit and save; the sites named ``certified`` are there at the end, and sign the certificate."""
    keys = tuple(SiteIdentity.fresh() for _ in range(sites))
    plan = planned(keys, lost, 0 if lost else 1)
    made = []
    for place, key in enumerate(keys):
        rng = np.random.default_rng(place)
        rows = Rows.open(pa.table({"age": rng.integers(0, 10, 200), "job": rng.choice(["a", "b"], 200)}))
        run = sf.Ledger.open(None).begin(plan.at_a_site, "federation")
        made.append(
            FederatedSite(plan, key, gather(rows, first_codec(SCHEMA), Silent()), SiteAccount(run, plan.terms, place))
        )
    transport = InProcess(wrap(made))
    source = ConnectedSource(plan, lambda _: transport, folder / "co.ledger", folder / "answers", 30.0, lambda _: None)
    fitted = sf.Synthesizer(SCHEMA, "mst", PROMISE).fit(source)
    stored = canonical_json(fitted.certificate.to_dict())
    places = {member.name: place for place, member in enumerate(plan.roster.members)}
    keep_certified(fitted, {name: certify(stored, plan, keys[places[name]]) for name in certified})
    fitted.save(folder / "model.sfm")
    return SignedModel(folder / "model.sfm", plan, keys)


Change = Callable[[dict[str, Any], dict[str, Any], dict[str, Any]], None]
"""Edits a certificate, what the model says of itself, and what its sites signed."""


def resealed(model: Artifact, change: Change) -> Artifact:
    """As a careful forger writes it: every hash, and every sentence that follows from the figures, made anew."""
    certificate, facts, sites = copy.deepcopy((dict(model.certificate), dict(model.model), dict(model.sites or {})))
    change(certificate, facts, sites)
    forged = replace(model, model=facts, sites=sites or None)
    parsed = Certificate.parse(certificate)
    with mock.patch("sfumato.release.consistency.check_federation"):
        certificate.update(words(process_of(forged, parsed, parsed.promise.guarantee)))
    certificate["members"] = forged.hashes
    return replace(forged, certificate=certificate)
