"""A fit by averages over several sites: its certificate says what each local step protects, and nothing else."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
from tests.fitting.test_federated_fit import SCHEMA, rows
from tests.models.images.population import DOMAIN, LABEL, accuracy, begin, digits
from tests.trust.federation import Federation

import sfumato as sf
from sfumato.errors import FederationError
from sfumato.models.registry import ModelEntry
from sfumato.models.vae.images import ImageVae
from sfumato.privacy.events import PoissonSampledGaussian
from sfumato.progress import Silent
from sfumato.release.artifact import Artifact
from sfumato.release.verification import verify_artifact
from sfumato.trust.budget import Budget
from sfumato.trust.federated.averaged_descent import SPARE_RUNS
from sfumato.trust.federated.averaging import Averaging

STEPS = 50
"""At each site between two averages."""


def sites(**terms):
    tables = [sf.Table(rows(300, seed)) for seed in range(3)]
    ledgers = [sf.Ledger.open(None, sf.Guarantee(9, 1e-3)) for _ in tables]
    return sf.federated(tables, ledgers=ledgers, capacity=300, **terms)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """(artifact, what the first site's ledger says) of one fit whose changes went in the clear."""
    path = tmp_path_factory.mktemp("averages") / "model.sfm"
    source = sites(local_steps=STEPS, proximal=0.5, secure=False)
    full = ModelEntry.recipe
    with mock.patch.object(ModelEntry, "recipe", lambda *given: replace(full(*given), warm_steps=20)):
        sf.Synthesizer(SCHEMA, "gan", sf.Guarantee(3, 1e-6)).fit(source).save(path)
    sf.verify(path)
    return Artifact.load(path), source.ledgers[0].summary()["runs"][0]["events"]


def test_the_certificate_states_the_steps_of_a_site_by_itself(fitted):
    certificate = verify_artifact(fitted[0]).certificate
    (training,) = [e for e in certificate.composition.events if isinstance(e, PoissonSampledGaussian)]
    stated = certificate.federation.averaging
    assert (stated.local_steps, stated.proximal, stated.secure, stated.level) == (STEPS, 0.5, False, "record")
    assert training.count == 100
    (paid,) = [e for e in fitted[1] if e["mechanism"] == "PoissonSampledGaussian"]
    assert paid["count"] == training.count + SPARE_RUNS * STEPS
    assert paid["noise_multiplier"] == training.noise_multiplier
    text = str(certificate)
    assert "trained by averages (FedProx, mu 0.5): 50 steps at each site by itself" in text
    assert "noise of full strength" in text
    assert "from each site by itself, and not under masks" in text


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda f: f.update(averaging=None), "no site of the certificate's federation took by itself"),
        (lambda f: f["averaging"].update(level="none"), "level 'none' have no certificate"),
        (lambda f: f["averaging"].update(level="site"), "level 'site' have no certificate"),
        (lambda f: f["averaging"].update(local_steps=0), "numbers that none can have"),
        (lambda f: f["averaging"].update(local_steps=7), "no site of the certificate's federation took by itself"),
        (lambda f: f["averaging"].update(secure=True), "something else"),
        (lambda f: f["averaging"].update(proximal=0.0), "something else"),
        (lambda f: f["averaging"].update(audited="by all"), "more than its fields"),
    ],
    ids=["left out", "none", "site", "no steps", "other steps", "secure", "proximal", "more"],
)
def test_averages_that_were_edited_are_refused(fitted, change, says):
    certificate = json.loads(json.dumps(fitted[0].certificate))
    change(certificate["federation"])
    with pytest.raises(sf.CertificateError, match=says):
        verify_artifact(replace(fitted[0], certificate=certificate))


def test_averages_of_images_learn_what_they_show() -> None:
    """By gradients alone, without noise: from what a network draws after a single step, one digit in four is told."""
    codes = np.random.default_rng(0).permutation(digits())
    parts, capacity = np.array_split(codes, 3), (600,) * 3
    averaging = Averaging(local_steps=10, level="none")
    sites = Federation(parts, DOMAIN, Budget(begin(math.inf)), rounds=8, capacity=capacity, averaging=averaging)
    model = ImageVae(1.0, steps=20).fit(sites.setting, target=LABEL, progress=Silent())
    assert sites.rounds.opened_rounds == 1 + 2, "a count, and two averages"
    assert accuracy(model.sample(1000, np.random.default_rng(0)), codes) > 0.7


def test_options_that_go_with_nothing_are_refused_before_anything_is_charged():
    for terms in ({"proximal": 0.1}, {"secure": False}):
        with pytest.raises(FederationError, match="give local_steps with them"):
            sites(**terms)
    source = sites(local_steps=5)
    with pytest.raises(FederationError, match="'mst' is learnt from sums, not by steps: leave local_steps out"):
        sf.Synthesizer(SCHEMA, "mst", sf.Guarantee(1, 1e-6)).fit(source)
    assert [ledger.summary()["runs"] for ledger in source.ledgers] == [[], [], []]
