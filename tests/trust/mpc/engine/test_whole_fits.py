"""Networks that three simulated parties learn on secret shares, whole way: tables in, a verified model out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import sfumato as sf
from sfumato.errors import CertificateError
from sfumato.privacy.party_training import PartyTraining, toward_a_party
from sfumato.release.artifact import Artifact
from sfumato.release.verification import verify_artifact

SCHEMA = sf.Schema.parse(
    "sfumato: schema/1\ncolumns:\n  id: {kind: identifier, source: public}\n"
    + "".join(f"  {name}: {{kind: boolean, source: public}}\n" for name in ("ill", "poor", "old"))
)
PERSONS = 300
PROMISE = sf.Guarantee(2.0, 1e-6)


def tables() -> list[pa.Table]:
    """Who is poor is mostly ill."""
    rng = np.random.default_rng(0)
    poor = rng.random(PERSONS) < 0.5
    columns = {"ill": poor ^ (rng.random(PERSONS) < 0.1), "poor": poor, "old": rng.random(PERSONS) < 0.3}
    keys = [f"person {i}" for i in range(PERSONS)]
    return [pa.table({"id": keys, name: column}) for name, column in columns.items()]


def source(engine: Path | None, ledgers: list[sf.Ledger]) -> object:
    keys = tables()[0]["id"].to_pylist()
    return sf.parties(
        tables(), key="id", persons=keys, ledgers=ledgers, engine=None if engine is None else sf.Engine(engine)
    )


@pytest.mark.engine
@pytest.mark.parametrize("model", ["vae", "gan", "diffusion"])
def test_a_network_is_learnt_on_shares_and_its_certificate_holds_two_figures(
    model: str, engine: Path, tmp_path: Path
) -> None:
    ledgers = [sf.Ledger.open(None) for _ in range(3)]
    fitted = sf.Synthesizer(SCHEMA, model, PROMISE).fit(source(engine, ledgers))
    drawn = fitted.sample(2000).to_pandas()
    assert (drawn["ill"] == drawn["poor"]).mean() > 0.75
    assert fitted.settings is not None
    assert fitted.settings["form"] == "shares"
    fitted.save(tmp_path / "model.sfm")
    artifact = Artifact.from_bytes((tmp_path / "model.sfm").read_bytes())
    verify_artifact(artifact)
    stated = fitted.certificate.federation
    assert stated is not None
    assert stated.split is not None
    assert stated.split.training is not None
    training = PartyTraining(*stated.split.training.to_dict().values())
    assert stated.split.toward_a_party == pytest.approx(toward_a_party(PROMISE, training).epsilon)
    for ledger in ledgers:
        (run,) = ledger.summary()["runs"]
        assert PROMISE.epsilon < run["epsilon_spent"] <= stated.split.toward_a_party
        (paid,) = (e for e in run["events"] if e["mechanism"] == "DistributedGaussian")
        assert (paid["sampling_probability"], paid["count"]) == (1.0, training.most)
    forged = fitted.certificate.to_dict()
    forged["federation"]["split"]["training"]["steps"] += 1
    with pytest.raises(CertificateError, match="toward a party"):
        verify_artifact(replace(artifact, certificate=forged))


def test_without_the_engine_networks_are_refused_before_a_row_is_read() -> None:
    with pytest.raises(sf.SfumatoError, match="give the engine that networks need"):
        sf.Synthesizer(SCHEMA, "vae", PROMISE).fit(source(None, [sf.Ledger.open(None) for _ in range(3)]))
