"""A training on shares of simulated parties, in the open: what Python gives, and what it refuses."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from tests.trust.parties import CODEC, HELD, SCHEMA, people

import sfumato as sf
from sfumato.errors import FederationError

PERSONS = 400
NONE = sf.Guarantee(math.inf)


def source(steps: int = 25, engine: sf.Engine | None = None, receiver: str = "two", **other):
    """Three parties of which the last lacks a row of the first person."""
    rows = CODEC.decode(people(PERSONS, 3), np.random.default_rng(0)).drop_columns(["who"])
    keys = [f"{i:04d}" for i in range(PERSONS)]
    rows = rows.append_column("who", [keys])
    tables = [rows.select(["who", *columns]) for columns in HELD]
    tables[2] = tables[2].slice(1)
    named = {"names": ["one", "two", "three"], "key": "who", "persons": keys, **other}
    return sf.parties(tables, encrypted_for=receiver, steps=steps, engine=engine, **named)


def test_a_model_is_trained_saved_and_sampled_without_a_certificate(tmp_path: Path) -> None:
    fitted = sf.Synthesizer(SCHEMA, "vae", NONE).fit(source())
    assert isinstance(fitted.certificate, sf.NoCertificate)
    assert "WITHOUT differential privacy, for two alone" in fitted.certificate.reason
    assert (fitted.ledger_path, fitted.outside, fitted.default_rows) == (None, None, PERSONS)
    fitted.save(tmp_path / "model.sfm")
    again = sf.load(tmp_path / "model.sfm")
    assert again.sample(20, seed=1).arrow.equals(fitted.sample(20, seed=1).arrow)
    with pytest.raises(sf.SfumatoError, match="no report of it may be released"):
        sf.report(tmp_path / "model.sfm", tmp_path / "report.html")


@pytest.mark.parametrize(
    ("model", "guarantee", "other", "said"),
    [
        ("vae", sf.Guarantee(1, 1e-6), {}, "promises nothing"),
        ("mst", NONE, {}, "what is trained on shares without noise is vae"),
        ("vae", NONE, {"receiver": "four"}, "is opened to one of the parties"),
        ("vae", NONE, {"persons": None, "most_persons": 500}, "persons of a public list"),
    ],
    ids=["a promise", "another model", "nobody", "an intersection"],
)
def test_what_cannot_be_trained_on_shares_is_refused(model, guarantee, other, said) -> None:
    with pytest.raises(FederationError, match=said):
        sf.Synthesizer(SCHEMA, model, guarantee).fit(source(**other))


@pytest.mark.engine
def test_on_three_engines_the_model_is_that_of_its_twin(engine: Path) -> None:
    shared, plain = (sf.Synthesizer(SCHEMA, "vae", NONE).fit(source(50, used)) for used in (sf.Engine(engine), None))
    rows = plain.sample(100, seed=0).arrow
    one, other = (fitted.encode(rows) for fitted in (shared, plain))
    assert abs(other).max() > 0.1
    assert abs(one - other).max() < 1e-2
